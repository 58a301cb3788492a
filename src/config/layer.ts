/** What the layers of a configuration share: how they report, and how text becomes a key's value. */
import type { EnvVariable } from "./env-table.ts";
import { Mismatch, parseText } from "./leaf.ts";
import { nodeAt, ROOT } from "./node.ts";
import { joinPath, setPath, splitPath, type Tree } from "./tree.ts";

export type Environment = Record<string, string | undefined>;

/** What layers report while a configuration is put together. */
export interface LayerSink {
  warn(message: string, path?: string): void;
  /** A value that cannot be used; `message` is the whole text. */
  fail(message: string, path: string): void;
  /** Says which variable set a key. */
  origin(path: string, variable: string): void;
}

/** Sets one key from text that its schema types. */
export function setFromText(tree: Tree, variable: EnvVariable, text: string, sink: LayerSink): void {
  for (const path of variable.paths) {
    const keys = splitPath(path);
    const value = checked(variable, parseText(nodeAt(keys) ?? ROOT, text), text);
    if (value instanceof Mismatch) {
      const message = `Environment variable ${variable.name}: ${value.reason}`;
      // Names without our prefix may be meant for another program: they must not stop this one.
      if (variable.name.startsWith("LLMSPELL_")) sink.fail(message, path);
      else sink.warn(`${message}; it is ignored`, path);
    } else {
      setPath(tree, keys, value);
      sink.origin(joinPath(keys), variable.name);
    }
  }
}

function checked({ choices }: EnvVariable, value: unknown, text: string): unknown {
  if (value instanceof Mismatch || choices === undefined || choices.includes(text.trim().toLowerCase()))
    return value;
  return new Mismatch(`must be one of ${choices.join(", ")}: ${JSON.stringify(text)}`);
}
