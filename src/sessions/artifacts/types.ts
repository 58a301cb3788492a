/** Kinds of artifacts and their spellings. */
import { SpellError } from "../../core/errors.ts";

const KNOWN: Readonly<Record<string, string>> = {
  agent_output: "AgentOutput",
  tool_result: "ToolResult",
  user_input: "UserInput",
  system_generated: "SystemGenerated",
};

/** The word as it is stored: `ToolResult` is `tool_result`, other words stay. @throws SpellError invalid_argument */
export function typeWord(given: string): string {
  const word = given.trim();
  if (word === "") throw new SpellError("invalid_argument", "Invalid artifact type: it must not be empty");
  const custom = /^Custom\("(.*)"\)$/.exec(word)?.[1];
  if (custom !== undefined) return typeWord(custom);
  const known = Object.entries(KNOWN).find(([snake, name]) => word === name || word.toLowerCase() === snake);
  return known?.[0] ?? word;
}

/** `ToolResult`, `Custom("markdown")`. */
export const typeName = (word: string): string =>
  Object.hasOwn(KNOWN, word) ? KNOWN[word]! : `Custom(${JSON.stringify(word)})`;
