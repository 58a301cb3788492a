import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

async function run(...args: string[]) {
  using box = new Sandbox();
  return await box.run(args);
}

const json = async (...args: string[]) => JSON.parse((await run(...args, "--output", "json")).stdout);

describe("llmspell tool list", () => {
  test("prints the same names in each form", async () => {
    const text = await run("tool", "list");
    const names = text.stdout.trimEnd().split("\n");
    expect(names).toContain("calculator");
    expect(names).toEqual([...names].sort());
    expect(await json("tool", "list")).toEqual(names);
    expect(JSON.parse((await run("tool", "list", "--format", "json")).stdout)).toEqual(names);
    expect((await run("tool", "list", "--output", "pretty")).stdout).toBe(
      `Available Tools:\n${names.map((n) => `  • ${n}\n`).join("")}Total: ${names.length} tools\n`,
    );
  });

  test("takes a category", async () => {
    expect((await run("tool", "list", "--category", "filesystem")).stdout).toBe("file-operations\n");
    expect(await json("tool", "list", "--category", "none-such")).toEqual([]);
  });
});

describe("llmspell tool info", () => {
  test("shows the level and, when asked, the schema", async () => {
    const plain = await json("tool", "info", "file-operations");
    expect(Object.keys(plain)).toEqual([
      "name",
      "aliases",
      "description",
      "category",
      "security_level",
      "version",
    ]);
    expect(plain).toMatchObject({
      name: "file-operations",
      category: "filesystem",
      security_level: "privileged",
    });
    const { schema } = await json("tool", "info", "calculator", "--show-schema");
    expect(schema).toMatchObject({ type: "object", properties: { input: { type: "string" } } });
  });

  test("is one line in text mode and indented in the others", async () => {
    expect((await run("tool", "info", "calculator")).stdout).toMatch(/^\{"name":"calculator".*\}\n$/);
    expect((await run("tool", "info", "calculator", "--output", "pretty")).stdout).toStartWith(
      '{\n  "name": "calculator"',
    );
  });

  test("offers the nearest names, each tool once", async () => {
    const done = await run("tool", "info", "hash-calculater");
    expect(done.code).toBe(1);
    expect(done.stderr).toBe(
      "Error: Tool info error: Tool 'hash-calculater' not found\n  Next: Did you mean \"hash-calculator\"?\n",
    );
  });
});

describe("llmspell tool invoke", () => {
  const sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const params = '{"operation":"hash","algorithm":"sha256","input":"abc"}';

  test("prints the result, or the whole reply in JSON mode", async () => {
    expect(
      JSON.parse((await run("tool", "invoke", "hash-calculator", "--params", params)).stdout),
    ).toMatchObject({ hash: sha });
    const reply = await json("tool", "exec", "hash_calculator", "--params", params);
    expect(reply).toMatchObject({
      tool: "hash-calculator",
      result: { success: true, result: { hash: sha } },
      duration_ms: expect.any(Number),
      streaming: false,
    });
  });

  test("exits with 1 when the tool fails, with the reply in JSON mode", async () => {
    const words = ["tool", "invoke", "calculator", "--params", '{"input":"2 +"}'];
    const text = await run(...words);
    expect([text.code, text.stdout]).toEqual([1, ""]);
    expect(text.stderr).toStartWith("Error: Tool invocation error: ");
    const reply = await run(...words, "--output", "json");
    expect([reply.code, JSON.parse(reply.stdout).result.success]).toEqual([1, false]);
  });

  test("says which setting would allow what was refused", async () => {
    const words = [
      "tool",
      "invoke",
      "file-operations",
      "--params",
      '{"operation":"read","path":"/etc/passwd"}',
    ];
    const done = await run(...words, "--output", "json");
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({
      status: "error",
      code: "permission_denied",
      hint: expect.stringContaining("tools.file_operations.allowed_paths"),
      data: { tool: "file-operations", error_type: "execution_error" },
    });
  });

  test.each([
    ["no parameters", [], "--params is required"],
    ["parameters that are no JSON", ["--params", "{"], "Invalid JSON: "],
    ["parameters that are no object", ["--params", "[1]"], "Invalid JSON: "],
  ])("%s are a wrong command line", async (_, words, text) => {
    const done = await run("tool", "invoke", "calculator", ...words, "--output", "json");
    expect(done.code).toBe(2);
    expect(JSON.parse(done.stdout)).toMatchObject({ status: "error", error: expect.stringContaining(text) });
  });
});

describe("llmspell tool search", () => {
  test("looks in name, description and category", async () => {
    expect((await run("tool", "search", "base64")).stdout).toBe("base64-encoder\n");
    expect(await json("tool", "search", "filesystem")).toEqual(["file-operations"]);
    expect(await json("tool", "search", "base64", "--category", "data")).toEqual([]);
  });

  test("says when nothing is found", async () => {
    const done = await run("tool", "search", "xyzzy");
    expect([done.code, done.stdout]).toEqual([0, "No tools found for 'xyzzy'\n"]);
  });
});

describe("llmspell tool test", () => {
  test("passes for every tool", async () => {
    for (const name of await json("tool", "list")) {
      const done = await run("tool", "test", name);
      expect([done.code, done.stdout]).toEqual([0, `✓ Tool '${name}' test successful\n`]);
    }
  });

  test("shows its examples with --verbose", async () => {
    const { success, details } = await json("tool", "test", "calculator", "--verbose");
    expect(success).toBe(true);
    expect(details).toContainEqual(
      expect.objectContaining({ params: { input: "2 + 2 * 3" }, success: true, message: null }),
    );
  });

  test("exits with 1 when a tool may not run", async () => {
    using box = new Sandbox();
    box.write("off.toml", "[tools.file_operations]\nenabled = false\n");
    const done = await box.run(["-c", "off.toml", "tool", "test", "file-operations"]);
    expect(done.code).toBe(1);
    expect(done.stdout + done.stderr).toMatch(/file-operations/);
  });
});
