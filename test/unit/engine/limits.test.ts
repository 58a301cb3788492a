import { describe, expect, test } from "bun:test";
import type { EnginePolicy } from "../../../src/engine/engine.ts";
import { randomFrom } from "../../conformance/bridge-model.ts";
import { type Harness, harness } from "./harness.ts";

const PATIENCE_MS = 3000;

/** Runs `code` under a limit, then shows that the engine still works. */
async function limited(policy: Partial<EnginePolicy>, code: string) {
  const h = harness(policy);
  const outcome = await h.run(code);
  expect(await nextValue(h)).toBe(2);
  await h.engine.dispose();
  return outcome.error;
}

/** A busy machine may take longer to begin a script than a short limit allows: then the script is sent again. */
async function nextValue(h: Harness): Promise<unknown> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { value, error } = await h.run("return 1 + 1");
    const isLate = error?.code === "limit" && error.data?.limit === "time";
    if (!isLate || performance.now() > endMs) return value ?? error;
  }
}

describe("the time limit", () => {
  const cases: Record<string, string> = {
    "an endless loop": "while true do end",
    "a loop that catches every error": "while true do pcall(function() while true do end end) end",
    "a loop in a coroutine":
      "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "a call that never answers": "Host.never()",
    "a call that never answers, caught again and again": "while true do pcall(Host.never) end",
    "a finalizer without end": "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()",
  };
  for (const [what, code] of Object.entries(cases)) {
    test(`ends ${what}`, async () => {
      expect(await limited({ timeoutMs: 50 }, code)).toMatchObject({
        code: "limit",
        data: { limit: "time", maxMs: 50 },
      });
    });
  }
});

test("the instruction limit ends a loop and counts anew for each execution", async () => {
  expect(await limited({ maxInstructions: 1_000_000 }, "while true do end")).toMatchObject({
    code: "limit",
    data: { limit: "instructions" },
  });
});

describe("the memory limit", () => {
  const grow = "local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end";
  test("ends a script that collects without end", async () => {
    for (const maxMemoryBytes of [2_000_000, 30_000_000])
      expect(await limited({ maxMemoryBytes }, grow)).toMatchObject({
        code: "limit",
        data: { limit: "memory" },
      });
  });

  test("ends a giant string at once, and one beyond any memory is a plain error", async () => {
    expect(await limited({ maxMemoryBytes: 50_000_000 }, "return #('x'):rep(1e9)")).toMatchObject({
      code: "limit",
    });
    expect(await limited({ maxMemoryBytes: 50_000_000 }, "return #('x'):rep(1e10)")).toMatchObject({
      code: "script",
      message: "script.lua:1: resulting string too large",
    });
  });

  test("can be met and survived by the script", async () => {
    const h = harness({ maxMemoryBytes: 20_000_000 });
    expect((await h.run(`local ok = pcall(function() ${grow} end) return ok`)).value).toBe(false);
    await h.engine.dispose();
  });
});

describe("an interrupt", () => {
  const cases: Record<string, string> = {
    "a loop without a call": "for _ = 1, math.huge do end",
    "a loop of C calls": "while true do math.abs(1) end",
    "a loop of errors": "while true do pcall(error, 'x') end",
    "an iterator": "for _ in function() return 1 end do end",
    "tail calls": "local function f() return f() end f()",
    "protected recursion": "local function f() pcall(f) end while true do f() end",
    "a comparator": "table.sort({3, 2, 1}, function() while true do end end)",
    "a replacement": "string.gsub('x', 'x', function() while true do end end)",
    "a metamethod": "local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
    "a message handler": `while true do
      xpcall(function() while true do end end, function() while true do end end)
    end`,
    "a coroutine that yields": `local c = coroutine.wrap(function() while true do coroutine.yield() end end)
      while true do c() end`,
    "coroutines within coroutines that catch errors": `local function f(depth)
        if depth == 0 then while true do end end
        while true do coroutine.resume(coroutine.create(function() f(depth - 1) end)) end
      end
      f(20)`,
    "a coroutine that is closed": `local function endless() while true do end end
      while true do
        local co = coroutine.create(function()
          local x <close> = setmetatable({}, {__close = endless})
          coroutine.yield()
        end)
        coroutine.resume(co)
        coroutine.close(co)
      end`,
    "a callback in a coroutine":
      "coroutine.wrap(function() Host.apply(function() while true do end end) end)()",
    finalizers: `while true do
      setmetatable({}, {__gc = function() while true do end end})
      collectgarbage()
    end`,
  };
  for (const [what, code] of Object.entries(cases)) {
    test(`ends ${what} with the line where it was, and the VM goes on`, async () => {
      const h = harness();
      await h.run("kept = 'yes'");
      const running = h.run(`print('begun')\n${code.replaceAll("\n", " ")}`);
      while (h.output() === "") await Bun.sleep(1);
      h.engine.interrupt();
      expect((await running).error).toMatchObject({
        code: "interrupted",
        traceback: expect.stringContaining("script.lua:2:"),
      });
      expect((await h.run("return kept")).value).toBe("yes");
      await h.engine.dispose();
    });
  }

  test("reaches a script that prints without end", async () => {
    const h = harness({ timeoutMs: 200 });
    expect((await h.run("while true do print('x') end")).error?.data?.limit).toBe("time");
    await h.engine.dispose();
  });

  test("at any moment ends the script and leaves the VM with its globals", async () => {
    const random = randomFrom(7);
    const h = harness();
    await h.run("kept = 'yes'");
    const scripts = [
      "while true do end",
      "while true do Host.echo(1) end",
      "while true do Host.apply(function() Host.slowly(2) end) end",
      "while true do pcall(Host.fail, 'x') end",
      "while true do print('x') end",
      "Host.never()",
    ];
    for (let i = 0; i < 24; i++) {
      const running = h.run(scripts[i % scripts.length]!);
      await Bun.sleep(random() * 8);
      h.engine.interrupt();
      expect((await running).error?.code).toBe("interrupted");
      expect((await h.run("return kept")).value).toBe("yes");
    }
    await h.engine.dispose();
  }, 60_000);

  test.skipIf(process.platform === "win32")("ends child processes and what they started", async () => {
    const h = harness();
    for (const call of ["os.execute(command)", "io.popen(command):read('a')"]) {
      const running = h.run(`local command = "sleep 300 & echo $! >&2; wait" ${call}`);
      let output = "";
      while (!output.includes("\n")) {
        await Bun.sleep(1);
        output += h.output();
      }
      h.engine.interrupt();
      expect((await running).error?.code).toBe("interrupted");
      const isGone = () => {
        try {
          return !process.kill(Number(output), 0);
        } catch (error) {
          return (error as NodeJS.ErrnoException).code === "ESRCH";
        }
      };
      while (!isGone()) await Bun.sleep(5);
    }
    await h.engine.dispose();
  });

  test("when nothing runs does nothing", async () => {
    const h = harness();
    h.engine.interrupt();
    expect((await h.run("return 1")).value).toBe(1);
    await h.engine.dispose();
  });
});

describe("os.exit", () => {
  test("ends the script with its code, past any pcall, output kept", async () => {
    const h = harness();
    const codes: unknown[] = [];
    for (const call of ["os.exit(3)", "pcall(os.exit, 4)", "os.exit()", "os.exit(true)", "os.exit(false)"])
      codes.push((await h.run(`print('before') ${call} print('after')`)).exitCode);
    expect(codes).toEqual([3, 4, 0, 0, 1]);
    expect(h.output()).toBe("before\n".repeat(5));
    await h.engine.dispose();
  });
});

test("a disposed engine ends what runs and takes nothing more", async () => {
  const h = harness();
  const running = h.run("while true do end");
  await h.engine.dispose();
  expect((await running).error?.code).toBe("interrupted");
  expect(h.run("return 1")).rejects.toThrow("disposed");
});
