import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import type { SpellEvent } from "../../../src/events/service.ts";
import { DEFAULTS, testBus } from "../events/support.ts";
import { stateWith, TestHooks } from "./support.ts";

async function failure(work: Promise<unknown>): Promise<SpellError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof SpellError)) throw new Error(`No SpellError: ${String(error)}`);
  return error;
}

const MARK = /^\[REDACTED\]_[0-9a-f]{8}$/;
const nested = (depth: number): unknown => (depth === 0 ? "end" : { in: nested(depth - 1) });

describe("A saved value comes back as it was", () => {
  test.each<[string, unknown]>([
    ["text", "é \u{1f600} \0"],
    ["an empty text", ""],
    ["bytes", new Uint8Array([255, 0, 1])],
    ["an integer beyond 2^53", 2n ** 63n - 1n],
    ["minus zero", -0],
    ["the smallest number", 5e-324],
    ["a large number", 1e300],
    ["null", null],
    ["an empty list", []],
    ["an empty table", {}],
    ["lists with holes", [1, null, [null]]],
    ["names that mean something to JavaScript", JSON.parse('{"__proto__":1,"constructor":{"a":2},"":3}')],
    ["names like the stored forms", { $bytes: "AA==", in: { $integer: "7" }, $object: { $null: true } }],
    ["names like numbers", { "10": "a", "9": "b" }],
    ["100 tables in each other", nested(100)],
    ["a long text", "spell ".repeat(100_000)],
    ["shared tables", (({ one }) => [one, one])({ one: { a: 1 } })],
  ])("%s", async (_, value) => {
    const state = await stateWith();
    await state.save("global", "v", value);
    expect(await state.load("global", "v")).toEqual(value as never);
    await state.dispose();
  });
});

describe("A value is refused, and the old one stays, when", () => {
  const cycle: Record<string, unknown> = { a: [{}] };
  (cycle.a as object[])[0] = { b: cycle };
  test.each<[string, unknown, string, string]>([
    ["it contains itself", cycle, "invalid_argument", "Circular reference detected at path: a[1].b"],
    [
      "it has a function",
      { f: [() => 1] },
      "invalid_argument",
      'Cannot save state: "f[1]" must not be a function',
    ],
    [
      "it is an object of a class",
      { d: new Date() },
      "invalid_argument",
      'Cannot save state: "d" must be plain data, not an object',
    ],
    ["it nests too deep", nested(129), "limit", "Cannot save state: it must nest at most 128 tables deep"],
    [
      "it is too large",
      "x".repeat(999),
      "limit",
      "Cannot save state: the value must be at most 1000 bytes: 1001",
    ],
  ])("%s", async (_, value, code, message) => {
    const state = await stateWith({ settings: { max_state_size_bytes: 1000 } });
    await state.save("global", "v", "old");
    const error = await failure(state.save("global", "v", value));
    expect([error.code, error.message]).toEqual([code as never, message]);
    expect(await state.load("global", "v")).toBe("old");
  });
});

describe("A key is refused when", () => {
  test.each([
    ["", "Key cannot be empty"],
    ["k".repeat(257), "Key cannot be longer than 256 characters"],
    ["a/../b", "Key contains invalid path traversal characters"],
    ["a\\b", "Key contains invalid path traversal characters"],
    ["a//b", "Key contains invalid path traversal characters"],
    ["a\0b", "Key contains invalid control characters"],
    ["a\r", "Key contains invalid control characters"],
    ["a\nb", "Key contains invalid control characters"],
    ["__x", "Key cannot start with reserved prefixes __ or $$"],
    ["$$x", "Key cannot start with reserved prefixes __ or $$"],
    ["é".repeat(256), "Scope and key together cannot be longer than 512 bytes"],
  ])("it is %j", async (key, rule) => {
    const state = await stateWith();
    for (const call of [
      state.save("global", key, 1),
      state.load("global", key),
      state.delete("global", key),
    ]) {
      const error = await failure(call);
      expect([error.code, error.message]).toEqual(["invalid_argument", `Invalid format: ${rule}`]);
    }
  });

  test("but not for 256 characters, colons in front or two forms of one character", async () => {
    const state = await stateWith();
    await state.save("custom", "k".repeat(256), 1);
    await state.save("custom", ":checkpoint:pre", 2);
    await state.save("custom", "e\u0301", 3);
    expect(await state.load("custom", ":checkpoint:pre")).toBe(2);
    expect(await state.load("custom", "\u00e9")).toBe(3);
  });
});

describe("Scopes", () => {
  test("make one record of scope and key, however they are divided", async () => {
    const state = await stateWith();
    await state.save("workflow", "p:status", "done");
    expect(await state.load("workflow:p", "status")).toBe("done");
    await state.save("workflow:p", "status", "again");
    expect(await state.load("workflow", "p:status")).toBe("again");
    expect(await state.keys("workflow:p")).toEqual(["status"]);
    expect(await state.keys("workflow:p:")).toEqual(["status"]);
  });

  test("find a workflow's record under any scope, with or without a colon", async () => {
    const state = await stateWith();
    await state.save("workflow:e", "step", { output: 1 });
    expect(await state.load("custom", ":workflow:e:step")).toEqual({ output: 1 });
    expect(await state.load("anything", "workflow:e:step")).toEqual({ output: 1 });
    await state.save("custom", ":workflow:e:step", "its own");
    expect(await state.load("custom", ":workflow:e:step")).toBe("its own");
  });

  test("keep ids with colons apart from shorter ids", async () => {
    const state = await stateWith();
    await state.save("custom:tenant:1", "k", "of tenant:1");
    await state.save("custom:tenant", "1:k", "of tenant");
    expect(await state.load("custom:tenant:1", "k")).toBe("of tenant:1");
    expect(await state.load("custom:tenant", "1:k")).toBe("of tenant");
    const entries = await state.entries();
    expect(entries.map(({ scope, key, storageKey }) => [scope, key, storageKey])).toEqual([
      ["custom:tenant:1", "k", "custom:tenant%3A1:k"],
      ["custom:tenant", "1:k", "custom:tenant:1:k"],
    ]);
  });

  test("read, list and delete keys that were written before ids were escaped", async () => {
    const state = await stateWith();
    const { raw } = state;
    const key = "agent:a:b:memo";
    await raw.backend.apply([{ type: "set", key, value: raw.encode(key, "old"), schemaVersion: "1.0.0" }]);
    expect(await state.load("agent:a:b", "memo")).toBe("old");
    expect(await state.keys("agent:a:b")).toEqual(["memo"]);
    expect(await state.delete("agent:a:b", "memo")).toBe(true);
    expect(await state.load("agent:a:b", "memo")).toBeUndefined();
  });

  test("are cleared alone", async () => {
    const state = await stateWith();
    for (const scope of ["global", "user:a", "user:ab", "free"]) await state.save(scope, "k", 1);
    await state.save("user:a", "temp:t", 1);
    expect(await state.clear("user:a")).toBe(2);
    expect((await state.entries()).map(({ storageKey }) => storageKey)).toEqual([
      "free:k",
      "global:k",
      "user:ab:k",
    ]);
    expect(await state.clear()).toBe(3);
    expect(await state.entries()).toEqual([]);
  });
});

describe("Ephemeral keys", () => {
  test("are loaded, listed and deleted as others are, and never stored", async () => {
    const state = await stateWith();
    await state.save("global", "temp:a", 1);
    await state.save("global", "kept", 2);
    await state.save("cache", "k", 3);
    expect(await state.load("global", "temp:a")).toBe(1);
    expect(await state.keys("global")).toEqual(["kept", "temp:a"]);
    expect(await state.raw.backend.keys("")).toEqual(["cache:k", "global:kept"]);
    expect(await state.delete("global", "temp:a")).toBe(true);
    expect(await state.keys("global")).toEqual(["kept"]);
  });
});

describe("Hooks", () => {
  test("see what is written, with the old value, and may change it", async () => {
    const hooks = new TestHooks(["BeforeStateWrite"], ({ data }) => ({ ...data, value: "changed" }));
    const state = await stateWith({ hooks });
    await state.save("user:a", "k", 1);
    await state.save("user:a", "k", 2);
    expect(hooks.ran.map(({ point, data }) => [point, data])).toEqual([
      [
        "BeforeStateWrite",
        { operation: "state_set", scope: "user:a", key: "k", old_value: null, new_value: 1, value: 1 },
      ],
      [
        "BeforeStateWrite",
        { operation: "state_set", scope: "user:a", key: "k", old_value: "changed", new_value: 2, value: 2 },
      ],
    ]);
    expect(await state.load("user:a", "k")).toBe("changed");
  });

  test("that refuse leave the old value and tell the caller", async () => {
    let refuse = false;
    const hooks = new TestHooks(["BeforeStateWrite"], ({ data }) => {
      if (refuse) throw new SpellError("permission_denied", "Cannot write: cancelled by a hook: no");
      return data;
    });
    const state = await stateWith({ hooks });
    await state.save("global", "k", "old");
    refuse = true;
    expect((await failure(state.save("global", "k", "new"))).code).toBe("permission_denied");
    expect((await failure(state.delete("global", "k"))).code).toBe("permission_denied");
    expect(await state.load("global", "k")).toBe("old");
  });

  test("run for reads and deletes, and not for trusted and ephemeral keys", async () => {
    const hooks = new TestHooks(["BeforeStateRead", "AfterStateWrite"]);
    const state = await stateWith({ hooks });
    for (const key of ["temp:a", "cache:a", "test:a", "benchmark:a", "a"]) {
      await state.save("global", key, 1);
      await state.load("global", key);
      await state.delete("global", key);
    }
    expect(hooks.ran.map(({ data }) => [data.operation, data.key])).toEqual([
      ["state_set", "a"],
      ["state_get", "a"],
      ["state_delete", "a"],
    ]);
  });
});

describe("The event state.changed", () => {
  const listening = () => {
    const { bus: events } = testBus({ filter: { ...DEFAULTS.filter, emitStateEvents: true } });
    const heard: SpellEvent[] = [];
    events.listen("state.*", (event) => heard.push(event));
    return { events, heard };
  };

  test("tells old and new values where the configuration asks for it, without secrets", async () => {
    const { events, heard } = listening();
    const state = await stateWith({ events, emitEvents: true });
    await state.save("global", "k", { password: "hunter2" }, { correlationId: "c-1" });
    await state.save("global", "k", 2);
    await state.save("global", "api_token", "t");
    await state.delete("global", "k");
    expect(heard.map(({ data }) => data)).toEqual([
      { scope: "global", key: "k", old_value: null, new_value: { password: expect.stringMatching(MARK) } },
      { scope: "global", key: "k", old_value: { password: expect.stringMatching(MARK) }, new_value: 2 },
      { scope: "global", key: "api_token", old_value: null, new_value: expect.stringMatching(MARK) },
      { scope: "global", key: "k", old_value: 2, new_value: null },
    ]);
    expect(heard[0]!.metadata.correlationId).toBe("c-1");
  });

  test("is not sent otherwise", async () => {
    const { events, heard } = listening();
    const state = await stateWith({ events });
    await state.save("global", "k", 1);
    expect(heard).toEqual([]);
  });
});

describe("State.update", () => {
  test("loses nothing when many change the same value at once", async () => {
    const hooks = new TestHooks(["StateConflict"]);
    const state = await stateWith({ hooks });
    const add = (n: unknown) => ((n as number | undefined) ?? 0) + 1;
    await Promise.all(Array.from({ length: 50 }, () => state.update("global", "n", add)));
    await Promise.all(Array.from({ length: 50 }, () => state.update("global", "temp:n", add)));
    expect([await state.load("global", "n"), await state.load("global", "temp:n")]).toEqual([50, 50]);
    expect(hooks.ran[0]).toMatchObject({ point: "StateConflict", data: { scope: "global", key: "n" } });
  });

  test("removes the value for undefined, and changes nothing when the function fails", async () => {
    const state = await stateWith();
    await state.save("global", "k", 1);
    expect(
      state.update("global", "k", () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await state.load("global", "k")).toBe(1);
    expect(await state.update("global", "k", () => undefined)).toBeUndefined();
    expect(await state.exists("global", "k")).toBe(false);
  });
});

describe("The figures", () => {
  test("count reads, writes and failures of storage, not of the caller", async () => {
    const state = await stateWith();
    await state.save("global", "k", 1);
    await state.load("global", "k");
    await state.load("global", "none");
    await failure(state.save("global", "", 1));
    await state.raw.backend.apply([
      { type: "set", key: "global:bad", value: new Uint8Array([0, 123]), schemaVersion: "1.0.0" },
    ]);
    const error = await failure(state.load("global", "bad"));
    expect([error.code, error.message]).toEqual([
      "io",
      'Cannot read state: the stored value is damaged: "global:bad"',
    ]);
    expect(state.figures()).toMatchObject({ reads: 3, writes: 2, read_errors: 1, write_errors: 0 });
  });
});

test("A large value takes less room than it has", async () => {
  const state = await stateWith();
  await state.save("global", "long", "spell ".repeat(1000));
  await state.save("global", "short", "s".repeat(500));
  const size = async (key: string) => (await state.raw.backend.get(key))!.value.length;
  expect(await size("global:long")).toBeLessThan(200);
  expect(await size("global:short")).toBe(503);
});

test("State that is switched off says which setting would switch it on", async () => {
  const error = await failure(stateWith({ settings: { enabled: false } }));
  expect([error.code, error.hint]).toEqual(["config", "Set runtime.state_persistence.enabled = true"]);
});

test("PostgreSQL without an address says where to set it", async () => {
  const error = await failure(stateWith({ settings: { backend_type: "postgres" } }));
  expect(error.data.path).toBe("runtime.state_persistence.database_url");
});

test("PostgreSQL is asked at the address of the configuration, before that of DATABASE_URL", async () => {
  const asked: string[] = [];
  const listening = ["configured", "of the environment"].map((name) =>
    Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          asked.push(name);
          socket.end();
        },
        data() {},
      },
    }),
  );
  const [database_url, DATABASE_URL] = listening.map(({ port }) => `postgres://u:p@127.0.0.1:${port}/x`);
  const settings = { backend_type: "postgres" as const, database_url: database_url! };
  await failure(stateWith({ settings, env: { DATABASE_URL: DATABASE_URL! } }));
  expect(new Set(asked)).toEqual(new Set(["configured"]));
  await failure(stateWith({ settings: { backend_type: "postgres" }, env: { DATABASE_URL: DATABASE_URL! } }));
  expect(new Set(asked)).toEqual(new Set(["configured", "of the environment"]));
  for (const server of listening) server.stop(true);
});

test("What is shown hides secrets unless redaction.enabled is false", async () => {
  const redaction = (enabled: boolean) => ({ enabled, hash_redacted: false, field_names: [], patterns: [] });
  for (const [enabled, shown] of [
    [true, "[REDACTED]"],
    [false, "t0ken"],
  ] as const) {
    const state = await stateWith({ settings: { redaction: redaction(enabled) } });
    expect(state.shown("api_token", "t0ken")).toBe(shown);
  }
});
