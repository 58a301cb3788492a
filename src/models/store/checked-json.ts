import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { SpellError } from "../../core/errors.ts";
import { readRegularFile } from "../../core/regular-file.ts";

/** A manifest holds a licence, a template and parameters, 1 MiB each at most. */
const LONGEST_BYTES = 16 << 20;

/** A document of the store; undefined where it is absent, no plain file, or another document. @throws SpellError io */
export function readChecked<S extends TSchema>(schema: S, path: string): Static<S> | undefined {
  const refused = (rule: string) => new SpellError("model_invalid", `Cannot read ${path}: ${rule}`);
  try {
    const value: unknown = JSON.parse(
      readRegularFile(path, "Cannot read", refused, LONGEST_BYTES).toString(),
    );
    return Value.Check(schema, value) ? value : undefined;
  } catch (error) {
    const isAnother = error instanceof SpellError && ["not_found", "model_invalid"].includes(error.code);
    if (isAnother || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
