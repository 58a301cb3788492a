import { expect, test } from "bun:test";
import { Pipe, pipeBytes } from "../../../src/engine/bridge/pipe.ts";

test("a wait for data ends at its limit, and at once where something is there that was not read", () => {
  const pipe = new Pipe(new SharedArrayBuffer(pipeBytes(16)), 0, 16);
  const begunMs = performance.now();
  expect(pipe.waitForData(30)).toBe(false);
  expect(performance.now() - begunMs).toBeGreaterThanOrEqual(29);
  pipe.write(Uint8Array.of(1, 2, 3), 0);
  expect(pipe.waitForData()).toBe(true);
  expect(pipe.read(new Uint8Array(8), 0)).toBe(3);
  expect(pipe.waitForData(1)).toBe(false);
});
