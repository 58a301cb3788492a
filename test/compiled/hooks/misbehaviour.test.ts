/** Hooks of scripts that throw, hang, call what they are hooks of, and what the configuration says about all of them. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

async function run(script: string, config = "") {
  using box = new Sandbox();
  box.write("config.toml", config);
  return await box.lua(script, { args: ["-c", "config.toml"] });
}

const HOOK = (body: string, options = "") => `
  local n = 0
  local function call() return Tool.execute("calculator", {operation = "evaluate", input = "1+1"}).output end
  local hook
  hook = Hook.register("BeforeToolExecution", function(ctx) n = n + 1 ${body} end${options})`;

describe("a hook of a script", () => {
  test("that throws is logged and the call goes on; after three failures it is passed over", async () => {
    const { stdout, stderr, code } = await run(
      `${HOOK(`error("oops " .. n)`)} for i = 1, 6 do print(call()) end print(n, Hook.metrics()[1].breaker)`,
    );
    expect([stdout, code]).toEqual([`${"2\n".repeat(6)}3\topen\n`, 0]);
    expect(stderr.match(/oops \d/g)).toEqual(["oops 1", "oops 2", "oops 3"]);
  });

  test.each([
    [`{type = "modified", data = 5}`, `"data" must be a table with named fields`],
    [`{type = "redirect"}`, `"target" must be a name`],
    [`{type = "retry", max_attempts = "many"}`, `"max_attempts" must be a number of at least 0`],
    [`{type = "fork", operations = {{}}}`, `"operations[1].operation_type" must be a string`],
    [`{type = "cache"}`, `"key" must be a string`],
  ])("whose answer %s is incomplete has failed", async (answer, rule) => {
    const { stdout, stderr } = await run(`${HOOK(`return ${answer}`)} print(call())`);
    expect(stdout).toBe("2\n");
    expect(stderr).toContain(rule);
  });

  test("that never returns is stopped after hooks.timeout_ms, and the script goes on", async () => {
    const { stdout, code } = await run(
      `${HOOK("while true do end")} print(call()) hook:unregister() print(call(), n)`,
      "[hooks]\ntimeout_ms = 100\n",
    );
    expect([stdout, code]).toEqual(["2\n2\t1\n", 0]);
  });

  test("that waits in a call of its own is given up too", async () => {
    const { stdout, code } = await run(
      `Tool.register{name = "hang", timeout_ms = 60000, execute = function() while true do end end}
       ${HOOK(`if ctx.component_id.name == "calculator" then Tool.execute("hang", {}) end`)} print(call()) hook:unregister() print(call())`,
      "[hooks]\ntimeout_ms = 100\n",
    );
    expect([stdout, code]).toEqual(["2\n2\n", 0]);
  });

  test("that calls what it is a hook of does not fire for that", async () => {
    const { stdout, code } = await run(
      `${HOOK("return {type = 'replace', data = call() + 40}")} print(call(), n)`,
    );
    expect([stdout, code]).toEqual(["42\t1\n", 0]);
  });

  test("may register others, which run from the next call on, and remove itself", async () => {
    const { stdout } = await run(
      `${HOOK(
        `hook:unregister() Hook.register("BeforeToolExecution", function() n = n + 10 end)`,
      )} call() print(n) call() print(n, #Hook.list())`,
    );
    expect(stdout).toBe("1\n11\t1\n");
  });

  test("may call agents, tools and print in any place, and error values of every kind are a failure", async () => {
    const { stdout, code } = await run(
      `${HOOK(`print("in", Tool.execute("calculator", {input = "2*3"}).output) error({})`, `, {breaker = "off"}`)}
       local ok, value = pcall(function() return (("x"):gsub("x", function() return tostring(call()) end)) end)
       print(ok, value)
       print(coroutine.wrap(call)())`,
    );
    expect([stdout, code]).toEqual(["in\t6\ntrue\t2\nin\t6\n2\n", 0]);
  });

  test("is told of parallel calls one by one", async () => {
    const { stdout } = await run(`
      local seen = {}
      Hook.register("BeforeToolExecution", function(ctx) seen[#seen + 1] = ctx.data.params.input end)
      local calls = {}
      for i = 1, 40 do calls[i] = {name = "calculator", params = {input = tostring(i)}} end
      local results = Tool.batch(calls)
      table.sort(seen, function(a, b) return tonumber(a) < tonumber(b) end)
      print(#seen, seen[1], seen[40], results[40].output)`);
    expect(stdout).toBe("40\t1\t40\t40\n");
  });

  test("ends with an interrupt of the script like everything else", async () => {
    using box = new Sandbox();
    box.write(
      "script.lua",
      `Hook.register("BeforeToolExecution", function() print("here") io.stdout:flush() while true do end end)
       Tool.execute("calculator", {input = "1"})`,
    );
    const process = box.start(["run", "script.lua"]);
    const reader = process.stdout.getReader();
    await reader.read();
    process.kill("SIGINT");
    expect(await process.exited).toBe(130);
  });
});

describe("the configuration of hooks", () => {
  const CANCELS = `Hook.register("BeforeToolExecution", function() return "no" end) print((pcall(Tool.execute, "calculator", {input = "1"})))`;

  test("enabled = false switches all off; true and nothing leave those of scripts on", async () => {
    expect((await run(CANCELS, "[hooks]\nenabled = false\n")).stdout).toBe("true\n");
    expect((await run(CANCELS, "[hooks]\nenabled = true\n")).stdout).toBe("false\n");
    expect((await run(CANCELS)).stdout).toBe("false\n");
  });

  test("max_hooks bounds them", async () => {
    const { stdout } = await run(
      `for i = 1, 3 do print((pcall(Hook.register, "ToolError", print))) end`,
      "[hooks]\nmax_hooks = 2\n",
    );
    expect(stdout).toBe("true\ntrue\nfalse\n");
  });

  test("built-in hooks of the configuration run where enabled = true, without any script hook", async () => {
    const config = (enabled: boolean) =>
      `[hooks]\nenabled = ${enabled}\n[hooks.builtin.rate_limit]\ncapacity = 2\nrefill_per_second = 0\n[hooks.builtin.logging]\nlevel = "warn"\n`;
    const script = `for i = 1, 3 do print((pcall(Tool.execute, "calculator", {input = "1"}))) end`;
    const on = await run(script, config(true));
    expect(on.stdout).toBe("true\ntrue\nfalse\n");
    expect(on.stderr).toContain("AfterToolExecution");
    const off = await run(script, config(false));
    expect([off.stdout, off.stderr]).toEqual(["true\ntrue\ntrue\n", ""]);
  });

  test("a wrong built-in option is a configuration error", async () => {
    const { code, stderr } = await run("", "[hooks.builtin.retry]\nmax_attempts = 0\n");
    expect(code).not.toBe(0);
    expect(stderr).toContain("hooks.builtin.retry.max_attempts");
  });
});
