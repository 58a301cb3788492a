/** `runtime.enable_streaming = false`: what a script prints is sent when it ends or asks for a line. */
import { expect, test } from "bun:test";
import { EXECUTABLE, Sandbox } from "../support/cli.ts";

const SLOW = `print("one") local t = os.clock() while os.clock() - t < 0.5 do end print("two")`;
const ASKS = `io.write("name? ") local name = io.read() print("hello " .. name)`;

async function chunks(source: string, streams: boolean, answer?: string): Promise<string[]> {
  using box = new Sandbox();
  box.write("script.lua", source);
  box.write("c.toml", `[runtime]\nenable_streaming = ${streams}\n`);
  const proc = Bun.spawn([EXECUTABLE, "-c", "c.toml", "run", "script.lua"], {
    cwd: box.cwd,
    env: box.env,
    stdin: "pipe",
    stdout: "pipe",
  });
  const seen: string[] = [];
  for await (const chunk of proc.stdout) {
    seen.push(new TextDecoder().decode(chunk));
    if (seen.length > 1 || answer === undefined) continue;
    proc.stdin.write(answer);
    proc.stdin.end();
  }
  expect(await proc.exited).toBe(0);
  return seen;
}

test("Output comes as it is written, or at the end", async () => {
  expect(await chunks(SLOW, true)).toEqual(["one\n", "two\n"]);
  expect(await chunks(SLOW, false)).toEqual(["one\ntwo\n"]);
});

test("A question is seen before its answer is waited for", async () => {
  expect(await chunks(ASKS, false, "Ada\n")).toEqual(["name? ", "hello Ada\n"]);
});
