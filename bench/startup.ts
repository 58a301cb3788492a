import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { compiledHello, program } from "./peers.ts";
import { type Figure, type Row, row, Unavailable } from "./row.ts";

const ROUNDS = 21;

/** Peak resident set of a program in MiB, from GNU time: it forks from a small process, whose own peak is no floor. */
async function peakMiB(time: string, command: readonly string[], scratch: Scratch): Promise<number> {
  const report = join(scratch.path, "peak");
  await run([time, "-f", "%M", "-o", report, ...command], scratch);
  return Number(await Bun.file(report).text()) / 1024;
}

/** `--version`, the first line of a one-line script, and its peak memory. */
export async function startup(): Promise<Row[]> {
  using scratch = new Scratch();
  const hello = await compiledHello();
  const lua = await scratch.file("hello.lua", 'print("hello")\n');
  const js = await scratch.file("hello.mjs", 'console.log("hello");\n');
  const script = [LLMSPELL, "run", lua];
  const others = { "lua5.4": program("lua5.4"), node: program("node", "nodejs") };
  const available = Object.entries(others).flatMap(([name, path]) =>
    path instanceof Unavailable ? [] : [[name, path]],
  );

  const version = await medians(ROUNDS, {
    ours: async () => (await run([LLMSPELL, "--version"], scratch)).totalMs,
    peer: async () => (await run([hello], scratch)).totalMs,
  });
  const firstLine: Record<string, number> = await medians(ROUNDS, {
    ours: async () => (await run(script, scratch)).firstByteMs,
    ...Object.fromEntries(
      available.map(([name, path]) => [
        name!,
        async () => (await run([path!, name === "node" ? js : lua], scratch)).firstByteMs,
      ]),
    ),
  });

  const time = program("time");
  const peak = async (command: readonly string[]): Promise<Figure> => {
    if (time instanceof Unavailable) return time;
    return (await medians(5, { only: () => peakMiB(time, command, scratch) })).only;
  };

  return [
    row({
      name: "start: --version, whole run",
      unit: "ms",
      ours: version.ours,
      peer: { name: "compiled Bun hello", figure: version.peer },
      target: { of: "ours", at: "most", value: 10 },
    }),
    ...Object.entries(others).map(([name, path]) =>
      row({
        name: `start: one-line script, first byte (${name})`,
        unit: "ms",
        ours: firstLine.ours!,
        peer: { name, figure: path instanceof Unavailable ? path : firstLine[name]! },
        target: { of: "ours", at: "most", value: 40 },
      }),
    ),
    row({
      name: "start: one-line script, peak memory",
      unit: "MiB",
      ours: await peak(script),
      peer: { name: "compiled Bun hello", figure: await peak([hello]) },
      target: { of: "ours", at: "most", value: 80 },
    }),
  ];
}
