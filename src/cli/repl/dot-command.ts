/** What a dot-command is; the commands stand in `dot-commands.ts` and `file-commands.ts`. */
import { usageError } from "../usage.ts";
import type { LineSource } from "./lines.ts";
import type { ReplSession } from "./session.ts";

export interface DotCommand {
  name: string;
  aliases: readonly string[];
  /** Its arguments, as the help shows them. */
  usage: string;
  doc: string;
  /** Its argument is a path. */
  path?: boolean;
  /** Failures are thrown as SpellError. */
  run(session: ReplSession, argument: string, lines: LineSource): Promise<void> | void;
}

/** @throws SpellError usage where the argument is missing */
export function required(argument: string, command: string, usage: string): string {
  if (argument === "")
    throw usageError(`Missing argument: .${command} ${usage}`, "`.help` lists the commands");
  return argument;
}
