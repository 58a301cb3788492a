/** What an interpreter knows of a name: asked in Lua, past metamethods, so that nothing of the script runs. */

/** Runs a chunk between two executions; undefined while one runs. */
export type Peek = (chunk: string) => Promise<unknown>;

const WALK = `
local function raw(value, key)
  for _ = 1, 10 do
    if type(value) == "table" then
      local found = rawget(value, key)
      if found ~= nil then return found end
    end
    local meta = getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
    if type(value) ~= "table" then return nil end
  end
end
local value = _G
for _, key in ipairs(path) do value = raw(value, key) end
`;

const KEYS = `
local names = {}
for _ = 1, 10 do
  if type(value) == "table" then
    for key in next, value do
      if type(key) == "string" then names[#names + 1] = key end
      if #names >= 5000 then break end
    end
  end
  local meta = getmetatable(value)
  value = type(meta) == "table" and rawget(meta, "__index") or nil
  if type(value) ~= "table" then break end
end
return names
`;

const DESCRIBE = `
if value == nil then return nil end
local kind = type(value)
local shown = kind == "string" and string.format("%q", value:sub(1, 200)) or kind
if kind == "number" or kind == "boolean" then shown = tostring(value) end
if kind == "table" then
  local count = 0
  for _ in next, value do count = count + 1 end
  shown = "table with " .. count .. (count == 1 and " key" or " keys")
end
return { kind = kind, shown = shown }
`;

/** The text keys of what a path of names leads to; none while a script runs. */
export async function liveKeys(peek: Peek, path: readonly string[]): Promise<string[]> {
  const found = await peek(chunk(path, KEYS));
  return Array.isArray(found) ? found.map(String) : [];
}

export async function liveValue(
  peek: Peek,
  path: readonly string[],
): Promise<{ kind: string; shown: string } | undefined> {
  const found = await peek(chunk(path, DESCRIBE));
  return (found as { kind: string; shown: string } | null) ?? undefined;
}

/** Names hold letters, digits and underscores only. */
function chunk(path: readonly string[], ask: string): string {
  return `local path = { ${path.map((name) => `"${name}"`).join(", ")} }${WALK}${ask}`;
}
