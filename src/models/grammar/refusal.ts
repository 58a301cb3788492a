import { SpellError } from "../../core/errors.ts";

/** What a schema or a grammar is refused with, before anything is generated. */
export function refusal(keyword: string, path: string, reason: string): SpellError {
  return new SpellError(
    "invalid_argument",
    `Cannot hold the answer to the schema: "${keyword}" ${reason}: ${path}`,
    {
      data: { keyword, path },
      hint: "docs/structured-output.md lists what can be held; check the rest in the script",
    },
  );
}

/** No value can meet a part of a schema. Caught where the part may be left out. */
export class Unmeetable extends Error {
  constructor(readonly path: string) {
    super("no value can meet it");
  }
}
