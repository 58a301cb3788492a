import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";

/** Runs the prompt with these lines in a pipe. */
function typed(box: Sandbox, lines: readonly string[], args: readonly string[] = []) {
  return box.run([...args, "repl"], { stdin: lines.map((line) => `${line}\n`).join("") });
}

describe("llmspell repl in a pipe", () => {
  test("prints results and nothing else on stdout", async () => {
    using box = new Sandbox();
    const done = await typed(box, [
      "x = 20",
      "x + 1",
      "for i = 1, 2 do",
      "  print(i)",
      "end",
      '{a = {1, "é"}}',
      "-- nothing",
    ]);
    expect(done.stdout).toBe('21\n1\n2\n{"a":[1,"é"]}\n');
    expect(done.stderr).toStartWith("LLMSpell REPL - lua engine\n");
    expect(done.code).toBe(0);
    expect(existsSync(join(box.home, ".cache", "llmspell_history"))).toBe(false);
  });

  test("goes on after a failure and ends with the exit code of the first", async () => {
    using box = new Sandbox();
    const done = await typed(box, ['error("boom")', "}", "6 * 7"]);
    expect(done.stdout).toBe("42\n");
    expect(done.stderr).toContain("Error: Script execution failed: repl:1: boom");
    expect(done.stderr).toContain("repl:1: unexpected symbol near '}'");
    expect(done.code).toBe(1);
    expect((await typed(box, [".nonsense", 'error("boom")'])).code).toBe(2);
  });

  test("an input that is not whole at the end is a syntax error", async () => {
    using box = new Sandbox();
    const done = await typed(box, ["print(1)", "for i = 1, 2 do"]);
    expect(done.stdout).toBe("1\n");
    expect(done.stderr).toContain("<eof>");
    expect(done.code).toBe(1);
  });

  test("os.exit and .exit leave at once", async () => {
    using box = new Sandbox();
    const left = await typed(box, ["os.exit(7)", "print('never')"]);
    expect([left.code, left.stdout]).toEqual([7, ""]);
    const exited = await typed(box, [".exit", "print('never')"]);
    expect([exited.code, exited.stdout]).toEqual([0, ""]);
  });

  test("a script takes the lines after its own as standard input", async () => {
    using box = new Sandbox();
    const done = await typed(box, ["a, b = io.read(), io.read()", "one", "two", "a .. b"]);
    expect(done.stdout).toBe('"onetwo"\n');
  });

  test("in JSON mode stdout carries one document", async () => {
    using box = new Sandbox();
    const done = await typed(box, ["print(1)", "2 + 3"], ["--output", "json"]);
    expect(JSON.parse(done.stdout)).toEqual({ status: "repl_disconnected", mode: "embedded", engine: "lua" });
    expect(done.stderr).toContain("1\n5\n");
  });

  test("inputs with line ends of Windows and a last line without end are read", async () => {
    using box = new Sandbox();
    const done = await box.run(["repl"], { stdin: "x = 1\r\nx + 1\r\nx + 2" });
    expect(done.stdout).toBe("2\n3\n");
  });

  test("ends quietly when nobody reads its output", async () => {
    using box = new Sandbox();
    const lines = Array.from({ length: 2000 }, () => "('x'):rep(1000)").join("\n");
    box.write("in", lines);
    const done = Bun.spawn(
      [
        "sh",
        "-c",
        'HOME="$2" "$1" repl < in 2> err | head -1; true',
        "sh",
        join(process.cwd(), "dist/llmspell"),
        box.home,
      ],
      {
        cwd: box.cwd,
        stdout: "pipe",
      },
    );
    expect(await new Response(done.stdout).text()).toBe(`"${"x".repeat(1000)}"\n`);
    await done.exited;
    expect(readFileSync(join(box.cwd, "err"), "utf8")).not.toContain("Error");
  });
});

describe("dot-commands", () => {
  test("show, set and remove variables", async () => {
    using box = new Sandbox();
    const done = await typed(box, [
      ".variables",
      "function greet() end",
      ".set limit 3",
      '.set words {"a": [1, "b"]}',
      '.set text it is "quoted" \\ é',
      "type(limit) .. #words.a .. text",
      ".unset limit",
      "limit == nil",
      ".vars",
    ]);
    expect(done.stdout.replace(/0x[0-9a-f]+/g, "AT")).toBe(
      [
        "No variables",
        '"number2it is \\"quoted\\" \\\\ é"',
        "true",
        "greet (function) = function: AT",
        'text (string) = it is "quoted" \\ é',
        "words (table) = table: AT",
        "",
      ].join("\n"),
    );
    expect(done.code).toBe(0);
  });

  test(".save and .load carry a session over", async () => {
    using box = new Sandbox();
    const saved = await typed(box, [
      "big = 9007199254740993",
      'list = {1, {deep = "é\\n"}}',
      "function lost() end",
      ".save work.json",
    ]);
    expect(saved.stdout).toBe(
      "Session saved to work.json: 2 variables, 4 inputs\nLeft out, JSON cannot say them: lost\n",
    );
    const path = join(box.cwd, "work.json");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    expect(text).toContain("9007199254740993");
    expect(JSON.parse(text)).toMatchObject({
      working_dir: box.cwd,
      variables: { list: [1, { deep: "é\n" }] },
      history: [
        "big = 9007199254740993",
        'list = {1, {deep = "é\\n"}}',
        "function lost() end",
        ".save work.json",
      ],
      breakpoints: [],
      debug_context: null,
    });
    const loaded = await typed(box, [".load work.json", "big", "list[2].deep", ".history"]);
    expect(loaded.stdout).toContain('9007199254740993\n"é\\n"\n');
    expect(loaded.stdout).toContain("    3  function lost() end\n");
  });

  test(".load refuses what is no session", async () => {
    using box = new Sandbox();
    box.write("a.json", '{"history": 5}');
    box.write("b.json", "{");
    const done = await typed(box, [".load a.json", ".load b.json", ".load c.json", "1"]);
    expect(done.stderr).toContain("Cannot load the session from 'a.json': it is none");
    expect(done.stderr).toContain("JSON parse error");
    expect(done.stderr).toContain("Cannot load the session from 'c.json': no such file or directory");
    expect(done.stdout).toBe("1\n");
    expect(done.code).toBe(1);
  });

  test(".run takes arguments, adds .lua, and finds files where .cd leads", async () => {
    using box = new Sandbox();
    box.write(
      "sub/job.lua",
      'local m = require("mod") seen = m .. ":" .. ARGS[1] .. ":" .. ARGS.name print(...)',
    );
    box.write("sub/mod.lua", 'return "module"');
    const done = await typed(box, [".cd sub", ".ls", '.run job "two words" --name=Ada', "seen", ".pwd"]);
    expect(done.stdout).toBe(
      `${join(box.cwd, "sub")}\njob.lua\nmod.lua\n\n"module:two words:Ada"\n${join(box.cwd, "sub")}\n`,
    );
  });

  test(".reset gives a fresh interpreter", async () => {
    using box = new Sandbox();
    const done = await typed(box, ["x = 1", "string.upper = nil", ".reset", "tostring(x)", '("a"):upper()']);
    expect(done.stdout).toEndWith('"nil"\n"A"\n');
  });

  test(".perf on shows times in a pipe too, on stderr", async () => {
    using box = new Sandbox();
    const done = await typed(box, [".perf on", "s = ('x'):rep(5e6)", ".perf off", "1"]);
    expect(done.stdout).toBe("Performance display is on\nPerformance display is off\n1\n");
    expect(done.stderr.match(/⏱️ [\d.]+ ms/gu)).toHaveLength(1);
  });

  test("an unknown one names its neighbour, and debugging says what is missing", async () => {
    using box = new Sandbox();
    const done = await typed(box, [
      ".exti",
      "db:break 3",
      ":continue",
      "debug:locals",
      "db = {list = function(_, x) return x end}",
      "db:list(5)",
      ".5 + 1",
    ]);
    expect(done.stderr).toContain('Unknown command: .exti\n  Next: Did you mean "exit"?');
    expect(done.stderr.match(/Debug commands are not available yet/g)).toHaveLength(3);
    expect(done.stdout).toBe("5\n1.5\n");
    expect(done.code).toBe(2);
  });

  test(".help names each, .info tells of the session", async () => {
    using box = new Sandbox();
    const done = await typed(box, [".help", ".info"]);
    for (const name of "help exit clear save load history clear-history variables set unset cd pwd ls info reset run perf".split(
      " ",
    ))
      expect(done.stdout).toContain(`\n.${name} `.trimStart());
    expect(done.stdout).toMatch(/^Mode: +embedded$/m);
  });

  test("a history that cannot be kept does not stop the work", async () => {
    using box = new Sandbox();
    writeFileSync(join(box.cwd, "file"), "");
    const done = await box.run(["repl", "--history", "file/history"], { stdin: ".clear-history\n1 + 1\n" });
    expect(done.stderr).toContain("Warning: the history is not kept");
    expect(done.stdout).toBe("2\n");
    expect(done.code).toBe(0);
  });
});
