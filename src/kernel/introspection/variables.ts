/** The global variables that scripts have set. */
import { globals } from "../../globals/index.ts";
import type { ScriptSession } from "../execution.ts";

export interface ScriptVariable {
  name: string;
  /** As Lua's `type` tells it. */
  type: string;
  /** As `tostring` shows it, at most 200 bytes. */
  shown: string;
}

/** What a VM has before its first script, beside the declared globals (spec/lua-api.md section 20). */
const STANDARD =
  "_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io ipairs load loadfile math next os package " +
  "pairs pcall print rawequal rawget rawlen rawset require select setmetatable string table tonumber tostring type utf8 " +
  "warn xpcall ARGS Args args arg";

/** Waits for the script that runs, if any. */
export async function scriptVariables(session: ScriptSession): Promise<ScriptVariable[]> {
  const known = new Set([...STANDARD.split(" "), ...globals.map(({ name }) => name)]);
  const reply = await session.execute(
    {
      type: "execute",
      code: LISTING,
      name: "variables",
      args: { script: "variables", positional: [], named: {} },
      language: "lua",
      stream: false,
    },
    {},
  );
  const all = Object.entries(
    (reply.value ?? {}) as Record<string, [type: string, shown: string | Uint8Array]>,
  );
  return all
    .filter(([name]) => !known.has(name))
    .map(([name, [type, shown]]) => ({
      name,
      type,
      shown: typeof shown === "string" ? shown : new TextDecoder().decode(shown),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const LISTING = `
local found = {}
for name, value in next, _ENV do
  if type(name) == "string" then
    local ok, text = pcall(function()
      local text = tostring(value)
      return #text <= 200 and text or text:sub(1, 197) .. "..."
    end)
    found[name] = {type(value), ok and text or "?"}
  end
end
return found
`;
