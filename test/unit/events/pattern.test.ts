import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { compilePattern, matchesPattern } from "../../../src/events/pattern.ts";
import { Routes } from "../../../src/events/routes.ts";
import { uniform } from "../../support/random.ts";

/** Written by hand from spec/kernel.md section 18.2 and spec/lua-api.md section 7. */
const TABLE: readonly (readonly [pattern: string, matching: readonly string[], not: readonly string[]])[] = [
  ["*", ["a", "a.b", "", "a.b.c.d"], []],
  ["**", ["a", "a.b", ""], []],
  ["user.login", ["user.login"], ["user.logins", "user.logi", "xuser.login", "user.login.x", "USER.login"]],
  ["user.*", ["user.login", "user.", "user.login.failed"], ["user", "users.login", "a.user.login"]],
  ["user*", ["user", "users", "user.login", "user.login.failed"], ["use", "auser"]],
  ["*.error", ["tool.error", ".error"], ["error", "a.tool.error", "tool.errors", "tool.error.x"]],
  ["**.error", ["tool.error", "a.tool.error", "error"], ["terror", "tool.errors", "error.x"]],
  ["a.*.b", ["a.x.b", "a..b", "a.xyz.b"], ["a.b", "a.x.y.b", "a.x.bb", "a.x.b.c"]],
  ["a.**.b", ["a.b", "a.x.b", "a.x.y.b"], ["a.xb", "ab", "a.x.bb", "b"]],
  ["a.x*y.b", ["a.xy.b", "a.x-y.b", "a.xyy.b"], ["a.x.y.b", "a.xyz.b"]],
  ["a**z", ["az", "a.z", "a.b.c.z"], ["a.b", "ba.z"]],
  ["*.step.*", ["workflow.step.started", "x.step.a.b", ".step."], ["step.x", "a.b.step.x", "a.step"]],
  ["a.*.c*", ["a.b.c", "a.b.cd", "a.b.c.d.e"], ["a.c", "a.b.b.c", "a.b"]],
  ["a+b.[c]?", ["a+b.[c]?"], ["aab.cx", "a+b.c"]],
  ["*a*a*a*", ["aaa", "xaxaxa.b.c"], ["aa", "a.a.a"]],
  ["ü.*", ["ü.x"], ["u.x"]],
];

describe("patterns of events", () => {
  for (const [pattern, matching, not] of TABLE) {
    const compiled = compilePattern(pattern);
    for (const type of matching)
      test(`${pattern} matches "${type}"`, () => expect(matchesPattern(compiled, type)).toBe(true));
    for (const type of not)
      test(`${pattern} does not match "${type}"`, () => expect(matchesPattern(compiled, type)).toBe(false));
  }

  test("an empty and an overlong one are refused", () => {
    expect(() => compilePattern("")).toThrow(SpellError);
    expect(() => compilePattern("a".repeat(1025))).toThrow("at most 1024");
  });

  test("many stars do not take long", () => {
    const pattern = compilePattern(`${"*a".repeat(200)}b`);
    expect(matchesPattern(pattern, "a".repeat(2000))).toBe(false);
  });
});

describe("routes", () => {
  test("find what each pattern alone matches, in the order of adding, while patterns come and go", () => {
    const random = uniform(18);
    const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)]!;
    const types = TABLE.flatMap(([, matching, not]) => [...matching, ...not]);
    const routes = new Routes<{ pattern: string }>();
    const added: { pattern: string }[] = [];
    for (let i = 0; i < 3000; i++) {
      const act = random();
      if (act < 0.3) {
        const receiver = { pattern: pick(TABLE)[0] };
        routes.add(receiver.pattern, receiver);
        added.push(receiver);
      } else if (act < 0.55 && added.length > 0) {
        const [gone] = added.splice(Math.floor(random() * added.length), 1);
        routes.delete(gone!);
      } else {
        const type = pick(types);
        const expected = added.filter(({ pattern }) => matchesPattern(compilePattern(pattern), type));
        expect(routes.find(type)).toEqual(expected);
      }
      expect(routes.size).toBe(added.length);
    }
  });
});
