import { afterAll, describe, expect, test } from "bun:test";
import { harness } from "./harness.ts";

const h = harness();
afterAll(() => h.engine.dispose());

async function value(code: string): Promise<unknown> {
  const outcome = await h.run(code);
  expect(outcome.error).toBeUndefined();
  return outcome.value;
}

describe("a value that goes to the kernel", () => {
  test("arrives as section 0.1 of the script API says", async () => {
    const cases: [lua: string, arrived: string][] = [
      ["nil", "null"],
      ["true", "boolean:true"],
      ["12", "number:12"],
      ["math.maxinteger", "bigint:9223372036854775807"],
      ["math.mininteger", "bigint:-9223372036854775808"],
      ["1.5", "number:1.5"],
      ["0/0", "null"],
      ["-math.huge", "null"],
      ["'é'", "string:é"],
      ["'\\xff\\0a'", "bytes:ff0061"],
      ["'\\xef\\xbb\\xbfx'", "string:\ufeffx"],
      ["{10, 20, lost = 1}", "[number:10,number:20]"],
      ["{a = 1, [5] = 2, [2.5] = 3, [true] = 4}", "{2.5=number:3,5=number:2,a=number:1}"],
      ["{}", "{}"],
      ["{__proto__ = 1}", "{__proto__=number:1}"],
      ["print", "function"],
    ];
    const list = cases.map(([lua]) => `Host.describe(${lua})`).join(", ");
    expect(await value(`return {${list}}`)).toEqual(cases.map(([, arrived]) => arrived));
  });

  test("is refused when it is a thread, too deep or contains itself, with the place in the message", async () => {
    expect(await value("return select(2, pcall(Host.echo, {a = {coroutine.create(print)}}))")).toBe(
      "Cannot pass a thread to the kernel: at .a[1]",
    );
    expect(await value("local t = {x = {}} t.x.y = t return select(2, pcall(Host.echo, t))")).toBe(
      "Circular reference detected at path: x.y",
    );
    expect(
      await value("local t = {} for _ = 1, 200 do t = {t} end return select(2, pcall(Host.echo, t))"),
    ).toMatch(/^Cannot pass the value: it must nest at most 128 tables deep: at \[1\]/);
  });

  test("may be the same table twice without being a cycle", async () => {
    expect(await value("local t = {1} return Host.describe({t, t})")).toBe("[[number:1],[number:1]]");
  });

  test("may be far larger than the pipe between the threads", async () => {
    expect(await value("local s = ('\\xfe'):rep(3000000) return Host.echo(s) == s")).toBe(true);
    expect(await value("local t = {} for i = 1, 100000 do t[i] = i end return #Host.echo(t)")).toBe(100_000);
  });
});

describe("a value that comes from the kernel", () => {
  test("is an integer where it is integral and fits 64 bits, else a float", async () => {
    expect(
      await value(`local function kind(v) return math.type(Host.echo(v)) end
        return {kind(1), kind(3.0), kind(0.5), kind(2.0^62), kind(2.0^63), kind(1e300)}`),
    ).toEqual(["integer", "integer", "float", "integer", "float", "float"]);
  });

  test("may have an array, fields, a text and fields that only an index finds", async () => {
    expect(
      await value(`local t, keys = Host.table(), {}
        for k in pairs(t) do keys[#keys + 1] = tostring(k) end
        table.sort(keys)
        return {#t, t.name, t.hidden, tostring(t), "see " .. t, t .. "!", table.concat(keys, " ")}`),
    ).toEqual([2, "n", true, "all of it", "see all of it", "all of it!", "1 2 name"]);
  });
});

describe("what a chunk returns", () => {
  test("keeps string keys of a mixed table and shows what is no data as text", async () => {
    expect(await value("return {1, 2, a = 3, f = print}")).toEqual({ a: 3, f: "<function>" });
    expect(await value("return {1, {print}}")).toEqual([1, ["<function>"]]);
    expect(await value("return Host.counter('r')")).toBe("<Counter>");
  });

  test("is null for nothing, and its first value for several", async () => {
    expect(await value("")).toBeNull();
    expect(await value("return 1, 2")).toBe(1);
  });

  test("keeps integers of 64 bits", async () => {
    expect(await value("return math.mininteger")).toBe(-(2n ** 63n));
  });
});
