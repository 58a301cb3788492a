import { SpellError } from "../../core/errors.ts";

/** The error of a directory or file that cannot be converted. */
export function cannotConvert(rule: string, path: string, hint = "Fetch the model again"): SpellError {
  return new SpellError("model_invalid", `Cannot convert the model: ${rule}: ${path}`, {
    data: { path, rule },
    hint,
  });
}
