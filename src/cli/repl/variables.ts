/** The script's global variables, seen and set from the prompt. */
import { type ErrorCode, errorFromJson, SpellError } from "../../core/errors.ts";
import { scriptArguments } from "../script-args.ts";
import { usageError } from "../usage.ts";
import type { ReplSession } from "./session.ts";

export interface Variable {
  name: string;
  /** As Lua's `type` tells it. */
  type: string;
  /** As Lua's `tostring` shows it, shortened. */
  shown: string;
}

export async function listVariables(session: ReplSession): Promise<Variable[]> {
  return (await session.ask({ type: "variables" })).variables as Variable[];
}

/** What `JSON.stringify` raises, and a `JSON` that a script has replaced. */
const UNSAYABLE: readonly ErrorCode[] = ["invalid_argument", "script"];

/** The value as JSON text; undefined where JSON cannot say it. */
export async function variableAsJson(session: ReplSession, name: string): Promise<string | undefined> {
  try {
    return (await evaluate(session, `return JSON.stringify(_ENV[${luaString(name)}])`)) as string;
  } catch (error) {
    if (error instanceof SpellError && UNSAYABLE.includes(error.code)) return undefined;
    throw error;
  }
}

export async function setVariable(session: ReplSession, name: string, json: string): Promise<void> {
  await evaluate(session, `_ENV[${luaString(name)}] = JSON.parse(${luaString(json)})`);
}

export async function unsetVariable(session: ReplSession, name: string): Promise<void> {
  await evaluate(session, `_ENV[${luaString(name)}] = nil`);
}

/** @throws SpellError usage */
export function checkedName(name: string): string {
  if (/^[A-Za-z_]\w*$/.test(name)) return name;
  throw usageError(
    `A variable needs a name of letters, digits and underscores: ${name}`,
    "`.set name value`",
  );
}

/** Not an input: neither shown nor counted. */
async function evaluate(session: ReplSession, code: string): Promise<unknown> {
  const reply = await session.options.kernel.request(
    {
      type: "execute",
      code,
      name: "repl",
      args: scriptArguments("repl", []),
      language: session.options.engine,
      stream: false,
    },
    { signal: session.io.signal },
  );
  if (reply.status === "error") throw errorFromJson(reply.error);
  return reply.value;
}

/** A Lua string literal: line ends, quotes and control characters by their numbers. */
function luaString(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
  const safe = text.replace(/[\u0000-\u001f"\\]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, "0")}`);
  return `"${safe}"`;
}
