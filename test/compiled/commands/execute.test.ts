import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

async function run(...args: string[]) {
  using box = new Sandbox();
  return await box.run(args);
}

describe("JSON mode prints one document", () => {
  test("with what the script printed before it failed", async () => {
    const done = await run("exec", 'print("a") print("b") error("no")', "--output", "json");
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({
      status: "error",
      error: "Script execution failed: exec:1: no",
      code: "script",
      data: { source: "exec", line: 1 },
      traceback: expect.stringContaining("exec:1: in main chunk"),
      console: ["a", "b"],
    });
  });

  test("with the code of os.exit", async () => {
    const done = await run("exec", 'print("a") os.exit(3)', "--output", "json");
    expect([done.code, JSON.parse(done.stdout)]).toMatchObject([3, { console: ["a"], exit_code: 3 }]);
  });

  test("with bytes as base64 and functions as words", async () => {
    const done = await run("exec", 'return {bytes = "\\255\\0", f = print}', "--output", "json");
    expect(JSON.parse(done.stdout).output).toEqual({ bytes: "/wA=", f: "<function>" });
  });

  test.each([
    ["no command", [], "Missing command"],
    ["no subcommand", ["tool"], "Missing command of `llmspell tool`"],
    ["an unknown command", ["rum"], "Unknown command: rum"],
    ["an unknown flag", ["run", "--bogus", "a.lua"], "Unknown option of `llmspell run`: --bogus"],
  ])("for %s", async (_, words, error) => {
    const done = await run("--output", "json", ...words);
    expect([done.code, JSON.parse(done.stdout)]).toMatchObject([
      2,
      { status: "error", error, code: "usage" },
    ]);
  });

  test("for a completion script", async () => {
    const plain = await run("completion", "bash");
    const done = await run("completion", "bash", "--output", "json");
    expect(JSON.parse(done.stdout)).toEqual({ shell: "bash", script: plain.stdout });
  });

  test("but not where --output json belongs to the script", async () => {
    const done = await run("run", "--bogus", "a.lua", "--", "--output", "json");
    expect([done.code, done.stdout]).toEqual([2, ""]);
  });
});

describe("what is asked for and is not there", () => {
  test("a flag is blamed before the value after it", async () => {
    expect((await run("--outputt", "json", "exec", "return 1")).stderr).toBe(
      'Error: Unknown option of `llmspell`: --outputt\n  Next: Did you mean "--output"?\n',
    );
  });

  test("an argument is explained by the command's usage", async () => {
    expect((await run("run")).stderr).toBe(
      "Error: Missing argument of `llmspell run`: SCRIPT\n  Next: Usage: llmspell run SCRIPT [OPTIONS] [-- ARGS…]\n",
    );
  });

  test("the word help is as good as --help", async () => {
    for (const [words, flags] of [
      [["help"], ["--help"]],
      [
        ["help", "tool"],
        ["tool", "--help"],
      ],
      [
        ["tool", "help", "list"],
        ["tool", "list", "-h"],
      ],
    ] as const) {
      const done = await run(...words);
      expect([done.code, done.stdout]).toEqual([0, (await run(...flags)).stdout]);
    }
  });
});

test("standard error gets a script's bytes as they are", async () => {
  const done = await run("exec", 'io.stderr:write("a") io.stderr:write("b", "\\n") print("out")');
  expect([done.stdout, done.stderr]).toEqual(["out\n", "ab\n"]);
});

test("--stream shows an agent's answer token by token, and nothing of it in JSON mode", async () => {
  const code = 'return Agent.builder():model("local/spell-mini"):build():execute("Hello").text';
  const streamed = await run("exec", "--stream", code);
  const [shown, returned] = streamed.stdout.trimEnd().split("\n");
  expect(shown).toBe(JSON.parse(returned!));
  const document = JSON.parse((await run("exec", "--stream", code, "--output", "json")).stdout);
  expect(document).toMatchObject({ streaming: true, output: shown, console: [] });
});
