/** What every backend of state must do; backends.test.ts runs these over all of them. */
import { beforeEach, expect, test } from "bun:test";
import type { Applied, StateBackend, StateChange } from "../../../src/state/backend.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const set = (key: string, value: string | Uint8Array, more: object = {}): StateChange => ({
  type: "set",
  key,
  value: typeof value === "string" ? bytes(value) : value,
  schemaVersion: "1.0.0",
  ...more,
});

async function applied(
  backend: StateBackend,
  ...changes: StateChange[]
): Promise<Extract<Applied, { applied: true }>> {
  const result = await backend.apply(changes);
  if (!result.applied) throw new Error(`A conflict: ${JSON.stringify(result.conflict)}`);
  return result;
}

/** @param backend the one under test @param another a second user of the same records; undefined where there is none */
export function backendCases(backend: () => StateBackend, another: () => StateBackend | undefined): void {
  beforeEach(async () => {
    await backend().apply([
      { type: "clear", prefix: "" },
      { type: "clear", prefix: "$$" },
    ]);
  });

  const textAt = async (key: string) => {
    const record = await backend().get(key);
    return record && new TextDecoder().decode(record.value);
  };

  test("has nothing under a key that was never set", async () => {
    expect(await backend().get("global:absent")).toBeUndefined();
    expect(await backend().keys("global:")).toEqual([]);
    expect(await backend().list("")).toEqual([]);
  });

  test("keeps every byte, the time and the schema version", async () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const before = Date.now();
    const { versions } = await applied(backend(), set("global:a", all, { schemaVersion: "2.1.0-x" }));
    const record = (await backend().get("global:a"))!;
    expect({ ...record, value: [...record.value], timestampMs: 0 }).toEqual({
      key: "global:a",
      value: [...all],
      version: versions[0]!,
      timestampMs: 0,
      schemaVersion: "2.1.0-x",
    });
    expect(record.timestampMs).toBeGreaterThanOrEqual(before);
    expect(record.timestampMs).toBeLessThanOrEqual(Date.now());
  });

  test("keeps an empty value and one of two megabytes", async () => {
    const large = new Uint8Array(2_000_000).map((_, i) => (i * 7) % 251);
    await applied(backend(), set("global:large", large), set("global:empty", new Uint8Array(0)));
    expect(Buffer.compare((await backend().get("global:large"))!.value, large)).toBe(0);
    expect((await backend().get("global:empty"))!.value.length).toBe(0);
  });

  test("keeps a given time", async () => {
    await applied(backend(), set("global:old", "x", { timestampMs: 1_600_000_000_123 }));
    expect((await backend().get("global:old"))!.timestampMs).toBe(1_600_000_000_123);
  });

  test("is not changed through what it gave or was given", async () => {
    const mine = bytes("mine");
    await applied(backend(), set("global:a", mine));
    mine[0] = 0;
    expect(await textAt("global:a")).toBe("mine");
  });

  test("gives a version to each write that no earlier write had", async () => {
    const seen: number[] = [];
    for (const value of ["1", "2"]) seen.push(...(await applied(backend(), set("global:a", value))).versions);
    await applied(backend(), { type: "delete", key: "global:a" });
    seen.push(...(await applied(backend(), set("global:a", "3"), set("global:b", "4"))).versions);
    expect(new Set(seen).size).toBe(4);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test("replaces, deletes and tells how many are gone", async () => {
    await applied(backend(), set("global:a", "1"));
    await applied(backend(), set("global:a", "2"));
    expect(await textAt("global:a")).toBe("2");
    const gone = await applied(
      backend(),
      { type: "delete", key: "global:a" },
      { type: "delete", key: "global:never" },
    );
    expect(gone).toEqual({ applied: true, versions: [0, 0], removed: 1 });
    expect(await backend().get("global:a")).toBeUndefined();
  });

  test("lists by prefix, sorted by bytes, whatever the characters", async () => {
    const keys = ["u:a", "u:b", "u:\u{1f600}", "u:\uffee", "u:%", "u:_", "u:A", "u:é", "v:a", "u", "ua:x"];
    await applied(backend(), ...keys.map((key) => set(key, key)));
    const expected = ["u:%", "u:A", "u:_", "u:a", "u:b", "u:é", "u:\uffee", "u:\u{1f600}"];
    expect(await backend().keys("u:")).toEqual(expected);
    expect((await backend().list("u:")).map(({ key }) => key)).toEqual(expected);
    expect(await backend().keys("u:\u{1f600}")).toEqual(["u:\u{1f600}"]);
    expect(await backend().keys("")).toHaveLength(keys.length);
  });

  test("clears a prefix and nothing beside it", async () => {
    await applied(backend(), set("a:1", ""), set("a:2", ""), set("ab:1", ""), set("b:1", ""));
    expect((await applied(backend(), { type: "clear", prefix: "a:" })).removed).toBe(2);
    expect(await backend().keys("")).toEqual(["ab:1", "b:1"]);
  });

  test("keeps its own notes out of lists and clears that do not name them", async () => {
    await applied(backend(), set("$$note", "n"), set("global:a", "1"));
    expect(await backend().keys("")).toEqual(["global:a"]);
    await applied(backend(), { type: "clear", prefix: "" });
    expect(await textAt("$$note")).toBe("n");
    expect(await backend().keys("$$")).toEqual(["$$note"]);
    await applied(backend(), { type: "clear", prefix: "$$" });
    expect(await backend().get("$$note")).toBeUndefined();
  });

  test("applies all changes in their order", async () => {
    await applied(backend(), set("a:1", "old"), set("b:1", "old"));
    await applied(backend(), { type: "clear", prefix: "a:" }, set("a:2", "new"), set("a:2", "newer"), {
      type: "delete",
      key: "b:1",
    });
    expect(await backend().keys("")).toEqual(["a:2"]);
    expect(await textAt("a:2")).toBe("newer");
  });

  test("changes nothing where one of the changes finds another version", async () => {
    const { versions } = await applied(backend(), set("a:1", "one"));
    const result = await backend().apply([
      set("a:2", "two"),
      { type: "clear", prefix: "a:1" },
      set("a:3", "three", { expected: versions[0]! }),
    ]);
    expect(result).toEqual({
      applied: false,
      conflict: { key: "a:3", expected: versions[0]!, actual: 0 },
    });
    expect(await backend().keys("")).toEqual(["a:1"]);
  });

  test("sets and deletes where the version is the expected one, and not elsewhere", async () => {
    const first = await applied(backend(), set("a:1", "one", { expected: 0 }));
    const version = first.versions[0]!;
    expect(await backend().apply([set("a:1", "again", { expected: 0 })])).toMatchObject({
      applied: false,
      conflict: { key: "a:1", expected: 0, actual: version },
    });
    const second = await applied(backend(), set("a:1", "two", { expected: version }));
    expect(await backend().apply([{ type: "delete", key: "a:1", expected: version }])).toMatchObject({
      applied: false,
    });
    expect(await textAt("a:1")).toBe("two");
    await applied(backend(), { type: "delete", key: "a:1", expected: second.versions[0]! });
    expect(await backend().get("a:1")).toBeUndefined();
  });

  test("loses no increment of many that compare versions at once", async () => {
    const users = [backend(), another() ?? backend()];
    const increment = async (user: StateBackend) => {
      for (;;) {
        const record = await user.get("global:n");
        const n = record === undefined ? 0 : Number(new TextDecoder().decode(record.value));
        const change = set("global:n", String(n + 1), { expected: record?.version ?? 0 });
        if ((await user.apply([change])).applied) return;
      }
    };
    await Promise.all(Array.from({ length: 40 }, (_, i) => increment(users[i % 2]!)));
    expect(await textAt("global:n")).toBe("40");
  });

  test("shows another user's writes at once", async () => {
    const other = another();
    if (other === undefined) return;
    await applied(backend(), set("a:1", "mine"));
    await backend().get("a:1");
    await applied(other, set("a:1", "theirs"), set("a:2", "new"));
    expect(await textAt("a:1")).toBe("theirs");
    expect(await backend().keys("a:")).toEqual(["a:1", "a:2"]);
  });

  test("finds itself sound", async () => {
    await applied(backend(), set("a:1", "x"));
    expect(await backend().problems()).toEqual([]);
  });
}
