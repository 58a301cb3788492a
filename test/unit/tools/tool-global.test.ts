/** Expected behaviour: spec/lua-api.md sections 0.3 and 2, spec/tools.md sections 2 to 4. Handlers are called without a VM. */
import { afterAll, describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { Handle, type ScriptFunction, type ScriptTable, type ScriptValue } from "../../../src/core/values.ts";
import { Dispatcher, INDEX } from "../../../src/globals/dispatch.ts";
import { ToolGlobal } from "../../../src/globals/tool.ts";
import type { RunContext } from "../../../src/kernel/services.ts";
import type { ToolDefinition } from "../../../src/tools/tool.ts";
import { onlyServices } from "../../support/services.ts";
import { bench, failure, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

type Table = Record<string, ScriptValue>;

function script() {
  const { tools, config, home } = bench();
  const services = onlyServices(config, { tools: async () => tools });
  const run: RunContext = {
    id: "run-1",
    signal: new AbortController().signal,
    scriptName: "test.lua",
    args: { script: "test.lua", positional: [], named: {} },
    emit: () => {},
    vm: { ended: new AbortController().signal, running: async () => {} },
    blockedTasks: () => new Set(),
  };
  const dispatcher = new Dispatcher([ToolGlobal], services);
  const call = async (fn: string, ...args: unknown[]) => dispatcher.call({ global: "Tool", fn }, args, run);
  const method = async (handle: unknown, fn: string, ...args: unknown[]) => {
    const { className, object } = handle as Handle;
    return dispatcher.call({ global: className, fn, object }, args, run);
  };
  return { call, method, tools, home };
}

/** A function as the engine hands it over: not a plain object. */
class FakeFunction implements ScriptFunction {
  readonly kind = "function";
  released = false;
  constructor(private readonly body: (params: Table) => ScriptValue | Promise<ScriptValue>) {}
  async call(...args: ScriptValue[]): Promise<ScriptValue> {
    return this.body(args[0] as Table);
  }
  release(): void {
    this.released = true;
  }
}

describe("Tool.execute", () => {
  test("gives the whole result table of an envelope tool", async () => {
    const { call } = script();
    const result = (await call("execute", "hash-calculator", {
      operation: "hash",
      algorithm: "md5",
      input: "abc",
    })) as Table;
    const hash = "900150983cd24fb0d6963f7d28e17f72";
    expect(result).toMatchObject({
      success: true,
      operation: "hash",
      output: hash,
      result: { hash, format: "hex" },
    });
    expect(result.error).toBeUndefined();
    expect(result._raw_text).toBe(result.text as string);
    const envelope = JSON.parse(result.text as string);
    expect(result.metadata).toMatchObject({ operation: "hash", response: envelope });
    expect((result.metadata as Table).execution_time_ms).toBeNumber();
  });

  test("gives text, success and metadata.response of a text tool", async () => {
    const { call } = script();
    await call("execute", "file_operations", { operation: "write", path: "a", content: "hello" });
    const read = (await call("execute", "file-operations", { operation: "read", path: "a" })) as Table;
    expect(read).toMatchObject({ success: true, text: "hello", output: "hello" });
    expect(read).not.toHaveProperty("_raw_text");
    expect(read.metadata).toMatchObject({
      operation: "read",
      response: { operation: "read", success: true },
    });
  });

  test("gives a failure as a table whose error is text too", async () => {
    const { call } = script();
    const denied = (await call("execute", "file-operations", {
      operation: "write",
      path: "/etc/x",
      input: "",
    })) as Table;
    expect(denied.success).toBe(false);
    const { parts } = denied.error as ScriptTable;
    expect(parts.text).toContain("Path not in allowed list");
    expect(parts.fields).toMatchObject({ message: parts.text, code: "permission_denied" });
  });

  test("raises with the words scripts look for", async () => {
    const { call } = script();
    expect((await failure(call("execute", "no-such-tool"))).message).toBe("Tool 'no-such-tool' not found");
    expect((await failure(call("execute", "hash-calculator"))).message).toBe(
      "Tool execution failed: Missing required parameter 'operation'",
    );
    const denied = await failure(
      call("execute", "file-operations", { operation: "read", path: "/etc/passwd" }),
    );
    expect(denied.message).toMatch(/^Tool execution failed: Security violation: .*Path not allowed/);
    expect(denied).toMatchObject({
      code: "permission_denied",
      data: { tool: "file-operations", path: "/etc/passwd" },
    });
    // A file that is missing is not a tool that is missing.
    const missing = await failure(call("execute", "file-operations", { operation: "read", path: "none" }));
    expect(missing.message).toStartWith("Tool execution failed: Cannot read 'none'");
  });

  test("drops functions at the top of the parameters and refuses them deeper down", async () => {
    const { call } = script();
    const fn = new FakeFunction(() => null);
    const params = { operation: "hash", algorithm: "md5", input: "abc", callback: fn };
    expect(((await call("execute", "hash-calculator", params)) as Table).success).toBe(true);
    expect(fn.released).toBe(true);
    const nested = { operation: "hash", input: "abc", options: { deep: [fn] } };
    expect((await failure(call("execute", "hash-calculator", nested))).message).toContain(
      '"options.deep[1]"',
    );
  });

  test("has the old names invoke, is_available and get_info", async () => {
    const { call } = script();
    expect(await call("invoke", "base64-encoder", { operation: "encode", input: "f" })).toMatchObject({
      output: "Zg==",
    });
    expect(await call("is_available", "base64_encoder")).toBe(true);
    expect(await call("get_info", "base64_encoder")).toBeInstanceOf(Handle);
  });
});

describe("finding tools", () => {
  test("list has name, description, version, category and level of each, sorted", async () => {
    const list = (await script().call("list")) as Table[];
    expect(list.map(({ name }) => name)).toEqual(list.map(({ name }) => name as string).sort());
    expect(list.find(({ name }) => name === "file-operations")).toEqual({
      name: "file-operations",
      description: expect.any(String),
      version: "1.0.0",
      category: "filesystem",
      security_level: "privileged",
    });
  });

  test("get, index and get_schema know aliases; unknown names are nil", async () => {
    const { call, method } = script();
    for (const fn of ["get", INDEX]) {
      const handle = await call(fn, "hash_calculator");
      expect(handle).toBeInstanceOf(Handle);
      expect(((await method(handle, "execute", { operation: "hash", input: "abc" })) as Table).success).toBe(
        true,
      );
      expect(await method(handle, "getSchema")).toEqual(
        (await call("get_schema", "hash-calculator")) as object,
      );
      expect(await call(fn, "nothing")).toBeNull();
    }
    expect(await call("get_schema", "nothing")).toBeNull();
    const { parameters } = (await call("get_schema", "hash-calculator")) as { parameters: Table[] };
    expect(parameters.slice(0, 2)).toEqual([
      { name: "operation", type: "string", description: expect.any(String), required: true },
      {
        name: "algorithm",
        type: "string",
        description: expect.any(String),
        required: false,
        default: "sha256",
      },
    ]);
  });

  test("exists, categories and discover", async () => {
    const { call } = script();
    expect([await call("exists", "file_operations"), await call("exists", "x")]).toEqual([true, false]);
    expect(await call("categories")).toEqual(expect.arrayContaining(["filesystem", "system", "utility"]));
    const names = async (filter?: object) =>
      ((await call("discover", filter)) as Table[]).map(({ name }) => name);
    expect(await names({ category: "System" })).toEqual(["environment-reader"]);
    expect(await names({ tag: "Base64" })).toEqual(["base64-encoder"]);
    expect(await names({ tag: "base64" })).toEqual([]);
    expect(await names({ capabilities: ["FILES", "moves"] })).toEqual(["file-operations"]);
    expect((await names()).length).toBe(((await call("list")) as Table[]).length);
  });
});

describe("Tool.register", () => {
  test("makes a function of the script a tool like any other", async () => {
    const { call, method, tools } = script();
    const fn = new FakeFunction(({ who }) => `Hello, ${who}`);
    const handle = await call("register", "greet", fn);
    expect(await call("execute", "greet", { who: "Ada" })).toMatchObject({
      success: true,
      text: "Hello, Ada",
      result: "Hello, Ada",
      output: "Hello, Ada",
    });
    expect(await method(handle, "execute", { who: "Bob" })).toMatchObject({ text: "Hello, Bob" });
    expect(tools.list().map((tool) => tool.name)).toContain("greet");
  });

  test("takes parameters in three forms, which models see as JSON Schema", async () => {
    const { call, tools } = script();
    const expected = {
      type: "object",
      properties: { city: { type: "string", description: "Where" }, days: { type: "integer", default: 1 } },
      required: ["city"],
    };
    const city = { type: "string", description: "Where" };
    const days = { type: "integer", default: 1 };
    const forms = [
      { type: "object", properties: { days, city }, required: ["city"] },
      [
        { name: "city", ...city, required: true },
        { name: "days", ...days },
      ],
      { days, city: { ...city, required: true } },
    ];
    for (const parameters of forms) {
      const execute = new FakeFunction((params) => params);
      await call("register", { name: "weather", description: "Forecast", parameters, execute });
      expect(JSON.parse(JSON.stringify(tools.find("weather")?.parameters))).toEqual(expected);
      expect(((await call("execute", "weather", { city: "Rome", extra: 1 })) as Table).result).toEqual({
        city: "Rome",
        days: 1,
      });
      expect((await failure(call("execute", "weather", {}))).message).toContain(
        "Missing required parameter 'city'",
      );
    }
    await call("register", {
      name: "simple",
      parameters: { text: "string" },
      execute: new FakeFunction(({ text }) => text!),
    });
    expect(((await call("execute", "simple", { text: 5 })) as Table).text).toBe("5");
  });

  test("a table with success or result is taken as the outcome", async () => {
    const { call } = script();
    const outcome = async (value: ScriptValue) => {
      await call("register", "answer", new FakeFunction(() => value));
      return (await call("execute", "answer")) as Table;
    };
    expect(await outcome({ result: { a: 1 }, message: "fine" })).toMatchObject({
      success: true,
      result: { a: 1 },
      message: "fine",
    });
    const failed = await outcome({ success: false, error: "no luck" });
    expect(failed.success).toBe(false);
    expect((failed.error as ScriptTable).parts.text).toBe("no luck");
    expect(await outcome({ b: 2, a: 1 })).toMatchObject({
      success: true,
      result: { a: 1, b: 2 },
      text: '{"a":1,"b":2}',
    });
    expect(await outcome(null)).toMatchObject({ success: true, text: "" });
  });

  test("a Lua error is a tool failure with the Lua message", async () => {
    const { call } = script();
    const error = new SpellError("script", "test.lua:3: boom", { data: { traceback: "stack traceback:" } });
    await call("register", "broken", new FakeFunction(() => Promise.reject(error)));
    expect(await failure(call("execute", "broken"))).toMatchObject({
      code: "tool_failed",
      message: "Tool execution failed: test.lua:3: boom",
    });
    const denied = new SpellError("deadlock", "It waits for itself");
    await call("register", "broken", new FakeFunction(() => Promise.reject(denied)));
    expect((await failure(call("execute", "broken"))).code).toBe("deadlock");
  });

  test("registering again replaces the script's own tool, never a built-in one", async () => {
    const { call } = script();
    const first = new FakeFunction(() => "one");
    await call("register", "mine", first);
    await call("register", "mine", new FakeFunction(() => "two"));
    expect(first.released).toBe(true);
    expect(await call("execute", "mine")).toMatchObject({ text: "two" });
    const taken = await failure(call("register", "hash_calculator", new FakeFunction(() => "x")));
    expect(taken.code).toBe("already_exists");
  });

  test.each([
    [["x"], '"fn" must be a function'],
    [[5, null], '"name" must be a string'],
    [[{ name: "x" }], '"execute" must be a function'],
    [
      [{ name: "x", execute: new FakeFunction(() => null), parameters: { a: "strng" } }],
      '"parameters.a.type" must be one of',
    ],
    [
      [{ name: "x", execute: new FakeFunction(() => null), parameters: { properties: {}, required: ["b"] } }],
      "names no parameter: b",
    ],
  ])("refuses %j", async (args, message) => {
    const error = await failure(script().call("register", ...args));
    expect(error.code).toBe("invalid_argument");
    expect(error.message).toContain(message);
  });
});

describe("Tool.batch", () => {
  test("keeps the order and puts failures in their place", async () => {
    const { call } = script();
    const encode = (input: string) => ({ name: "base64-encoder", params: { operation: "encode", input } });
    const results = (await call("batch", [
      encode("f"),
      { name: "nope" },
      encode("fo"),
      encode("foo"),
      encode("foob"),
      encode(""),
    ])) as Table[];
    expect(results.map(({ output }) => output)).toEqual(["Zg==", undefined, "Zm8=", "Zm9v", "Zm9vYg==", ""]);
    expect(results[1]).toMatchObject({ success: false, tool: "nope", text: "Tool 'nope' not found" });
    expect((results[1]!.error as ScriptTable).parts.fields).toMatchObject({ code: "not_found" });
    expect(await call("batch", {})).toEqual([]);
  });

  test("runs four at a time", async () => {
    const { call, tools } = script();
    let running = 0;
    let most = 0;
    const slow: ToolDefinition = {
      ...tools.find("hash-calculator")!,
      name: "slow",
      aliases: [],
      parameters: { type: "object", properties: {}, required: [] } as unknown as ToolDefinition["parameters"],
      execute: async () => {
        most = Math.max(most, ++running);
        await Bun.sleep(1);
        running--;
        return { operation: "slow", result: {} };
      },
    };
    tools.register(slow);
    await call(
      "batch",
      Array.from({ length: 9 }, () => ({ name: "slow" })),
    );
    expect(most).toBe(4);
  });

  test("refuses calls without a name", async () => {
    expect((await failure(script().call("batch", [{ params: {} }]))).message).toContain(
      '"calls[1].name" must be a string',
    );
  });
});
