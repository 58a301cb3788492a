/** Completion and inspection for prompts, notebooks and editors: from the declarations, and from what is there. */
import { describeDeclared, describeMethod, functionNames, globalNames, methodNames } from "./declared.ts";
import { liveKeys, liveValue, type Peek } from "./live.ts";
import { type NamePath, pathAt } from "./path.ts";

const KEYWORDS =
  "and break do else elseif end false for function goto if in local nil not or repeat return then true until while";

export interface Completions {
  /** What may stand in place of the text from `cursor_start` to `cursor_end`, sorted. */
  matches: string[];
  /** UTF-16 units. */
  cursor_start: number;
  cursor_end: number;
}

export async function complete(code: string, cursor: number, peek: Peek): Promise<Completions> {
  const at = Math.min(cursor, code.length);
  const path = pathAt(code, at);
  if (path === undefined) return { matches: [], cursor_start: at, cursor_end: at };
  const { owners, prefix, start } = path;
  const names = owners.length === 0 ? await freeNames(code, path, peek) : await fieldNames(path, peek);
  const matches = [...new Set(names)]
    .filter((name) => name.startsWith(prefix) && /^[A-Za-z_]\w*$/.test(name))
    .sort();
  return { matches, cursor_start: start, cursor_end: at };
}

async function freeNames(code: string, path: NamePath, peek: Peek): Promise<string[]> {
  const elsewhere = `${code.slice(0, path.start)} ${code.slice(path.end)}`;
  const words = elsewhere.match(/\b[A-Za-z_]\w*/g) ?? [];
  const own = new Set(path.prefix === "" ? [] : words);
  return [...KEYWORDS.split(" "), ...globalNames(), ...(await liveKeys(peek, [])), ...own];
}

async function fieldNames({ owners, separator }: NamePath, peek: Peek): Promise<string[]> {
  const declared = owners.length === 1 ? functionNames(owners[0]!) : undefined;
  if (declared !== undefined) return declared;
  const live = await liveKeys(peek, owners);
  return live.length === 0 && separator === ":" ? methodNames() : live;
}

export interface Inspection {
  found: boolean;
  markdown: string;
}

/** About the name under the cursor, or before the bracket that the cursor stands in. */
export async function inspect(code: string, cursor: number, peek: Peek): Promise<Inspection> {
  const at = Math.min(cursor, code.length);
  const called = /[\w.:]+(?=\s*\([^()]*$)/.exec(code.slice(0, at));
  for (const place of [at, ...(called === null ? [] : [called.index + called[0].length])]) {
    const path = pathAt(code, place);
    if (path === undefined || path.name === "") continue;
    const markdown = await describe(path, peek);
    if (markdown !== undefined) return { found: true, markdown };
  }
  return { found: false, markdown: "" };
}

async function describe({ owners, name, separator }: NamePath, peek: Peek): Promise<string | undefined> {
  const names = [...owners, name];
  const declared = describeDeclared(names) ?? (separator === ":" ? describeMethod(name) : undefined);
  if (declared !== undefined) return declared;
  const value = await liveValue(peek, names);
  return value === undefined ? undefined : `\`${names.join(".")}\`: ${value.shown}`;
}
