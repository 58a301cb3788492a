/**
 * A model of spec/lua-api.md section 0.1, written from its two tables and not from the code: random programs of nested
 * calls and callbacks, each with what it must give.
 */

/** A Lua value. Maps have text keys; a sequence has no holes. */
export type LuaValue =
  | { type: "nil" }
  | { type: "boolean"; value: boolean }
  | { type: "integer"; value: bigint }
  | { type: "float"; value: number }
  | { type: "string"; bytes: number[] }
  | { type: "sequence"; items: LuaValue[] }
  | { type: "map"; fields: [string, LuaValue][] };

/** A small deterministic generator (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const TWO_63 = 2 ** 63;

/** What comes back when a value has gone to the kernel and returned. */
export function crossed(v: LuaValue): LuaValue {
  switch (v.type) {
    case "float":
      if (!Number.isFinite(v.value)) return { type: "nil" };
      if (Number.isInteger(v.value) && v.value >= -TWO_63 && v.value < TWO_63)
        return { type: "integer", value: BigInt(v.value) };
      return v;
    case "sequence":
      if (v.items.length === 0) return { type: "map", fields: [] };
      return { type: "sequence", items: v.items.map(crossed) };
    case "map":
      return {
        type: "map",
        fields: v.fields
          .map(([k, f]): [string, LuaValue] => [k, crossed(f)])
          .filter(([, f]) => f.type !== "nil"),
      };
    default:
      return v;
  }
}

/** The value as the script's `show` prints it. */
export function shown(v: LuaValue): string {
  switch (v.type) {
    case "nil":
      return "nil";
    case "boolean":
      return String(v.value);
    case "integer":
      return `i${v.value}`;
    case "float": {
      if (Number.isNaN(v.value)) return "nan";
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, v.value);
      return `f${view.getBigUint64(0).toString(16).padStart(16, "0")}`;
    }
    case "string":
      return `s${v.bytes.map((b) => b.toString(16).padStart(2, "0")).join("")}`;
    case "sequence":
      return v.items.length === 0 ? "{}" : `[${v.items.map(shown).join(",")}]`;
    case "map": {
      const fields = v.fields.map(([k, f]) => [Buffer.from(k).toString("hex"), shown(f)] as const);
      fields.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      return `{${fields.map(([k, f]) => `${k}=${f}`).join(",")}}`;
    }
  }
}

export const SHOW = `
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function show(v)
  if math.type(v) == "integer" then return "i" .. v end
  if v ~= v then return "nan" end
  if math.type(v) == "float" then return "f" .. hex(string.pack(">d", v)) end
  if type(v) == "string" then return "s" .. hex(v) end
  if type(v) ~= "table" then return tostring(v) end
  local parts = {}
  if #v > 0 then
    for i = 1, #v do parts[i] = show(v[i]) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for k, f in pairs(v) do parts[#parts + 1] = hex(k) .. "=" .. show(f) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end
`;

/** A Lua expression and the value it has. */
export interface Program {
  source: string;
  value: LuaValue;
  /** How many calls cross the bridge, callbacks included. */
  calls: number;
}

const INTEGERS = [
  0n,
  1n,
  -1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n) + 1n,
];
const FLOATS = [0.5, -1.25, 1e300, 2 ** 60, 3, 1e-310, Number.POSITIVE_INFINITY, Number.NaN];
const KEYS = ["a", "key", "__proto__", "constructor", "with space", "ключ", "10", "kind"];

export class Generator {
  constructor(private readonly random: () => number) {}

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  program(depth: number): Program {
    if (depth === 0 || this.random() < 0.15) {
      const value = this.literal(3);
      return { source: source(value), value, calls: 0 };
    }
    const inner = this.program(depth - 1);
    const back = crossed(inner.value);
    const calls = inner.calls;
    switch (this.below(7)) {
      case 0:
        return { source: `Host.echo(${inner.source})`, value: back, calls: calls + 1 };
      case 1:
        return { source: `Host.slowly(${inner.source})`, value: back, calls: calls + 1 };
      case 2:
        return { source: `Host.apply(function() return ${inner.source} end)`, value: back, calls: calls + 2 };
      case 3:
        return {
          source: `Host.apply(function(a) return a end, ${inner.source})`,
          value: back,
          calls: calls + 2,
        };
      case 4: {
        const text = this.text();
        return {
          source: `(function(...) return select(2, pcall(Host.fail, ${source(text)})) end)(${inner.source})`,
          value: text,
          calls: calls + 1,
        };
      }
      case 5: {
        const text = this.text();
        return {
          source: `select(2, pcall(Host.apply, function() local _ = ${inner.source}; error(${source(text)}, 0) end))`,
          value: text,
          calls: calls + 2,
        };
      }
      default:
        return {
          source: `coroutine.wrap(function() return Host.echo({${inner.source}, n = 1}) end)()`,
          value: mixedTable(inner.value),
          calls: calls + 1,
        };
    }
  }

  /** Text that is valid UTF-8 and not empty. */
  private text(): LuaValue {
    const letters = Array.from({ length: 1 + this.below(30) }, () =>
      this.pick(["a", "Z", " ", "é", "漢", "😀", "\n", "%"]),
    );
    return { type: "string", bytes: [...Buffer.from(letters.join(""))] };
  }

  private literal(depth: number): LuaValue {
    switch (this.below(depth === 0 ? 6 : 8)) {
      case 0:
        return { type: "boolean", value: this.random() < 0.5 };
      case 1:
        return { type: "integer", value: this.pick(INTEGERS) };
      case 2:
        return { type: "float", value: this.pick(FLOATS) };
      case 3:
        return this.text();
      case 4:
        return { type: "string", bytes: Array.from({ length: this.below(40) }, () => this.below(256)) };
      case 5:
        return this.deep(this.below(60));
      case 6:
        return sequence(Array.from({ length: this.below(5) }, () => this.present(depth - 1)));
      default: {
        const keys = new Set(Array.from({ length: this.below(5) }, () => this.pick(KEYS)));
        return { type: "map", fields: [...keys].map((key) => [key, this.present(depth - 1)]) };
      }
    }
  }

  /** A value that does not become nil on the way: holes in sequences are another test's subject. */
  private present(depth: number): LuaValue {
    const value = this.literal(depth);
    return crossed(value).type === "nil" ? { type: "boolean", value: true } : value;
  }

  private deep(levels: number): LuaValue {
    let value: LuaValue = { type: "integer", value: 7n };
    for (let i = 0; i < levels; i++)
      value = this.random() < 0.5 ? sequence([value]) : { type: "map", fields: [["d", value]] };
    return value;
  }
}

/** `{v, n = 1}` after a crossing: with a border above 0 it is an array, and a NaN in it leaves a hole. */
function mixedTable(v: LuaValue): LuaValue {
  if (v.type === "nil") return { type: "map", fields: [["n", { type: "integer", value: 1n }]] };
  const back = crossed(v);
  return back.type === "nil" ? { type: "map", fields: [] } : sequence([back]);
}

function sequence(items: LuaValue[]): LuaValue {
  return { type: "sequence", items };
}

/** The value as a Lua expression. */
function source(v: LuaValue): string {
  switch (v.type) {
    case "nil":
      return "nil";
    case "boolean":
      return String(v.value);
    case "integer":
      return String(v.value);
    case "float":
      if (Number.isNaN(v.value)) return "(0/0)";
      if (!Number.isFinite(v.value)) return "math.huge";
      return Number.isInteger(v.value) && Math.abs(v.value) < 1e15 ? `${v.value}.0` : v.value.toExponential();
    case "string":
      return `"${v.bytes.map((b) => `\\x${b.toString(16).padStart(2, "0")}`).join("")}"`;
    case "sequence":
      return `{${v.items.map(source).join(", ")}}`;
    case "map":
      return `{${v.fields.map(([k, f]) => `[${source({ type: "string", bytes: [...Buffer.from(k)] })}] = ${source(f)}`).join(", ")}}`;
  }
}
