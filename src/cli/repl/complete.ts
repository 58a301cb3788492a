/** What the Tab key offers: dot-commands, paths after those that take one, else what the kernel knows. */
import { SpellError } from "../../core/errors.ts";
import { DOT_COMMANDS, isDotCommand } from "./dot-commands.ts";
import type { Completion } from "./editor.ts";
import { entries, resolvePath } from "./file-commands.ts";
import type { ReplSession } from "./session.ts";

/**
 * @param before lines of the same input that were typed before
 * @param line up to the cursor
 */
export async function completeLine(session: ReplSession, before: string, line: string): Promise<Completion> {
  if (before !== "" || !/^\.[\w?-]*/.test(line) || /^\.\d/.test(line))
    return completeCode(session, before, line);
  const space = line.search(/\s/);
  if (space === -1) {
    const words = DOT_COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]).map((word) => `.${word}`);
    return { matches: words.filter((word) => word.startsWith(line)), from: 0 };
  }
  const word = line.slice(1, space);
  const command = DOT_COMMANDS.find(({ name, aliases }) => name === word || aliases.includes(word));
  if (!isDotCommand(line) || !command?.path) return { matches: [], from: line.length };
  return completePath(session, line);
}

function completePath(session: ReplSession, line: string): Completion {
  const from = /^\S+\s+/.exec(line)![0].length;
  const typed = line.slice(from);
  const head = typed.slice(0, typed.lastIndexOf("/") + 1);
  try {
    const directory = resolvePath(session, head || ".");
    const start = typed.slice(head.length);
    const names = entries(directory).filter((name) => name.startsWith(start));
    const shown = start.startsWith(".") ? names : names.filter((name) => !name.startsWith("."));
    return { matches: shown.map((name) => head + name), from };
  } catch (error) {
    if (error instanceof Error && "code" in error) return { matches: [], from }; // no such directory
    throw error;
  }
}

async function completeCode(session: ReplSession, before: string, line: string): Promise<Completion> {
  const start = before === "" ? 0 : before.length + 1;
  const code = before === "" ? line : `${before}\n${line}`;
  try {
    const reply = await session.ask({ type: "complete", code, cursor: code.length });
    const { matches, cursor_start } = reply as { matches: string[]; cursor_start: number };
    return { matches, from: Math.max(0, cursor_start - start) };
  } catch (error) {
    if (error instanceof SpellError) return { matches: [], from: line.length }; // Tab then does nothing
    throw error;
  }
}
