import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { KernelSandbox } from "../../support/kernel.ts";
import { Terminal } from "../../support/terminal.ts";

const PROMPT = "llmspell> ";
const CTRL_C = "\u0003";

const SITTING = [
  "x = {1, 2}",
  "for i, v in ipairs(x) do",
  "  print(i + v)",
  "end",
  "x[2] * 21",
  ".set name Ada",
  "a, b = io.read(), io.read()",
  "first",
  "second",
  "name .. a .. b",
  ".vars",
  'error("boom")',
  ".reset",
  "tostring(x)",
  "os.exit(3)",
]
  .map((line) => `${line}\n`)
  .join("");

/** Addresses differ from one interpreter to the next. */
const withoutAddresses = (text: string) => text.replace(/0x[0-9a-f]+/g, "AT");

describe("a prompt that is connected to a kernel", () => {
  test("shows what one with a kernel of its own shows", async () => {
    using box = new KernelSandbox();
    const { id } = await box.daemon();
    const embedded = await box.run(["repl"], { stdin: SITTING });
    const connected = await box.run(["repl", "--kernel", id], { stdin: SITTING });
    expect(withoutAddresses(connected.stdout)).toBe(withoutAddresses(embedded.stdout));
    expect(connected.stderr).toBe(embedded.stderr);
    expect([connected.code, embedded.code]).toEqual([3, 3]);
    expect(connected.stdout).toContain('"Adafirstsecond"\n');
  });

  test("takes every dot-command as one with a kernel of its own does", async () => {
    using box = new KernelSandbox();
    const { id } = await box.daemon();
    box.write("sub/job.lua", "seen = require('beside') .. ARGS[1] .. ARGS.name print(seen)");
    box.write("sub/beside.lua", "return 'module:'");
    const stdin = [
      ".cd sub",
      ".pwd",
      ".ls",
      '.run job "two words" --name=Ada',
      "big = 9007199254740993",
      '.set words {"a": [1, "b"]}',
      ".unset seen",
      ".variables",
      ".save work.json",
      ".reset",
      ".variables",
      ".load work.json",
      "big == 9007199254740993 and #words.a",
      ".perf on",
      ".perf off",
      ".history",
      ".clear-history",
      ".exti",
      "Debug.display({['text/markdown'] = '*shown*'})",
      ".exit",
      "never",
    ]
      .map((line) => `${line}\n`)
      .join("");
    const embedded = await box.run(["repl"], { stdin });
    rmSync(join(box.cwd, "sub/work.json"));
    const connected = await box.run(["repl", "--kernel", id], { stdin });
    expect(withoutAddresses(connected.stdout)).toBe(withoutAddresses(embedded.stdout));
    expect([connected.stderr, connected.code]).toEqual([embedded.stderr, embedded.code]);
    for (const text of ["module:two wordsAda\n", "words (table)", "Session saved to", "\n2\n", "*shown*\n"])
      expect(connected.stdout).toContain(text);
    const info = await box.run(["repl", "--kernel", id], { stdin: ".info\n" });
    expect(info.stdout).toMatch(/^Mode: +connected$/m);
  });

  test("shares its variables with the next, through `kernel connect` too", async () => {
    using box = new KernelSandbox();
    const { id } = await box.daemon();
    await box.run(["repl", "--kernel", id], { stdin: "kept = 41\n" });
    const done = await box.run(["kernel", "connect"], { stdin: "kept + 1\n" });
    expect([done.code, done.stdout]).toEqual([0, "42\n"]);
    const document = await box.run(["--output", "json", "repl", "--kernel", id], { stdin: "" });
    expect(JSON.parse(document.stdout)).toEqual({
      status: "repl_disconnected",
      mode: "connected",
      engine: "lua",
    });
  });

  test("Ctrl-C stops what runs in the kernel, which goes on; Tab asks it", async () => {
    using box = new KernelSandbox();
    const { id } = await box.daemon();
    const terminal = new Terminal(box, ["repl", "--kernel", id]);
    await terminal.answer(PROMPT, 'answer_of_all = 41 print("on" .. "ward") while true do end\r');
    await terminal.answer("onward", CTRL_C);
    await terminal.answer("interrupted", "answer_o");
    await terminal.answer("answer_o", "\t");
    await terminal.answer("f_all", " + 1\r");
    await terminal.answer("42", ".exit\r");
    expect(await terminal.exited()).toBe(0);
  });

  test("ends with a message when the kernel is killed", async () => {
    using box = new KernelSandbox();
    const { id, pid } = await box.daemon();
    const prompt = box.start(["repl", "--kernel", id], { stdin: "open" });
    const stdin = prompt.stdin as import("bun").FileSink;
    stdin.write("print('there')\n");
    stdin.flush();
    await prompt.stdout.getReader().read();
    process.kill(pid, "SIGKILL");
    stdin.write("1 + 1\n");
    stdin.flush();
    expect(await prompt.exited).toBe(1);
    expect(await new Response(prompt.stderr).text()).toMatch(/Error: .*kernel/i);
  });
});
