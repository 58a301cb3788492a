/** spec/lua-api.md sections 0.1 and 11. Texts were compared with Python's json module. */
import { luaTable } from "./support.ts";

luaTable("JSON.stringify", {
  setup: "local cycle = {} cycle.c = cycle local shared = {1}",
  cases: [
    [
      "sorts keys and writes compactly",
      `JSON.stringify({b=1, a={1,2,{}}, c="x"})`,
      `"{"a":[1,2,{}],"b":1,"c":"x"}"`,
    ],
    [
      "writes scalars",
      `JSON.stringify("s"), JSON.stringify(true), JSON.stringify(nil), JSON.stringify()`,
      `""s"" "true" "null" "null"`,
    ],
    ["writes floats of integral value as integers", `JSON.stringify(3.0), JSON.stringify(1.5)`, `"3" "1.5"`],
    [
      "keeps 64-bit integers exact",
      `JSON.stringify({math.maxinteger, math.mininteger})`,
      `"[9223372036854775807,-9223372036854775808]"`,
    ],
    [
      "turns NaN and infinities into null",
      `JSON.stringify({0/0, math.huge, -math.huge})`,
      `"[null,null,null]"`,
    ],
    ["loses the text keys of a mixed table", `JSON.stringify({1, 2, x=3})`, `"[1,2]"`],
    [
      "turns number keys into text and skips others",
      `JSON.stringify({[10]="c", [true]="b"})`,
      `"{"10":"c"}"`,
    ],
    ["takes an empty table for an object", `JSON.stringify({})`, `"{}"`],
    ["writes a table twice that stands in two places", `JSON.stringify({shared, shared})`, `"[[1],[1]]"`],
    ["refuses a table within itself", `JSON.stringify(cycle)`, /^raises: /],
    [
      "refuses functions, at any depth",
      `pcall(JSON.stringify, print), pcall(JSON.stringify, {a={f=print}})`,
      /^false false ".*function/,
    ],
    [
      "refuses threads and files",
      `pcall(JSON.stringify, coroutine.create(print)), pcall(JSON.stringify, io.stdout)`,
      /^false false "/,
    ],
    ["refuses text that is not UTF-8", `JSON.stringify("\\255")`, /^raises: .*UTF-8|bytes/],
    ["indents when asked", `JSON.stringify({a=1}, true)`, `"{\\10  "a": 1\\10}"`],
    ["is also encode", `JSON.encode({1})`, `"[1]"`],
  ],
});

luaTable("JSON.parse", {
  cases: [
    [
      "drops null members and leaves holes for null items",
      `local t = JSON.parse('{"a":null,"b":[1,null,3]}') return t.a, t.b[1], t.b[2], t.b[3]`,
      "nil 1 nil 3",
    ],
    [
      "reads scalars",
      `JSON.parse("1"), JSON.parse("1.5"), JSON.parse('"x"'), JSON.parse("true"), JSON.parse("null")`,
      `1 1.5 "x" true nil`,
    ],
    [
      "keeps integers beyond 2^53 exact",
      `JSON.parse("9007199254740993"), JSON.parse("-9223372036854775808")`,
      "9007199254740993 -9223372036854775808",
    ],
    ["reads integers beyond 64 bits as floats", `math.type(JSON.parse("18446744073709551616"))`, `"float"`],
    ["reads integral numbers as integers", `JSON.parse("1.0")`, "1"],
    ["reads escapes", String.raw`JSON.parse('"\\u00e9\\ud83d\\ude00\\n"') == "\u{e9}\u{1F600}\n"`, "true"],
    ["reads empty tables", `JSON.parse("{}"), JSON.parse("[]")`, "{} {}"],
    ["raises with its own words", `JSON.parse("{bad")`, /^raises: JSON parse error: /],
    ["raises at an empty text", `JSON.parse("")`, /^raises: JSON parse error: /],
    [
      "raises for what is no text",
      `select(2, pcall(JSON.parse, {})) ~= nil, pcall(JSON.parse), pcall(JSON.parse, true)`,
      /^true false false "/,
    ],
    ["is also decode", `JSON.decode("[1,[2]]")`, "{1, {2}}"],
    [
      "reads what stringify writes",
      `JSON.parse(JSON.stringify({a={1,2,{b="é"}}, n=-1.25}))`,
      `{a={1, 2, {b="é"}}, n=-1.25}`,
    ],
  ],
});
