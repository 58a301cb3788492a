import { describe, expect, test } from "bun:test";
import { runAsTask, type Task, TaskLock } from "../../../src/core/task.ts";

const nobody: ReadonlySet<Task> = new Set();

/** Takes the lock in a task of its own, holds it while `body` runs. */
const hold = (lock: TaskLock, label: string, body: () => Promise<unknown>, signal?: AbortSignal) =>
  runAsTask(label, async (task) => {
    const release = await lock.acquire(task, nobody, signal);
    try {
      return await body();
    } finally {
      release();
    }
  });

describe("A task lock", () => {
  test("is handed on in the order of asking, past one who gave up", async () => {
    const lock = new TaskLock("x");
    const first = Promise.withResolvers<void>();
    const giveUp = new AbortController();
    const order: string[] = [];
    const note = (label: string) => async () => void order.push(label);
    const held = hold(lock, "a", () => first.promise);
    const waiting = hold(lock, "b", note("b"));
    const gone = hold(lock, "c", note("c"), giveUp.signal);
    const last = hold(lock, "d", note("d"));
    giveUp.abort(new Error("enough"));
    await expect(gone).rejects.toThrow("enough");
    first.resolve();
    // One who asks while the lock is being handed on comes after those who wait.
    const late = held.then(() => hold(lock, "e", note("e")));
    await Promise.all([waiting, last, late]);
    expect(order).toEqual(["b", "d", "e"]);
  });

  test("refuses a holder that asks again from within", async () => {
    const lock = new TaskLock("x");
    const nested = hold(lock, "outer", () => hold(lock, "inner", async () => "never"));
    await expect(nested).rejects.toThrow("Cannot run x: it waits for the call that asks for it");
    expect(await hold(lock, "next", async () => "free")).toBe("free");
  });

  test("refuses the last link of a circle of three, and the others end", async () => {
    const locks = [new TaskLock("0"), new TaskLock("1"), new TaskLock("2")];
    const all = Promise.withResolvers<void>();
    let holding = 0;
    const outcomes = await Promise.allSettled(
      locks.map((lock, i) =>
        hold(lock, `holder ${i}`, async () => {
          if (++holding === 3) all.resolve();
          await all.promise;
          return hold(locks[(i + 1) % 3]!, `asker ${i}`, async () => "ok");
        }),
      ),
    );
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(outcomes.find((outcome) => outcome.status === "rejected")!.reason.code).toBe("deadlock");
  });

  test("lets one wait for another that waits for a third", async () => {
    const a = new TaskLock("a");
    const b = new TaskLock("b");
    const open = Promise.withResolvers<void>();
    const last = hold(b, "holds b", () => open.promise);
    const middle = hold(a, "holds a", () => hold(b, "wants b", async () => "b"));
    const first = hold(a, "wants a", async () => "a");
    open.resolve();
    await last;
    expect(await Promise.all([middle, first])).toEqual(["b", "a"]);
  });
});
