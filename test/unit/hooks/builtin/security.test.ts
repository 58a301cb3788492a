import { describe, expect, test } from "bun:test";
import { input, testHooks } from "../support.ts";
import { operation } from "./support.ts";

describe("security", () => {
  const report = (hooks: Awaited<ReturnType<typeof testHooks>>["hooks"]) =>
    hooks.builtinReport("security") as {
      events: { severity: string; findings: { rule: string; detail: string }[]; data: object }[];
      counts: Record<string, number>;
    };

  test.each([
    ["2 + 2", []],
    ["see https://example.org/a..b", []],
    ["../../etc/passwd", ["path_traversal"]],
    ["C:\\..\\windows", ["path_traversal"]],
    ["x; rm -rf /", ["command_injection"]],
    ["$(curl evil)", ["command_injection"]],
    ["' OR 1=1", ["code_injection"]],
    ["<script>alert(1)</script>", ["code_injection"]],
    ["x".repeat(10_001), ["length"]],
  ])("finds in %p: %p", async (text, rules) => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security");
    await hooks.run(input({ params: { deep: [{ text }] } }));
    const [event] = report(hooks).events;
    expect(event!.findings.map(({ rule }) => rule)).toEqual(rules);
    if (rules[0] !== undefined && rules[0] !== "length")
      expect(event!.findings[0]!.detail).toBe("params.deep[1].text");
  });

  test("audits without secrets, from the severity asked for, and keeps the last events", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security", { max_events: 2, min_severity: "high" });
    await hooks.run(input({ params: { a: "harmless" } }));
    for (const n of [1, 2, 3]) await hooks.run(input({ n, params: { authorization: "x", path: "../x" } }));
    const { events, counts } = report(hooks);
    expect(events.map(({ data }) => data)).toEqual([
      { n: 2, params: { authorization: "<REDACTED>", path: "../x" } },
      { n: 3, params: { authorization: "<REDACTED>", path: "../x" } },
    ]);
    expect(counts).toMatchObject({ info: 1, high: 3 });
  });

  test("only watches, unless it may block", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security");
    const risky = operation({ params: { path: "../x" } });
    expect(await hooks.around(risky, () => "done")).toBe("done");
    await hooks.enableBuiltin("security", { blocking: true });
    expect(hooks.around(risky, () => "done")).rejects.toThrow("security rule path_traversal: params.path");
  });

  test("counts calls that come too often, and keeps denials", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security", { max_calls_per_minute: 3 });
    for (let i = 0; i < 4; i++) await hooks.run(input());
    await hooks.run(input({ rule: "sandbox", detail: "no" }, "SecurityViolation"));
    expect(report(hooks).events.map(({ findings }) => findings.map(({ rule }) => rule))).toEqual([
      [],
      [],
      [],
      ["rate"],
      ["denial"],
    ]);
  });

  test.each<[Record<string, unknown>, string[]]>([
    [{}, ["length", "path_traversal", "rate"]],
    [{ check_parameters: false }, ["rate"]],
    [{ rate_limiting: false }, ["length", "path_traversal"]],
    [{ max_parameter_length: 12 }, ["path_traversal", "rate"]],
  ])("with %p looks for %p", async (options, rules) => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security", {
      max_calls_per_minute: 1,
      max_parameter_length: 11,
      ...options,
    });
    for (let i = 0; i < 2; i++) await hooks.run(input({ params: { path: "../12345678x" } }));
    expect(
      report(hooks)
        .events.at(-1)!
        .findings.map(({ rule }) => rule),
    ).toEqual(rules);
  });

  test("keeps no value under the names that are set as sensitive", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security", { sensitive_names: ["pin"] });
    await hooks.run(input({ params: { pin: "4711", text: "plain" } }));
    expect(report(hooks).events[0]!.data).toEqual({ params: { pin: "<REDACTED>", text: "plain" } });
    expect(JSON.stringify(report(hooks))).not.toContain("4711");
  });

  test("keeps no events where it need not audit, and counts them", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security", { audit: false });
    await hooks.run(input({ params: { path: "../x" } }));
    expect(report(hooks)).toMatchObject({ events: [], counts: { high: 1 } });
  });
});
