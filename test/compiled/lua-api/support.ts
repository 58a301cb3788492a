/** Tables of Lua expressions and what they give, run by the built executable: one process for each table. */
import { beforeAll, describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

/**
 * What is tried; the Lua code (an expression list, or statements with a `return`); its values as `show` writes them,
 * separated by spaces. A raised error is `raises: ` and its text.
 */
export type Case = readonly [name: string, lua: string, values: string | RegExp];

export interface Table {
  /** Lua code before the cases; its locals are theirs. */
  setup?: string;
  /** TOML, given by `-c`. */
  config?: string;
  files?: Readonly<Record<string, string>>;
  args?: readonly string[];
  cases: readonly Case[];
}

/** Text as it stands, in quotes; floats with a point; keys sorted. It uses nothing but Lua. */
const SHOW = String.raw`
local function show(value)
  local kind = math.type(value) or type(value)
  if kind == "string" then
    return '"' .. value:gsub('[%c\\]', function(c) return ("\\%d"):format(c:byte()) end) .. '"'
  elseif kind == "float" then
    local text = ("%.14g"):format(value)
    return text:find("^-?%d+$") and text .. ".0" or text
  elseif kind ~= "table" then
    return kind == "function" and "function" or tostring(value)
  end
  local parts, keys, count = {}, {}, #value
  for i = 1, count do parts[i] = show(value[i]) end
  for key in pairs(value) do
    if not (math.type(key) == "integer" and key >= 1 and key <= count) then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do parts[#parts + 1] = tostring(key) .. "=" .. show(value[key]) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function case(number, body)
  local results = table.pack(pcall(body))
  local texts = {}
  if not results[1] then texts[1] = "raises: " .. tostring(results[2])
  else for i = 2, results.n do texts[i - 1] = show(results[i]) end end
  io.write("\n#", number, " ", table.concat(texts, " "), "\n")
end
`;

const bodyOf = (lua: string) => (/\breturn\b/.test(lua) ? lua : `return ${lua}`);

export function luaTable(title: string, { setup = "", config, files = {}, args = [], cases }: Table): void {
  describe(title, () => {
    const got = new Map<number, string>();

    beforeAll(async () => {
      using box = new Sandbox();
      for (const [name, content] of Object.entries({ "ci.toml": config ?? "", ...files }))
        box.write(name, content);
      const calls = cases.map(([, lua], i) => `case(${i}, function() ${bodyOf(lua)}\nend)`);
      box.write("script.lua", [SHOW, setup, ...calls].join("\n"));
      const options = config === undefined ? [] : ["-c", "ci.toml"];
      const done = await box.run([
        ...options,
        "run",
        "script.lua",
        ...(args.length > 0 ? ["--", ...args] : []),
      ]);
      for (const [, number, values] of done.stdout.matchAll(/^#(\d+) (.*)$/gm))
        got.set(Number(number), values!);
      expect([done.stderr, done.code]).toEqual(["", 0]);
    });

    for (const [i, [name, , values]] of cases.entries()) {
      test(name, () => {
        const shown = got.get(i);
        if (typeof values === "string") expect(shown).toBe(values);
        else expect(shown ?? "").toMatch(values);
      });
    }
  });
}

/** A configuration whose default provider `ci` gives scripted answers (docs/test-provider.md). */
export function scripted(responses: string): string {
  return `[providers]\ndefault_provider = "ci"\n[providers.ci]\nprovider_type = "test"\ndefault_model = "scripted"\n${responses}`;
}
