/** Expected UUIDs: Python's uuid module (test/conformance/python); the layout of version 1: RFC 9562 section 5.1. */
import { describe, expect, test } from "bun:test";
import expected from "../../conformance/python/expected.json" with { type: "json" };
import { bench, failure } from "./support.ts";

const { tools } = bench();
const call = async (params: Record<string, unknown>) =>
  (await tools.execute("uuid-generator", params)).result as Record<string, string>;

describe("uuid-generator", () => {
  test.each(expected.uuids)(
    "version 5 of $name in $namespace",
    async ({ namespace, name, uuid, urn, hex }) => {
      const params = { version: "5", namespace, name };
      expect(await call(params)).toEqual({ uuid, version: "v5", format: "hyphenated" });
      expect((await call({ ...params, format: "urn" })).uuid).toBe(urn);
      expect((await call({ ...params, format: "simple" })).uuid).toBe(hex);
      expect((await call({ ...params, format: "braced" })).uuid).toBe(`{${uuid}}`);
      expect((await call({ operation: "deterministic", namespace, name })).id).toBe(`${namespace}_${uuid}`);
    },
  );

  test("version 4 is random and the default", async () => {
    const { uuid } = await call({});
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect((await call({ version: "v4" })).uuid).not.toBe(uuid!);
  });

  test("version 1 holds the time, and no two are equal", async () => {
    const beforeMs = Date.now();
    const uuids = await Promise.all(Array.from({ length: 1000 }, () => call({ version: "v1" })));
    const afterMs = Date.now();
    expect(new Set(uuids.map(({ uuid }) => uuid)).size).toBe(1000);
    for (const { uuid } of uuids) {
      const [low, mid, high, sequence, node] = uuid!.split("-") as [string, string, string, string, string];
      const ticks = BigInt(`0x${high.slice(1)}${mid}${low}`) - 122_192_928_000_000_000n;
      const timeMs = Number(ticks / 10_000n);
      expect([high[0], timeMs >= beforeMs - 1, timeMs <= afterMs + 1]).toEqual(["1", true, true]);
      expect([Number.parseInt(sequence, 16) >> 14, Number.parseInt(node.slice(0, 2), 16) & 1]).toEqual([
        2, 1,
      ]);
    }
  });

  test("component ids and custom ids", async () => {
    expect((await call({ operation: "component_id" })).id).toMatch(/^component_[0-9a-f-]{36}$/);
    expect(await call({ operation: "component_id", prefix: "job", short: true })).toEqual({
      id: expect.stringMatching(/^job_[0-9a-f]{8}$/),
      prefix: "job",
      short: true as never,
    });
    const { id } = await call({
      operation: "custom",
      prefix: "a",
      timestamp: true,
      short: true,
      suffix: "z",
    });
    expect(id).toMatch(/^a_\d{10}_[0-9a-f]{8}_z$/);
  });

  test.each(expected.validated as [string, Record<string, unknown> | null][])(
    "validate %s",
    async (uuid, wanted) => {
      const answer = await tools.execute("uuid-generator", { operation: "validate", uuid });
      expect(answer.success).toBe(true);
      expect(answer.result).toEqual(wanted ?? { valid: false, error: `Invalid UUID: ${uuid}` });
      expect(answer.envelope).toMatchObject(answer.result as object);
    },
  );

  test("version 5 needs a name", async () => {
    expect((await failure(call({ version: "v5" }))).message).toBe("Missing required parameter 'name'");
  });
});
