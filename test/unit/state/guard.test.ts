import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { MemoryBackend } from "../../../src/state/backends/memory.ts";
import { GuardedBackend } from "../../../src/state/guard.ts";

class FailingBackend extends MemoryBackend {
  failing = true;
  asked = 0;
  override get(key: string) {
    this.asked++;
    if (this.failing) throw new SpellError("io", "Cannot read: the disk reports an error");
    return super.get(key);
  }
}

function guarded() {
  const clock = { ms: 0 };
  const backend = new FailingBackend();
  const guard = new GuardedBackend(backend, () => clock.ms);
  const ask = (times: number) =>
    Array.from({ length: times }, () => {
      try {
        guard.get("a");
        return "ok";
      } catch (error) {
        return (error as Error).message.split(":")[0];
      }
    });
  return { clock, backend, guard, ask };
}

describe("A backend that fails ten times in a row", () => {
  test("is left alone for a minute, with the reason in the error", () => {
    const { clock, backend, guard, ask } = guarded();
    expect(new Set(ask(10))).toEqual(new Set(["Cannot read"]));
    expect(new Set(ask(5))).toEqual(new Set(["Circuit breaker is open"]));
    expect(() => guard.get("a")).toThrow("the disk reports an error");
    expect([backend.asked, guard.trips, guard.errors]).toEqual([10, 1, 10]);
    clock.ms = 59_999;
    expect(ask(1)).toEqual(["Circuit breaker is open"]);
    clock.ms = 60_000;
    backend.failing = false;
    expect(ask(6)).toEqual(Array(6).fill("ok"));
  });

  test("is left alone again at the first failure of its trial", () => {
    const { clock, backend, guard, ask } = guarded();
    ask(10);
    clock.ms = 60_000;
    backend.failing = false;
    ask(4);
    backend.failing = true;
    expect(ask(2)).toEqual(["Cannot read", "Circuit breaker is open"]);
    expect(guard.trips).toBe(2);
  });

  test("counts in a row: a success begins anew", () => {
    const { backend, guard, ask } = guarded();
    ask(9);
    backend.failing = false;
    ask(1);
    backend.failing = true;
    expect(ask(9)).toEqual(Array(9).fill("Cannot read"));
    expect(guard.trips).toBe(0);
  });
});
