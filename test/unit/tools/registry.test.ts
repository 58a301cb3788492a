/** Expected names, categories, levels and aliases: the table of spec/tools.md section 1. */
import { afterAll, describe, expect, test } from "bun:test";
import { checkParameters } from "../../../src/tools/parameters.ts";
import { builtinTools } from "../../../src/tools/registry.ts";
import { bench, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

const TABLE: [name: string, category: string, level: string, otherNames: string[]][] = [
  ["base64-encoder", "utility", "safe", []],
  ["calculator", "utility", "safe", []],
  ["datetime-handler", "utility", "safe", []],
  ["environment-reader", "system", "restricted", ["environment-manager", "environment_manager"]],
  [
    "file-operations",
    "filesystem",
    "privileged",
    ["file-reader", "file-writer", "file_read", "file_write", "file-write"],
  ],
  ["hash-calculator", "utility", "restricted", []],
  ["json-processor", "data", "safe", []],
  ["template-creator", "utility", "restricted", ["template-engine", "template_engine"]],
  ["text-manipulator", "utility", "safe", []],
  ["uuid-generator", "utility", "safe", []],
];

describe("the built-in tools", () => {
  test("are those of the table, each once under its main name", () => {
    expect(
      bench()
        .tools.list()
        .map(({ name, category, level }) => [name, category, level]),
    ).toEqual(TABLE.map(([name, category, level]) => [name, category, level]));
  });

  test.each(TABLE)("%s is found under its other names", (name, _category, _level, otherNames) => {
    const { tools } = bench();
    for (const other of [name.replaceAll("-", "_"), ...otherNames])
      expect(tools.find(other)?.name).toBe(name);
  });

  test.each(builtinTools.map((tool) => [tool.name, tool] as const))(
    "%s describes itself for models",
    (_name, tool) => {
      expect(tool.description.split(". ")[0]!.length).toBeLessThanOrEqual(60);
      expect(tool.parameters.type).toBe("object");
      for (const [parameter, schema] of Object.entries(tool.parameters.properties)) {
        expect([parameter, (schema as { description?: string }).description]).toEqual([
          parameter,
          expect.any(String),
        ]);
      }
      expect(JSON.parse(JSON.stringify(tool.parameters))).toEqual(tool.parameters);
    },
  );

  const examples = builtinTools.flatMap((tool) =>
    tool.examples.map((example) => [tool.name, example.title, tool, example] as const),
  );

  test.each(examples)("%s: the example %p works", async (_name, _title, tool, example) => {
    const { tools } = bench(
      (draft) => {
        draft.tools.file_operations.allowed_paths = ["/tmp"];
      },
      { env: { PATH: "/bin" } },
    );
    checkParameters(tool, example.params);
    const result = await tools.execute(tool.name, example.params);
    expect(result.success).toBe(true);
    if (example.result === undefined) return;
    if (typeof example.result === "object") expect(result.result).toMatchObject(example.result as object);
    else expect(result.result).toEqual(example.result);
  });
});
