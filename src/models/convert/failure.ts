import { SpellError } from "../../core/errors.ts";
import { printableLine } from "../../core/printable.ts";

/** The error of a directory or file that cannot be converted. @param rule may quote the file */
export function cannotConvert(rule: string, path: string, hint = "Fetch the model again"): SpellError {
  const shown = printableLine(rule);
  return new SpellError("model_invalid", `Cannot convert the model: ${shown}: ${path}`, {
    data: { path, rule: shown },
    hint,
  });
}
