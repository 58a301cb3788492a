/** spec/lua-api.md sections 20.3 and 20.4. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

describe("What a script prints", () => {
  /** Lua code and the exact bytes of standard output. */
  const cases: [name: string, lua: string, output: string | Uint8Array][] = [
    ["values between tabs", `print(1, "a", nil, true)`, "1\ta\tnil\ttrue\n"],
    ["floats of integral value without .0", "print(3.0, -2.0, 3.5, 1e100)", "3\t-2\t3.5\t1e+100\n"],
    [
      "type words without addresses",
      "print({}, print, coroutine.create(print))",
      "table\tfunction\tthread\n",
    ],
    ["what __tostring says", `print(setmetatable({}, {__tostring = function() return "me" end}))`, "me\n"],
    ["an empty line for nothing", "print()", "\n"],
    [
      "written text and numbers, chained",
      `io.write("a", 1, 2.5):write("b\\n") io.stdout:write("c\\n") io.flush() io.stdout:flush()`,
      "a12.5b\nc\n",
    ],
    ["bytes as they are", `print("\\0\\255") io.write("\\254")`, new Uint8Array([0, 255, 10, 254])],
    ["everything before os.exit", `io.write("kept") os.exit(0)`, "kept"],
    ["nothing for what it returns", "return {1}", ""],
    [
      "the text of what it displays, in order",
      `io.write("1\\n") Debug.display({a = {1}}) print("2") Debug.display({["image/png"] = "\\255", ["text/markdown"] = "*3*"})
       Debug.display({["image/png"] = "\\255"}) print((pcall(Debug.display, print)))`,
      '1\n{"a":[1]}\n2\n*3*\n<image/png>\nfalse\n',
    ],
    [
      "its lines in order with Debug's",
      `print("1") Debug.clearCaptured() io.write("2\\n") print("3")`,
      "1\n2\n3\n",
    ],
  ];
  for (const [name, lua, output] of cases) {
    test(name, async () => {
      using box = new Sandbox();
      const done = await box.lua(lua);
      expect([done.code, done.stderr]).toEqual([0, ""]);
      if (typeof output === "string") expect(done.stdout).toBe(output);
      else expect([...done.stdoutBytes]).toEqual([...output]);
    });
  }

  test("cannot be a table through io.write", async () => {
    using box = new Sandbox();
    const done = await box.lua("print(pcall(io.write, {}), pcall(io.write, true))");
    expect(done.stdout).toMatch(/^false\tfalse\t.*io\.write.*string expected/);
  });
});

describe("How a script ends", () => {
  const cases: [lua: string, code: number][] = [
    ["return 5", 0],
    ["os.exit()", 0],
    ["os.exit(true)", 0],
    ["os.exit(false)", 1],
    ["os.exit(7)", 7],
    ["os.exit(3, true)", 3],
    ["pcall(os.exit, 4) os.exit(5)", 4],
    ["coroutine.wrap(function() os.exit(6) end)()", 6],
    ["Tool.register('leave', function() os.exit(8) end) Tool.execute('leave')", 8],
    ["error('e')", 1],
    ["local x = = 1", 1],
  ];
  for (const [lua, code] of cases) {
    test(`${lua}: ${code}`, async () => {
      using box = new Sandbox();
      const done = await box.lua(lua);
      expect(done.code).toBe(code);
      if (!lua.startsWith("os.exit") && code === 1)
        expect(done.stderr).toContain("Script execution failed: script.lua:1:");
    });
  }

  test("a first line of #! is skipped and lines keep their numbers", async () => {
    using box = new Sandbox();
    const done = await box.lua(
      "#!/usr/bin/env llmspell\nprint(pcall(error, 'e', 1))\nprint(select(2, pcall(function()\nerror('here') end)))",
    );
    expect(done.stdout).toEndWith("script.lua:4: here\n");
  });

  test("an error raised by a global shows the script's line", async () => {
    using box = new Sandbox();
    const done = await box.lua("local function f()\n  Tool.execute('nope')\nend\nf()");
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("Script execution failed: Tool 'nope' not found");
    expect(done.stderr).toContain("script.lua:2:");
  });

  /** The value a script returns, and the `output` of the JSON document. */
  const results: [lua: string, output: unknown][] = [
    ["return nil", null],
    ["return 3.0, 4", 3],
    ["return 0/0", null],
    ["return {}", {}],
    ["return {1, {2}, {a = true}}", [1, [2], { a: true }]],
    ["return {1, 2, x = 3}", { x: 3 }],
    ["return {f = print, t = coroutine.create(print)}", { f: "<function>", t: "<thread>" }],
    ["return print", "<function>"],
    ['return "\\255"', "/w=="],
  ];
  for (const [lua, output] of results) {
    test(`${lua} is the result in JSON`, async () => {
      using box = new Sandbox();
      box.write("script.lua", `print("line")\n${lua}`);
      const done = await box.run(["--output", "json", "run", "script.lua"]);
      const document = JSON.parse(done.stdout);
      expect([document.status, document.console, document.output]).toEqual(["success", ["line"], output]);
      expect(document.result).toBe(output === null ? "line" : `line\n${JSON.stringify(output)}`);
    });
  }

  test("integers beyond 2^53 are exact in the document, also in an error object", async () => {
    using box = new Sandbox();
    const ok = await box.run([
      "--output",
      "json",
      "exec",
      "return {b = math.maxinteger, a = math.mininteger}",
    ]);
    expect(ok.stdout).toContain('"output":{"a":-9223372036854775808,"b":9223372036854775807}');
    const failed = await box.run(["--output", "json", "exec", "error({code = math.maxinteger})"]);
    expect([failed.code, failed.stdout.includes('"value":{"code":9223372036854775807}')]).toEqual([1, true]);
  });

  test("input is read by lines, numbers and whole", async () => {
    using box = new Sandbox();
    const lua =
      'print(io.read("l")) print(io.read("n")) print(io.read("L")) io.write(io.read("a")) print(io.read("l"), io.read("a"))';
    const done = await box.lua(lua, { stdin: "first\n42 rest\nlast 1\nlast 2\n" });
    expect(done.stdout).toBe("first\n42\n rest\n\nlast 1\nlast 2\nnil\t\n");
  });
});
