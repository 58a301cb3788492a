/** A key that no test sets may do nothing, and nobody would notice. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Glob } from "bun";
import { nodeAt, type SchemaNode } from "../../../src/config/node.ts";
import { matchesWildcard } from "../../../src/core/wildcard.ts";

/** The sections that this holds for. */
const SECTIONS = ["runtime", "hooks"];

/** Those that look at how keys are written, and at nothing that they do. */
const OF_SPELLING = "test/unit/config/";

/** Keys of many tables that one test sets in all of them, and keys that it sets by their whole path. */
const TOGETHER: Readonly<Record<string, string>> = {
  "hooks.builtin.*.enabled": "test/unit/hooks/builtin/switching.test.ts",
  "hooks.builtin.*.points": "test/unit/hooks/builtin/switching.test.ts",
  "runtime.state_persistence.auto_save": "test/unit/kernel/kept-agents.test.ts",
  "runtime.state_persistence.auto_load": "test/unit/kernel/kept-agents.test.ts",
};

/** Sources of tests, in which a line end within a text is one. */
const sources = [...new Glob("test/**/*.{ts,lua,py}").scanSync(".")]
  .filter((file) => !file.startsWith(OF_SPELLING))
  .map((file) => readFileSync(file, "utf8").replaceAll("\\n", "\n"));

function leaves(node: SchemaNode, path: string[]): string[][] {
  if (node.properties === undefined) return [path];
  return Object.entries(node.properties).flatMap(([key, child]) => leaves(child, [...path, key]));
}

const keys = SECTIONS.flatMap((section) => leaves(nodeAt([section])!, [section]));
const last = (path: readonly string[]): string => path.at(-1)!;
const isShared = (path: readonly string[]): boolean =>
  keys.filter((other) => last(other) === last(path)).length > 1;

/** Whether a source sets it: `key = 1`, `key: 1`, `{ key }` with its name; with the name of its table where others have it too. */
function isSetIn(source: string, path: readonly string[]): boolean {
  const isSet = new RegExp(`\\b${last(path)}"?(?:\\s*[:=]|,? \\})`).test(source);
  return isSet && (!isShared(path) || new RegExp(`\\b${path.at(-2)}\\b`).test(source));
}

describe("Every key is set by a test", () => {
  test.each(SECTIONS)("of [%s]", (section) => {
    const unset = keys
      .filter(([first]) => first === section)
      .filter((path) => !sources.some((source) => isSetIn(source, path)))
      .map((path) => path.join("."))
      .filter((key) => !Object.keys(TOGETHER).some((pattern) => matchesWildcard(pattern, key)));
    expect(unset).toEqual([]);
  });

  test.each(Object.entries(TOGETHER))("%s in %s", (key, file) => {
    expect(readFileSync(file, "utf8")).toContain(key.split(".").at(-1)!);
  });
});
