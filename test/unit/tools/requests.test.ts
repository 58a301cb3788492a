/** Expected fields: spec/kernel.md section 3.1; output: spec/cli.md section 15.2. */
import { afterAll, describe, expect, test } from "bun:test";
import type { CommandDecl, CommandIo, OptionValues, OutputMode } from "../../../src/cli/command.ts";
import { command } from "../../../src/cli/commands/tool.ts";
import { errorToJson } from "../../../src/core/errors.ts";
import type { KernelClient, KernelReply, ToolRequest } from "../../../src/kernel/api.ts";
import { answerToolRequest } from "../../../src/kernel/requests/tool.ts";
import { onlyServices } from "../../support/services.ts";
import { type Bench, bench, failure, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

const services = ({ tools, config }: Bench) => onlyServices(config, { tools: async () => tools });

const ask = (request: Omit<ToolRequest, "type">, world = bench()) =>
  answerToolRequest({ type: "tool", ...request } as ToolRequest, services(world), {});

describe("tool_request", () => {
  test("list gives names, all or of one category", async () => {
    const all = await ask({ command: "list" } as never);
    expect(all).toMatchObject({ status: "ok", category: null });
    const { tools, count } = all as unknown as { tools: string[]; count: number };
    expect(tools).toContain("hash-calculator");
    expect(count).toBe(tools.length);
    expect(await ask({ command: "list", category: "FileSystem" } as never)).toMatchObject({
      tools: ["file-operations"],
      count: 1,
    });
    expect(await ask({ command: "list", category: "custom" } as never)).toMatchObject({
      tools: [],
      count: 0,
    });
  });

  test("info tells the real level, and the schema on demand", async () => {
    const info = await ask({ command: "info", name: "file_operations", showSchema: false } as never);
    expect(info).toMatchObject({
      name: "file-operations",
      category: "filesystem",
      security_level: "privileged",
    });
    expect(info).not.toHaveProperty("schema");
    const shown = await ask({ command: "info", name: "file-operations", showSchema: true } as never);
    expect(shown).toMatchObject({ schema: { type: "object", required: ["operation"] } });
    const error = await failure(ask({ command: "info", name: "file-operation", showSchema: false } as never));
    expect(error).toMatchObject({ code: "not_found", message: "Tool 'file-operation' not found" });
    expect(error.hint).toContain("file-operations");
  });

  test("invoke replies with the tool, its result and the time it took", async () => {
    const params = { operation: "encode", input: "foo" };
    const reply = await ask({ command: "invoke", name: "base64_encoder", params } as never);
    expect(reply).toMatchObject({
      tool: "base64-encoder",
      streaming: false,
      result: { success: true, output: "Zm9v", result: { encoded: "Zm9v" }, media: [], tool_calls: [] },
    });
  });

  test.each([
    ["hash-calculator", {}, "validation_error"],
    ["no-such-tool", {}, "not_found"],
    ["file-operations", { operation: "read", path: "/etc/passwd" }, "execution_error"],
  ])("a failed invoke of %s with %j has the error type %s", async (name, params, errorType) => {
    const error = await failure(ask({ command: "invoke", name, params } as never));
    expect(error.data).toMatchObject({ tool: name, error_type: errorType, duration_ms: expect.any(Number) });
  });

  test("search looks at name, description and category; names come first", async () => {
    const matches = async (query: string, category?: string) =>
      (
        (await ask({
          command: "search",
          query,
          ...(category === undefined ? {} : { category }),
        } as never)) as unknown as { matches: string[] }
      ).matches;
    expect((await matches("FILE"))[0]).toBe("file-operations");
    expect(await matches("sha512 verify")).toEqual(["hash-calculator"]);
    expect(await matches("files", "filesystem")).toEqual(["file-operations"]);
    expect(await matches("xylophone")).toEqual([]);
  });

  test("test runs the examples and tells which failed", async () => {
    expect(await ask({ command: "test", name: "hash-calculator", verbose: true } as never)).toMatchObject({
      success: true,
      tool: "hash-calculator",
      details: [{ success: true }, { success: true }],
    });
    const denied = bench();
    const failed = await ask({ command: "test", name: "file-operations", verbose: false } as never, denied);
    expect(failed).toMatchObject({
      success: false,
      message: expect.stringContaining("Path not in allowed list"),
    });
  });
});

async function cli(words: string[], options: OptionValues = {}, mode: OutputMode = "text", world = bench()) {
  let out = "";
  let err = "";
  const kernel = {
    request: (request: ToolRequest): Promise<KernelReply> =>
      answerToolRequest(request, services(world), {}).catch((error) => ({
        status: "error",
        error: errorToJson(error),
      })),
    shutdown: async () => {},
  };
  const io = {
    mode,
    signal: new AbortController().signal,
    out: (text: string) => {
      out += `${text}\n`;
    },
    write: (data: string | Uint8Array) => {
      out += typeof data === "string" ? data : Buffer.from(data).toString("latin1");
    },
    err: (text: string) => {
      err += `${text}\n`;
    },
    json: (value: unknown, indent?: boolean) => {
      out += `${JSON.stringify(value, null, indent ? 2 : undefined)}\n`;
    },
    kernel: async () => kernel as unknown as KernelClient,
  } as unknown as CommandIo;
  const [verb, ...rest] = words;
  const sub = command.subcommands?.find((c: CommandDecl) => c.name === verb || c.aliases?.includes(verb!));
  const arg = sub?.args?.[0];
  const args = arg === undefined ? {} : { [arg.name]: arg.rest ? rest : rest[0] };
  const code = await sub!.run!(io, args, options);
  return { code, out, err };
}

describe("llmspell tool", () => {
  test("list prints names as text, with heading and total, or as a JSON array", async () => {
    const text = await cli(["list"], { category: "system" });
    expect(text).toEqual({ code: 0, out: "environment-reader\n", err: "" });
    const pretty = await cli(["list"], { category: "system", format: "pretty" });
    expect(pretty.out).toBe("Available Tools:\n  • environment-reader\nTotal: 1 tools\n");
    expect(JSON.parse((await cli(["list"], { category: "system" }, "json")).out)).toEqual([
      "environment-reader",
    ]);
  });

  test("info is one line of JSON, indented on demand", async () => {
    const line = (await cli(["info", "hash_calculator"])).out;
    expect(line.trimEnd()).not.toContain("\n");
    expect(JSON.parse(line)).toMatchObject({ name: "hash-calculator", security_level: "restricted" });
    expect((await cli(["info", "hash_calculator"], {}, "json")).out).toContain(
      '\n  "name": "hash-calculator"',
    );
    expect((await failure(cli(["info", "hash"]))).message).toBe("Tool info error: Tool 'hash' not found");
  });

  test("invoke prints the result, the text, or the reply; exec is the same", async () => {
    const params = '{"operation": "encode", "input": "f"}';
    expect(JSON.parse((await cli(["exec", "base64-encoder"], { params })).out)).toMatchObject({
      output: "Zg==",
    });
    const reply = JSON.parse((await cli(["invoke", "base64-encoder"], { params }, "json")).out);
    expect(reply).toMatchObject({ tool: "base64-encoder", result: { success: true } });
    const world = bench();
    await cli(
      ["invoke", "file-operations"],
      { params: '{"operation":"write","path":"a","input":"hi"}' },
      "text",
      world,
    );
    const read = await cli(
      ["invoke", "file-operations"],
      { params: '{"operation":"read","path":"a"}' },
      "text",
      world,
    );
    expect(read).toEqual({ code: 0, out: "hi\n", err: "" });
  });

  test("invoke ends with 1 when the tool reports a failure", async () => {
    const params = '{"operation":"write","path":"/etc/x","input":""}';
    const text = await cli(["invoke", "file-operations"], { params });
    expect(text).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("Path not in allowed list"),
    });
    const json = await cli(["invoke", "file-operations"], { params }, "json");
    expect([json.code, JSON.parse(json.out).result.success]).toEqual([1, false]);
    const error = await failure(cli(["invoke", "hash-calculator"], { params: "{}" }));
    expect(error.message).toBe("Tool invocation error: Missing required parameter 'operation'");
  });

  test.each([[undefined], ["{"], ["[1]"], ["5"]])(
    "invoke with --params %p is a usage error",
    async (params) => {
      expect(
        (await failure(cli(["invoke", "hash-calculator"], params === undefined ? {} : { params }))).code,
      ).toBe("usage");
    },
  );

  test("search and test", async () => {
    expect((await cli(["search", "environment", "variables"])).out).toBe("environment-reader\n");
    expect(await cli(["search", "xylophone"])).toMatchObject({
      code: 0,
      out: "No tools found for 'xylophone'\n",
    });
    expect((await cli(["test", "hash_calculator"])).out).toBe("✓ Tool 'hash-calculator' test successful\n");
    const failed = await cli(["test", "file-operations"]);
    expect(failed.code).toBe(1);
    expect(failed.out).toStartWith("✗ Tool 'file-operations' test failed: ");
  });
});
