import { describe, expect, test } from "bun:test";
import { fromWire, toWire } from "../../../src/core/wire-values.ts";

const throughJson = (value: unknown) => fromWire(JSON.parse(JSON.stringify(toWire(value))));

describe("values of the kernel API in JSON", () => {
  test.each([
    ["bytes", new Uint8Array([0, 255, 128])],
    ["no bytes", new Uint8Array()],
    ["the largest 64-bit integer", 2n ** 63n - 1n],
    ["the smallest 64-bit integer", -(2n ** 63n)],
    ["not a number", Number.NaN],
    ["infinities", [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ["minus zero", -0],
    ["text with a lone surrogate", "\ud800"],
    ["an object that looks like bytes", { $bytes: "AA==" }],
    ["an object that looks like a wrapped one", { $object: { $number: "NaN" } }],
    ["a key that begins with $ among others", { $bytes: 1, other: null }],
    ["keys of prototypes", JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}')],
    ["nested", { a: [{ b: new Uint8Array([1]) }, 1n] }],
  ])("keeps %s", (_, value) => {
    const back = throughJson(value);
    expect(Bun.inspect(back)).toBe(Bun.inspect(value));
    expect(Bun.deepEquals(back, value, true)).toBe(true);
  });

  test("leaves out what is undefined, as structured cloning shows it to JSON", () => {
    expect(JSON.stringify(toWire({ a: undefined, b: [undefined] }))).toBe('{"b":[null]}');
  });

  test.each([
    ["a tag that is not known", { $date: "2026" }],
    ["bytes that are not base64", { $bytes: "@@" }],
    ["an integer that is none", { $integer: "1.5" }],
    ["a number that has no name", { $number: "toString" }],
    ["what nests too deep", JSON.parse(`${"[".repeat(300)}${"]".repeat(300)}`)],
  ])("refuses %s", (_, value) => {
    expect(() => fromWire(value)).toThrow();
  });

  test("refuses functions", () => {
    expect(() => toWire({ f: () => 1 })).toThrow("JSON has no form");
  });
});
