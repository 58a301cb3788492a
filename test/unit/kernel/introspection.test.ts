import { describe, expect, test } from "bun:test";
import { complete, inspect } from "../../../src/kernel/introspection/introspection.ts";

/** An interpreter that is busy. */
const busy = async () => undefined;

async function offered(text: string, peek: (chunk: string) => Promise<unknown> = busy) {
  const cursor = text.indexOf("^");
  const code = text.replace("^", "");
  const { matches, cursor_start, cursor_end } = await complete(code, cursor, peek);
  if (matches.length > 0)
    expect(code.slice(cursor_start, cursor_end)).toBe(/\w*$/.exec(code.slice(0, cursor))![0]);
  return matches;
}

describe("completion without an interpreter", () => {
  test("offers keywords, globals of the script API and words of the code", async () => {
    expect(await offered("lo^")).toEqual(["local"]);
    expect(await offered("Too^")).toEqual(["Tool"]);
    expect(await offered("local counter = 1\nprint(cou^")).toEqual(["counter"]);
  });

  test("offers the functions of a global, aliases too, also where spaces stand between", async () => {
    expect(await offered("JSON.^")).toEqual(["decode", "encode", "parse", "stringify"]);
    expect(await offered("x = JSON . pa^")).toEqual(["parse"]);
  });

  test("offers methods after a colon where nothing is known of the object", async () => {
    expect(await offered("agent:exec^")).toContain("execute");
  });

  test("offers nothing where no name can stand", async () => {
    for (const text of ["f().^", "x[1].a^", "1.^", '("a"):up^', "12a^"])
      expect(await offered(text)).toEqual([]);
  });

  test("takes two dots for a join of texts", async () => {
    expect(await offered('"a" .. Too^')).toEqual(["Tool"]);
  });
});

test("completion asks the interpreter for the keys of a path, and offers names only", async () => {
  let asked = "";
  const peek = async (chunk: string) => {
    asked = chunk;
    return ["good", "not a name", "good"];
  };
  expect(await offered("a.b.g^", peek)).toEqual(["good"]);
  expect(asked).toContain('local path = { "a", "b" }');
});

describe("inspection", () => {
  test("describes a function, from its name and from within its call", async () => {
    for (const [code, cursor] of [
      ["JSON.parse", 7],
      ["x = JSON.parse(", 15],
      ["JSON.parse('{}', ", 16],
    ] as const) {
      const { found, markdown } = await inspect(code, cursor, busy);
      expect(found).toBe(true);
      expect(markdown).toContain("JSON.parse(text)");
    }
  });

  test("finds nothing of unknown names", async () => {
    expect(await inspect("nothing.here", 10, busy)).toEqual({ found: false, markdown: "" });
  });
});
