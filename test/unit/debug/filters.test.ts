import { describe, expect, test } from "bun:test";
import { ModuleFilters } from "../../../src/debug/filters.ts";

const none = { enabled: [], disabled: [], levels: {} };

describe("ModuleFilters", () => {
  test("lets everything through without rules", () => {
    const filters = new ModuleFilters(none);
    expect(filters.allows("a.b")).toBe(true);
    expect(filters.allows(undefined)).toBe(true);
  });

  test.each([
    ["workflow.*", "workflow.step", true],
    ["workflow.*", "workflow", false],
    ["*.step", "workflow.step", true],
    ["w*f*p", "workflow.step", true],
    ["w*f*q", "workflow.step", false],
    ["*", "", true],
    ["a.b", "a.b", true],
    ["a.b", "aXb", false],
  ])("takes * in %p for any run of characters in %p: %p", (pattern, module, matches) => {
    const filters = new ModuleFilters(none);
    filters.defaultEnabled = false;
    filters.add(pattern, "wildcard", true);
    expect(filters.allows(module)).toBe(matches);
  });

  test.each([
    ["a.b", "a.b", true],
    ["a.b", "a.b.c", true],
    ["a.b", "a.b::c", true],
    ["a.b", "a.bc", false],
    ["a.b", "a", false],
  ])("covers below %p hierarchically %p: %p", (pattern, module, matches) => {
    const filters = new ModuleFilters(none);
    filters.defaultEnabled = false;
    filters.add(pattern, "hierarchical", true);
    expect(filters.allows(module)).toBe(matches);
  });

  test("lets the rule added last decide, also for modules seen before", () => {
    const filters = new ModuleFilters(none);
    filters.add("net.*", "wildcard", false);
    expect(filters.allows("net.http")).toBe(false);
    filters.add("net.http", "exact", true);
    expect(filters.allows("net.http")).toBe(true);
    expect(filters.allows("net.ftp")).toBe(false);
    expect(filters.remove("net.http")).toBe(true);
    expect(filters.remove("net.http")).toBe(false);
    expect(filters.allows("net.http")).toBe(false);
    filters.clear();
    expect(filters.allows("net.http")).toBe(true);
  });

  test("replaces the rule of a pattern that is added again", () => {
    const filters = new ModuleFilters(none);
    filters.add("a", "exact", true);
    filters.add("a", "exact", false);
    expect(filters.list().map((rule) => rule.enabled)).toEqual([false]);
  });

  test("finds a regular expression anywhere in the name", () => {
    const filters = new ModuleFilters(none);
    filters.add("^db[0-9]+", "regex", false);
    expect(filters.allows("db12.read")).toBe(false);
    expect(filters.allows("mydb12")).toBe(true);
  });

  test("answers at once for an expression that makes backtracking engines hang", () => {
    const filters = new ModuleFilters(none);
    filters.add("^(a+)+$", "regex", false);
    expect(filters.allows(`${"a".repeat(5000)}!`)).toBe(true);
  });

  test("refuses what is no regular expression and keeps the earlier rule", () => {
    const filters = new ModuleFilters(none);
    expect(filters.tryAdd("(", "regex", true)).toBe(false);
    expect(filters.tryAdd("(?=x)", "regex", true)).toBe(false);
    expect(filters.list()).toEqual([]);
  });

  test("logs only the modules that the configuration enables", () => {
    const filters = new ModuleFilters({ enabled: ["app.*"], disabled: ["app.noise"], levels: {} });
    expect(filters.allows("app.main")).toBe(true);
    expect(filters.allows("app.noise")).toBe(false);
    expect(filters.allows("other")).toBe(false);
  });

  test("takes the level of the longest pattern that matches", () => {
    const filters = new ModuleFilters({
      ...none,
      levels: { "*": "warn", "db.*": "trace", "db.pool": "off" },
    });
    expect(filters.levelFor("db.pool")).toBe("off");
    expect(filters.levelFor("db.read")).toBe("trace");
    expect(filters.levelFor("web")).toBe("warn");
    expect(filters.levelFor(undefined)).toBeUndefined();
  });

  test("stays correct when more modules are asked for than are remembered", () => {
    const filters = new ModuleFilters(none);
    filters.add("m7*", "wildcard", false);
    for (let i = 0; i < 3000; i++) expect(filters.allows(`m${i}`)).toBe(!`m${i}`.startsWith("m7"));
  });
});
