/** Expected behaviour: spec/tools.md sections 1 to 6. */
import { afterAll, describe, expect, test } from "bun:test";
import { Type } from "typebox";
import { SpellError } from "../../../src/core/errors.ts";
import { defineTool, type ToolDefinition, type ToolOutcome } from "../../../src/tools/tool.ts";
import { configWith } from "../../support/config.ts";
import { bench, failure, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

interface ProbeParams {
  text?: string;
}

function probe(
  execute: (
    params: ProbeParams,
    ctx: Parameters<ToolDefinition["execute"]>[1],
  ) => Promise<ToolOutcome> | ToolOutcome,
  more: Partial<ToolDefinition> = {},
): ToolDefinition {
  const parameters = Type.Object({
    operation: Type.Optional(Type.String({ default: "probe" })),
    text: Type.Optional(Type.String()),
  });
  return {
    ...defineTool({
      name: "probe-tool",
      aliases: ["prober"],
      description: "For tests",
      category: "utility",
      level: "safe",
      version: "1.0.0",
      parameters,
      resultDoc: "",
      style: "envelope",
      needs: [],
      examples: [],
      primary: ({ result }) => (result as { value?: unknown } | undefined)?.value,
      execute,
    }),
    ...more,
  };
}

const ok = (): ToolOutcome => ({ operation: "probe", result: { value: 1 } });
const withTools = (...tools: ToolDefinition[]) => bench(() => {}, { tools });

describe("ToolService.find", () => {
  test("knows the exact name, underscores for hyphens, and aliases", () => {
    const { tools } = withTools(probe(ok));
    for (const name of ["probe-tool", "probe_tool", "prober"])
      expect(tools.find(name)?.name).toBe("probe-tool");
    expect(tools.find("Probe-Tool")).toBeUndefined();
  });

  test("an unknown name fails with the nearest ones", async () => {
    const { tools } = withTools(probe(ok));
    const error = await failure(tools.execute("prob-tool", {}));
    expect(error).toMatchObject({ code: "not_found", message: "Tool 'prob-tool' not found" });
    expect(error.hint).toContain('"probe-tool"');
  });
});

describe("a result", () => {
  test("of style envelope has its JSON, keys sorted, as text", async () => {
    const { tools } = withTools(
      probe(() => ({
        operation: "probe",
        message: "done",
        result: { value: 8, b: [1], a: null },
        metadata: { n: 1 },
      })),
    );
    const result = await tools.execute("probe-tool", {});
    const envelope = {
      message: "done",
      metadata: { n: 1 },
      operation: "probe",
      result: { a: null, b: [1], value: 8 },
      success: true,
    };
    expect(result.text).toBe(JSON.stringify(envelope, null, 2));
    expect(result.envelope).toEqual(envelope);
    expect(result.primary).toBe(8);
    expect(result.metadata.n).toBe(1);
    expect(Number.isInteger(result.metadata.execution_time_ms)).toBe(true);
  });

  test("with bytes writes them as base64 into the envelope's text and keeps them as bytes", async () => {
    const bytes = new Uint8Array([255, 0]);
    const { tools } = withTools(probe(() => ({ operation: "probe", result: { bytes } })));
    const result = await tools.execute("probe-tool", {});
    expect(JSON.parse(result.text as string).result).toEqual({ bytes: "/wA=" });
    expect((result.result as { bytes: unknown }).bytes).toBe(bytes);
  });

  test("of style text has the tool's text, else its message", async () => {
    const style = { style: "text" } as const;
    const { tools } = withTools(
      probe(() => ({ operation: "probe", text: "content" }), style),
      probe(() => ({ operation: "probe", message: "Done it" }), { ...style, name: "other", aliases: [] }),
    );
    expect((await tools.execute("probe-tool", {})).text).toBe("content");
    expect((await tools.execute("other", {})).text).toBe("Done it");
  });
});

describe("a failure", () => {
  const boom = () => {
    throw new SpellError("tool_failed", "It broke", { data: { part: 3 } });
  };

  test("is thrown, or returned where the tool says so", async () => {
    expect((await failure(withTools(probe(boom)).tools.execute("probe-tool", {}))).message).toBe("It broke");
    const returned = await withTools(probe(boom, { returnsFailures: true })).tools.execute("probe-tool", {});
    expect(returned).toMatchObject({
      success: false,
      operation: "probe",
      error: { message: "It broke", code: "tool_failed", details: { part: 3 } },
    });
    expect(returned.primary).toBeUndefined();
    expect(returned.envelope.error).toEqual({
      message: "It broke",
      code: "tool_failed",
      details: { part: 3 },
    });
  });

  test("in the parameters of a tool that returns failures is returned too", async () => {
    const { tools } = withTools(probe(ok, { returnsFailures: true }));
    expect(await tools.execute("probe-tool", { text: {} })).toMatchObject({ success: false });
  });

  test("that is a bug, a time-out or an interrupt is never a result", async () => {
    const bug = probe(
      () => {
        throw new TypeError("oops");
      },
      { returnsFailures: true },
    );
    expect(withTools(bug).tools.execute("probe-tool", {})).rejects.toThrow(TypeError);
    const endless = probe(() => new Promise(() => {}), { returnsFailures: true, timeoutMs: 5 });
    expect((await failure(withTools(endless).tools.execute("probe-tool", {}))).code).toBe("timeout");
  });
});

describe("time", () => {
  const waiting = (onAbort: (reason: unknown) => void) =>
    probe((_params, { signal }) => {
      signal.addEventListener("abort", () => onAbort(signal.reason));
      return new Promise(() => {});
    });

  test("ends with a time-out that tells the tool to stop", async () => {
    const reasons: unknown[] = [];
    const { tools } = bench((draft) => Object.assign(draft.tools.timeouts, { "probe-tool": 0.01 }), {
      tools: [waiting((reason) => reasons.push(reason))],
    });
    const error = await failure(tools.execute("probe-tool", {}));
    expect(error).toMatchObject({
      code: "timeout",
      message: "Tool 'probe-tool' timed out: timeout of 10 ms exceeded",
    });
    expect(reasons).toEqual([error]);
  });

  test("is the tool's setting, else the tool's own, else the default setting, else 30 s; callers can shorten it", async () => {
    const allowed = async (timeouts: Record<string, number>, own?: number, asked?: number) => {
      const endless = probe(() => new Promise(() => {}), own === undefined ? {} : { timeoutMs: own });
      const { tools } = bench((draft) => Object.assign(draft.tools.timeouts, timeouts), { tools: [endless] });
      const call = tools.execute("probe-tool", {}, asked === undefined ? {} : { timeoutMs: asked });
      return (await failure(call)).data.timeoutMs;
    };
    expect(await allowed({ "probe-tool": 0.002, default: 0.003 }, 4)).toBe(2);
    expect(await allowed({ default: 0.003 }, 4)).toBe(4);
    expect(await allowed({ default: 0.003 })).toBe(3);
    expect(await allowed({ default: 0.003 }, undefined, 1)).toBe(1);
    expect(await allowed({ default: 0.003 }, undefined, 60_000)).toBe(3);
  });

  test("of many years does not end at once", async () => {
    const later = probe(async () => {
      await Bun.sleep(2);
      return ok();
    });
    const { tools } = bench((draft) => Object.assign(draft.tools.timeouts, { default: 1e10 }), {
      tools: [later],
    });
    expect((await tools.execute("probe-tool", {})).success).toBe(true);
  });

  test("ends when the caller gives up, before and during the call", async () => {
    const controller = new AbortController();
    const { tools } = withTools(waiting(() => {}));
    const call = tools.execute("probe-tool", {}, { signal: controller.signal });
    controller.abort(new SpellError("interrupted", "Interrupted by the user"));
    expect((await failure(call)).message).toBe("Interrupted by the user");
    expect((await failure(tools.execute("probe-tool", {}, { signal: controller.signal }))).code).toBe(
      "interrupted",
    );
  });
});

describe("access", () => {
  test("is refused to all tools when tools are off", async () => {
    const { tools } = bench((draft) => Object.assign(draft.tools, { enabled: false }), {
      tools: [probe(ok)],
    });
    expect((await failure(tools.execute("probe-tool", {}))).message).toContain("tools.enabled");
  });

  test.each([
    ["safe", "restricted", false],
    ["restricted", "restricted", true],
    ["privileged", "restricted", true],
    ["restricted", "privileged", false],
  ] as const)("granted %s and needing %s: %p", async (granted, level, runs) => {
    const { tools } = bench((draft) => Object.assign(draft.tools.permissions, { "probe-tool": granted }), {
      tools: [probe(ok, { level })],
    });
    if (runs) expect((await tools.execute("probe-tool", {})).success).toBe(true);
    else {
      const error = await failure(tools.execute("probe-tool", {}));
      expect(error.code).toBe("permission_denied");
      expect(error.message).toContain(`needs level ${level}, granted is ${granted}`);
    }
  });

  test("follows tools.security.default_level where a tool has no permission of its own", async () => {
    const { tools } = bench(
      (draft) => {
        draft.tools.security = { default_level: "Safe" };
        draft.tools.permissions.other = "restricted";
      },
      {
        tools: [
          probe(ok, { level: "restricted" }),
          probe(ok, { name: "other", aliases: [], level: "restricted" }),
        ],
      },
    );
    expect((await failure(tools.execute("probe-tool", {}))).code).toBe("permission_denied");
    expect((await tools.execute("other", {})).success).toBe(true);
  });

  test("to a capability that was not declared is a bug", async () => {
    const { tools } = withTools(
      probe(async (_params, ctx) => ({ operation: await ctx.can.files.resolve("x") })),
    );
    expect((await failure(tools.execute("probe-tool", {}))).code).toBe("internal");
  });

  test("to files is switched off by an explicit allow_file_access = false, not by the default", async () => {
    const reads = probe(async (_params, ctx) => ({ operation: String(await ctx.can.files.exists("x")) }), {
      needs: ["files"],
    });
    const byDefault = bench(() => {}, { tools: [reads] });
    expect((await byDefault.tools.execute("probe-tool", {})).operation).toBe("false");
    const explicit = bench(() => {}, {
      tools: [reads],
      config: configWith(
        (draft) => {
          draft.tools.file_operations.allowed_paths = ["*"];
        },
        ["runtime.security.allow_file_access"],
      ),
    });
    const error = await failure(explicit.tools.execute("probe-tool", {}));
    expect(error.code).toBe("permission_denied");
    expect(error.message).toContain("runtime.security.allow_file_access");
  });

  test("to files ends with tools.file_operations.enabled", async () => {
    const { tools } = bench((draft) => Object.assign(draft.tools.file_operations, { enabled: false }));
    expect(
      (await failure(tools.execute("file-operations", { operation: "exists", path: "x" }))).message,
    ).toContain("tools.file_operations.enabled");
  });

  test("counts calls a minute over all tools", async () => {
    let now = 0;
    const { tools } = bench((draft) => Object.assign(draft.tools, { rate_limit_per_minute: 2 }), {
      tools: [probe(ok)],
      now: () => now,
    });
    await tools.execute("probe-tool", {});
    now = 30_000;
    await tools.execute("probe-tool", {});
    now = 59_999;
    const error = await failure(tools.execute("probe-tool", {}));
    expect(error).toMatchObject({ code: "limit", message: "Rate limit exceeded: 2 tool calls a minute" });
    expect(error.data.retryAfterMs).toBe(1);
    now = 60_000;
    expect((await tools.execute("probe-tool", {})).success).toBe(true);
    expect((await failure(tools.execute("probe-tool", {}))).data.retryAfterMs).toBe(30_000);
  });
});

describe("resource limits", () => {
  test("bound what goes in and what comes out, by level and by tool", async () => {
    const echo = (level: ToolDefinition["level"], more: Partial<ToolDefinition> = {}) =>
      withTools(probe(({ text }) => ({ operation: "probe", result: text }), { level, ...more })).tools;
    const text = "x".repeat(11_000_000);
    const error = await failure(echo("safe").execute("probe-tool", { text }));
    expect(error.code).toBe("limit");
    expect(error.message).toMatch(
      /^Resource limit exceeded: memory limit of 10000000 exceeded \(used: 110000\d\d\)$/,
    );
    expect((await echo("restricted").execute("probe-tool", { text })).result).toBe(text);
    expect(
      (await echo("safe", { limits: { memoryBytes: 30_000_000 } }).execute("probe-tool", { text })).result,
    ).toBe(text);
  });

  test("bound the calls to capabilities", async () => {
    const many = probe(
      async (_params, ctx) => {
        for (let i = 0; i < 20; i++) await ctx.can.files.exists(`file-${i}`);
        return { operation: "probe" };
      },
      { needs: ["files"] },
    );
    // One object per reach would start the count anew: it must not.
    expect((await failure(withTools(many).tools.execute("probe-tool", {}))).message).toBe(
      "Resource limit exceeded: operations limit of 10 exceeded (used: 11)",
    );
  });
});

describe("ToolService.register", () => {
  test("adds a tool until it is taken away; a taken name or alias is refused", async () => {
    const { tools } = bench();
    tools.register(probe(ok));
    expect(tools.list().map((tool) => tool.name)).toContain("probe-tool");
    for (const name of ["probe-tool", "probe_tool", "prober", "hash_calculator"]) {
      expect((await failure(() => tools.register(probe(ok, { name })))).code).toBe("already_exists");
    }
    tools.unregister("probe-tool");
    expect(tools.find("prober")).toBeUndefined();
  });

  test.each(["", "two words", "é", "a".repeat(65), "a/b"])("refuses the name %p", async (name) => {
    expect((await failure(() => bench().tools.register(probe(ok, { name })))).code).toBe("invalid_argument");
  });
});

describe("ToolService.dispose", () => {
  test("waits until a call that was given up has cleaned up", async () => {
    const steps: string[] = [];
    const slow = probe(async (_params, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      await new Promise((resolve) => setImmediate(resolve));
      steps.push("cleaned up");
      return ok();
    });
    const { tools } = withTools(slow);
    const interrupt = new AbortController();
    const given = tools.execute("probe-tool", {}, { signal: interrupt.signal });
    interrupt.abort(new SpellError("interrupted", "Interrupted"));
    expect((await failure(given)).code).toBe("interrupted");
    expect(steps).toEqual([]);
    await tools.dispose();
    expect(steps).toEqual(["cleaned up"]);
  });
});
