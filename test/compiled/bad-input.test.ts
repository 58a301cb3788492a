import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, Sandbox } from "../support/cli.ts";
import { generateAbortingModel } from "../support/gguf-models.ts";

describe("a script that goes wrong", () => {
  /** Name, source, what stderr says. */
  const cases: [string, string | Uint8Array, (string | RegExp)[]][] = [
    ["a syntax error", "print('a')\nlocal = 1\n", ["Script execution failed", "script.lua:2:"]],
    [
      "an uncaught error",
      "local function f()\n  error('boom')\nend\nf()\n",
      ["Script execution failed", "script.lua:2: boom", "script.lua:4:"],
    ],
    ["an error object that is a table", "error({code = 42})", ["Script execution failed", "table"]],
    [
      "an error object that describes itself",
      "error(setmetatable({}, {__tostring = function() return 'described' end}))",
      ["described"],
    ],
    ["a nil error", "error(nil)", ["Script execution failed", "nil"]],
    ["a call of nil", "local x\nx()", ["script.lua:2:", "nil"]],
    [
      "deep recursion",
      "local function f() return 1 + f() end\nf()",
      ["Script execution failed", /stack overflow|not enough memory/],
    ],
    ["a 10 GB string", "local s = ('x'):rep(1e10)\nprint(#s)", [/too large|not enough memory/]],
    ["a string that grows for ever", "local s = 'x'\nwhile true do s = s .. s end", ["memory"]],
    ["a table that grows for ever", "local t = {}\nwhile true do t[#t + 1] = {} end", ["memory"]],
    ["bytes that are not UTF-8 where text is needed", "Tool.execute('\\255', {})", ["UTF-8"]],
    [
      "a source that is not UTF-8",
      new Uint8Array([0x72, 0x65, 0x74, 0x75, 0x72, 0x6e, 0x20, 0x27, 0xff]),
      ["script.lua:1:"],
    ],
    ["bytecode", "\u001bLua", ["binary chunk"]],
    [
      "an unknown tool",
      "Tool.execute('calculater', {})",
      ["Tool 'calculater' not found", '"calculator"', "script.lua:1:"],
    ],
    [
      "a missing parameter",
      "Tool.execute('hash-calculator', {input = 'x'})",
      ["Missing required parameter 'operation'"],
    ],
    ["an unknown model", "Agent.builder():model('local/spell-mimi'):build()", ["spell-mimi", '"spell-mini"']],
    [
      "an unknown backend",
      "Agent.builder():model('local/spell-mini@lamacpp'):build()",
      ["lamacpp", '"llamacpp"'],
    ],
    ["an unknown provider", "Agent.builder():model('lokal/spell-mini'):build()", ["lokal", '"local"']],
    ["an agent without a model", "Agent.builder():name('x'):build()", ["Model is required"]],
    [
      "an unknown tool for an agent",
      "Agent.builder():model('local/spell-mini'):allow_tool('calculater'):build()",
      ["calculater", '"calculator"'],
    ],
    ["a module that is not there", "require('nowhere')", ["nowhere"]],
    ["a module outside", "require('../../etc/passwd')", ["script.lua:1:"]],
  ];
  for (const [name, source, texts] of cases) {
    test(`${name} ends with a clear message and exit code 1`, async () => {
      using box = new Sandbox();
      const done = await box.lua(source);
      expect(done.code).toBe(1);
      for (const text of texts) expect(done.stderr).toMatch(text);
      expect(done.stderr).not.toContain("worker.js");
      expect(readdirSync(box.tmp)).toEqual([]);
    });
  }

  test("an endless loop ends at the time limit, which the message names", async () => {
    using box = new Sandbox();
    const done = await box.lua("while true do end", { env: { LLMSPELL_SCRIPT_TIMEOUT_SECONDS: "1" } });
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("timeout");
    expect(done.stderr).toContain("script_timeout_seconds");
  });

  test("waiting for standard input does not count against the time limit", async () => {
    using box = new Sandbox();
    box.write("ask.lua", "print('name?') print('hello ' .. io.read())");
    const proc = Bun.spawn([EXECUTABLE, "run", "ask.lua"], {
      cwd: box.cwd,
      env: { ...box.env, LLMSPELL_SCRIPT_TIMEOUT_SECONDS: "1" },
      stdin: "pipe",
      stdout: "pipe",
    });
    const reader = proc.stdout.getReader();
    await reader.read();
    await Bun.sleep(1500);
    proc.stdin.write("Ada\n");
    proc.stdin.end();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("hello Ada\n");
    expect(await proc.exited).toBe(0);
  });

  test("a loop that catches every error cannot outlive the time limit", async () => {
    using box = new Sandbox();
    const done = await box.lua("while true do pcall(function() while true do end end) end", {
      env: { LLMSPELL_SCRIPT_TIMEOUT_SECONDS: "1" },
    });
    expect([done.code, done.stderr.includes("timeout")]).toEqual([1, true]);
  });
});

describe("configuration that goes wrong", () => {
  const cases: [string, string[], Record<string, string>, string[]][] = [
    [
      "an unknown profile",
      ["-p", "minimul", "exec", "return 1"],
      {},
      ["Unknown builtin profile 'minimul'", '"minimal"'],
    ],
    ["a missing file", ["-c", "none.toml", "exec", "return 1"], {}, ["none.toml", "not found"]],
    ["a syntax error", ["-c", "broken.toml", "exec", "return 1"], {}, ["broken.toml"]],
    ["a wrong value", ["-c", "wrong.toml", "exec", "return 1"], {}, ["runtime.script_timeout_seconds"]],
    [
      "a wrong environment value",
      ["exec", "return 1"],
      { LLMSPELL_ALLOW_FILE_ACCESS: "maybe" },
      ["LLMSPELL_ALLOW_FILE_ACCESS"],
    ],
  ];
  for (const [name, args, env, texts] of cases) {
    test(`${name} is named`, async () => {
      using box = new Sandbox();
      box.write("broken.toml", "[runtime\n");
      box.write("wrong.toml", "[runtime]\nscript_timeout_seconds = 0\n");
      const done = await box.run(args, { env });
      expect(done.code).toBe(1);
      for (const text of texts) expect(done.stderr).toContain(text);
    });
  }

  test("an unknown key is a warning with the nearest name, and the script runs", async () => {
    using box = new Sandbox();
    box.write("odd.toml", "[runtime]\nscript_timeout_second = 10\n");
    const done = await box.run(["-c", "odd.toml", "exec", "return 1"]);
    expect([done.code, done.stdout]).toEqual([0, "1\n"]);
    expect(done.stderr).toContain("script_timeout_second");
    expect(done.stderr).toContain("script_timeout_seconds");
  });
});

describe("a model file that goes wrong", () => {
  const gguf = () => Bun.file("models/spell-mini/spell-mini.gguf").bytes();
  const cases: [string, (whole: Uint8Array) => Uint8Array][] = [
    ["empty", () => new Uint8Array()],
    ["cut in its header", (w) => w.slice(0, 1000)],
    ["cut in its tensors", (w) => w.slice(0, w.length - 1000)],
    ["of another kind", () => new TextEncoder().encode("<html>not a model</html>".repeat(100))],
    [
      "with absurd counts",
      (w) => new Uint8Array([...w.slice(0, 8), 255, 255, 255, 255, 255, 255, 255, 127, ...w.slice(16, 5000)]),
    ],
  ];
  for (const [name, spoil] of cases) {
    test(`${name} is refused at import and nothing is kept`, async () => {
      using box = new Sandbox();
      box.write("bad.gguf", spoil(await gguf()));
      const done = await box.run(["model", "import", "bad.gguf", "--name", "bad"]);
      expect(done.code).toBe(1);
      expect(done.stderr).toContain("bad.gguf");
      const listed = await box.run(["model", "list"]);
      expect(listed.stdout).not.toContain("bad");
    });
  }

  test("one on which llama.cpp ends the process is refused at import; ours lives and keeps nothing", async () => {
    using box = new Sandbox();
    generateAbortingModel(box.cwd, "hostile");
    const done = await box.run(["model", "import", "hostile.gguf", "--name", "bad"]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(
      /llama\.cpp ends the process on it \(SIGABRT\): GGML_ASSERT\(.*hostile\.gguf\n/,
    );
    expect(readdirSync(box.cwd)).toEqual(["hostile.gguf"]);
    expect(readdirSync(join(box.home, ".llmspell/models/llamacpp"))).toEqual([".locks"]);
  });

  test("a missing one is named", async () => {
    using box = new Sandbox();
    const done = await box.run(["model", "import", "nowhere.gguf"]);
    expect([done.code, done.stderr.includes("nowhere.gguf")]).toEqual([1, true]);
  });
});
