import { describe, expect, test } from "bun:test";
import { completeness } from "../../../src/kernel/introspection/complete-input.ts";

/** Whether Lua's own prompt asks for more after these lines. */
function luaAsksForMore(input: string): boolean {
  const done = Bun.spawnSync(["lua5.4", "-i"], { stdin: new TextEncoder().encode(`${input}\n`) });
  const prompts = done.stdout.toString();
  return prompts.lastIndexOf(">> ") > prompts.lastIndexOf("\n> ") && prompts.includes(">> ");
}

const WHOLE = [
  "1 + 1",
  "x = 5",
  "return 7",
  "-- a comment",
  "f()",
  "for i = 1, 2 do end",
  "::label::",
  "x = [[a\nb]]",
];
const OPEN = [
  "for i = 1, 2 do",
  "function f(a)",
  "local t = {",
  "x = [[one\ntwo",
  "--[[ a comment",
  "if a then\n  b()",
  "print(",
  "repeat",
  "x = 'a\\",
  "a.b:c(function(x)",
  "print('<eof>'",
];
const WRONG = ["}", "for for", "x = = 1", "1 1", "x = 5)"];
/** Lua's own prompt asks on, and refuses whatever comes. */
const HOPELESS = ["x = 'a", "print('<eof>"];

describe("whether an input is whole", () => {
  test.each([...WHOLE, ...OPEN, ...WRONG])("is told as Lua's own prompt tells it: %j", (input) => {
    expect(completeness(input).state === "incomplete").toBe(luaAsksForMore(input));
  });

  test.each(WHOLE)("is so for %j", (input) => {
    expect(completeness(input)).toEqual({ state: "complete", indent: "" });
  });

  test.each([...WRONG, ...HOPELESS])("is past help for %j", (input) => {
    expect(completeness(input).state).toBe("invalid");
  });

  test.each(["1 +", '"a" ..', "{1,", "(2"])(
    "waits for the rest of an expression, as Lua's prompt does not: %j",
    (input) => {
      expect(completeness(input).state).toBe("incomplete");
    },
  );

  test("offers the indent of a further line", () => {
    expect(completeness("for i = 1, 2 do").indent).toBe("  ");
    expect(completeness("if a then\n  for i = 1, 2 do").indent).toBe("    ");
    expect(completeness("if a then\n  b()").indent).toBe("  ");
  });
});
