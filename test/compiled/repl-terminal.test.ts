import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, Sandbox } from "../support/cli.ts";
import { Terminal } from "../support/terminal.ts";

const PROMPT = "llmspell> ";
const MORE = "      > ";
const UP = "\u001b[A";
const LEFT = "\u001b[D";
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";

const HISTORY = join(".cache", "llmspell_history");

/** Types each line at a prompt of its own. */
async function type(terminal: Terminal, ...lines: string[]): Promise<void> {
  for (const line of lines) await terminal.answer(PROMPT, `${line}\r`);
}

/** What was shown, without colours and cursor movements. */
function shown(terminal: Terminal): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins them
  return terminal.screen.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "").replaceAll("\r", "");
}

describe("llmspell repl on a terminal", () => {
  test("greets, shows values and keeps variables until Ctrl-D", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await type(terminal, "x = 6", "x * 7", 'print("a\\tb")');
    await terminal.answer(PROMPT, CTRL_D);
    expect(await terminal.exited()).toBe(0);
    const text = shown(terminal);
    expect(text).toStartWith(
      "LLMSpell REPL - lua engine\nType `.help` for commands, `.exit` to leave\n\nllmspell> ",
    );
    expect(text).toContain("llmspell> x * 7\n42\n");
    expect(text).toContain("\na\tb\n");
    expect(text).toMatch(/⏱️ [\d.]+ ms\n/u);
  });

  test("asks for further lines until an input is whole, and calls it back whole", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await type(terminal, "n = 0", "for i = 1, 3 do");
    await terminal.answer(MORE, "  n = n + i\r");
    await terminal.answer(MORE, "end\r");
    await type(terminal, UP, "n");
    await type(terminal, ".exit");
    expect(await terminal.exited()).toBe(0);
    expect(shown(terminal)).toContain("llmspell> n\n12\n");
  });

  test("edits within the line, wide characters too", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await type(terminal, `"é漢x"${LEFT}${LEFT}\u007f!\u0005 .. "z"`, ".exit");
    await terminal.exited();
    expect(shown(terminal)).toContain('\n"é!xz"\n');
  });

  test("Ctrl-C gives up an input, also one of several lines", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await terminal.answer(PROMPT, `error("never")${CTRL_C}`);
    await type(terminal, "function broken(");
    await terminal.answer(MORE, CTRL_C);
    await type(terminal, "1 + 1", ".exit");
    expect(await terminal.exited()).toBe(0);
    const text = shown(terminal);
    expect(text).toContain("llmspell> 1 + 1\n2\n");
    expect(text).not.toContain("Error");
  });

  test("Ctrl-C stops what runs and keeps the variables", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await type(
      terminal,
      "x = 41",
      'print("on" .. "ward") while true do pcall(function() while true do end end) end',
    );
    await terminal.answer("onward", CTRL_C);
    await terminal.answer(PROMPT, "x + 1\r");
    await type(terminal, ".exit");
    expect(await terminal.exited()).toBe(0);
    const text = shown(terminal);
    expect(text).toContain("Script interrupted");
    expect(text).toContain("llmspell> x + 1\n42\n");
  });

  test("a script reads what is typed; its own question stays in view", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await type(terminal, 'io.write("Na", "me? ") name = io.read()');
    await terminal.answer("Name? ", "Ada\r");
    await type(terminal, "#name", "a, b = io.read()");
    await terminal.answer("io.read()", CTRL_D);
    await type(terminal, "tostring(a)", ".exit");
    expect(await terminal.exited()).toBe(0);
    const text = shown(terminal);
    expect(text).toContain("Name? Ada\n");
    expect(text).toContain("llmspell> #name\n3\n");
    expect(text).toContain('llmspell> tostring(a)\n"nil"\n');
  });

  test("keeps what is typed ahead, and does not write over a line the script left open", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await terminal.answer(
      PROMPT,
      'local t = os.clock() while os.clock() - t < 0.3 do end io.stdout:write("ab", "cd")\r6 * 7\r8 *',
    );
    await terminal.answer("42", " 8\r");
    await type(terminal, ".exit");
    expect(await terminal.exited()).toBe(0);
    const text = shown(terminal);
    expect(text).toMatch(/abcd\n(?:.*\n)*llmspell> 6 \* 7\n42\n/u);
    expect(text).toContain("\n64\n");
  });

  test("the Tab key completes commands, paths, globals and fields of one's own", async () => {
    using box = new Sandbox();
    box.write("scripts/hello-there.lua", 'print("hello from a file", ...)');
    const terminal = new Terminal(box, ["repl"]);
    await type(terminal, "fruit = {apricot = 11}", ".r");
    await terminal.answer(PROMPT, ".pe\t");
    await terminal.answer("rf", " off\r");
    await terminal.answer(PROMPT, ".run scri\t");
    await terminal.answer("pts/", "hel\t");
    await terminal.answer("lo-there.lua", "\r");
    await terminal.answer(PROMPT, "Tool.exe\t");
    await terminal.answer("cute", `${CTRL_C}`);
    await terminal.answer(PROMPT, "fruit.apr\t");
    await terminal.answer("icot", " + 1\r");
    await type(terminal, ".exit");
    expect(await terminal.exited()).toBe(0);
    const text = shown(terminal);
    expect(text).toContain("Performance display is off");
    expect(text).toContain("hello from a file");
    expect(text).toContain("\n12\n");
  });

  test("remembers inputs for the next session, owner-only, and forgets them on demand", async () => {
    using box = new Sandbox();
    const first = new Terminal(box, ["repl"]);
    await type(first, "'kept'", ".exit");
    await first.exited();
    const path = join(box.home, HISTORY);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const second = new Terminal(box, ["repl"]);
    await type(second, `${UP}${UP}`, ".clear-history", ".history", ".exit");
    await second.exited();
    expect(shown(second)).toContain("llmspell> 'kept'\n\"kept\"\n");
    expect(readFileSync(path, "utf8")).toBe('".history"\n".exit"\n');
  });

  test("--history and LLMSPELL_REPL_HISTORY name another file", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl", "--history", "mine"]);
    await type(terminal, "1", ".exit");
    await terminal.exited();
    expect(readFileSync(join(box.cwd, "mine"), "utf8")).toBe('"1"\n".exit"\n');
    expect(existsSync(join(box.home, HISTORY))).toBe(false);
  });

  test("Ctrl-Z stops it, and it goes on where it was", async () => {
    using box = new Sandbox();
    const env = { PS1: "shell> ", TERM: "xterm" };
    const terminal = new Terminal(box, ["--norc", "-i"], { program: "/bin/bash", env });
    await terminal.answer("shell> ", `${EXECUTABLE} repl\r`);
    await type(terminal, "x = 41");
    await terminal.answer(PROMPT, "x +");
    await terminal.answer("x +", "\u001a");
    await terminal.answer("shell> ", "fg\r");
    await terminal.answer("x +", " 1\r");
    await type(terminal, ".exit");
    await terminal.answer("shell> ", "exit\r");
    expect(await terminal.exited()).toBe(0);
    expect(shown(terminal)).toContain("\n42\n");
  });

  test("SIGTERM ends it with 143 and a whole line", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["repl"]);
    await terminal.answer(PROMPT, "half an inp");
    await terminal.answer("inp", "");
    terminal.signal("SIGTERM");
    expect(await terminal.exited()).toBe(143);
    expect(shown(terminal)).toEndWith("half an inp\n");
  });

  test("failures in red do not change the exit code; NO_COLOR takes colours away", async () => {
    using box = new Sandbox();
    const colourful = new Terminal(box, ["repl"]);
    await type(colourful, 'error("boom")', ".exit");
    expect(await colourful.exited()).toBe(0);
    expect(colourful.screen).toContain("\u001b[31mError: Script execution failed: repl:1: boom");
    const plain = new Terminal(box, ["repl"], { env: { NO_COLOR: "1" } });
    await type(plain, 'error("boom")', ".exit");
    await plain.exited();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins colours
    expect(plain.screen).not.toMatch(/\u001b\[[0-9;]*m/);
  });
});
