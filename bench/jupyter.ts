import { debianPython } from "../test/support/python.ts";
import { LLMSPELL, median, run, Scratch } from "./measure.ts";
import { type Figure, type Row, row, type Target, Unavailable } from "./row.ts";

const ROUNDS = 5;

type Samples = { ours: number[]; peer: number[] };

/** The kernel beside ipykernel, both driven by Debian's jupyter_client in one process. */
export async function jupyter(): Promise<Row[]> {
  using scratch = new Scratch();
  const found = await samples(scratch);
  const figure = (what: string, of: keyof Samples): Figure =>
    found instanceof Unavailable ? found : median(found[what]![of]);
  const timed = (name: string, what: string, of: Target["of"], value: number): Row => {
    const peer = what === "health" ? null : { name: "ipykernel", figure: figure(what, "peer") };
    const target: Target = { of, at: "most", value };
    return row({ name: `jupyter: ${name}`, unit: "ms", ours: figure(what, "ours"), peer, target });
  };
  return [
    timed("kernel ready, start to first answer", "ready", "ratio", 0.2),
    timed("kernel ready, as wait_for_ready waits", "waited", "ratio", 1),
    timed("execute `1`, p50", "execute", "ratio", 0.3),
    timed("2,000 flushed prints", "prints", "ratio", 1),
    timed("interrupt of an endless loop", "interrupt", "ours", 200),
    timed("health report", "health", "ours", 50),
  ];
}

async function samples(scratch: Scratch): Promise<Record<string, Samples> | Unavailable> {
  const python = debianPython("jupyter_client", "ipykernel");
  if (python === undefined) return new Unavailable("python3-jupyter-client or python3-ipykernel is missing");
  await run([LLMSPELL, "kernel", "install-kernelspec"], scratch);
  const { stdout } = await run(
    [python, "-W", "ignore", `${import.meta.dir}/peer/jupyter.py`, String(ROUNDS), "llmspell", "python3"],
    scratch,
  );
  return JSON.parse(stdout.slice(stdout.indexOf('{"ready"')));
}
