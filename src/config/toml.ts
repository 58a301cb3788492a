/** TOML texts with positions in their errors. */
import { parse, TomlError } from "smol-toml";
import { SpellError } from "../core/errors.ts";
import { getPath, type Tree } from "./tree.ts";

const OPTIONS = { useLegacyDate: true } as const;
/** The search for a line takes quadratic time. */
const LONGEST_SEARCHED = 100_000;

/** @throws config, with `data: {file, line, column}`; without the text itself, which may hold keys */
export function parseToml(text: string, file: string): Tree {
  try {
    return parse(text, OPTIONS) as Tree;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    const { line, column } = error;
    throw new SpellError(
      "config",
      `Configuration error: invalid TOML: ${reason}: ${file}:${line}:${column}`,
      {
        data: { file, line, column },
        hint: `Correct line ${line}; \`llmspell config validate --file ${file}\` checks the file`,
      },
    );
  }
}

/**
 * The line (from 1) that sets a key: the first after which the text, cut there, parses and holds the key. Parsing
 * prefixes needs no second grammar; only lines that name the key are tried. Undefined also for very long texts.
 */
export function lineOfKey(text: string, keys: readonly string[]): number | undefined {
  if (text.length > LONGEST_SEARCHED) return undefined;
  const lines = text.split("\n");
  const name = keys.at(-1)!;
  for (const [index, line] of lines.entries()) {
    if (!line.includes(name)) continue;
    for (let end = index + 1; end <= lines.length; end++) {
      const prefix = tryParse(lines.slice(0, end).join("\n"));
      if (prefix === undefined) continue;
      if (getPath(prefix, keys) !== undefined) return index + 1;
      break;
    }
  }
  return undefined;
}

function tryParse(text: string): Tree | undefined {
  try {
    return parse(text, OPTIONS) as Tree;
  } catch {
    return undefined;
  }
}
