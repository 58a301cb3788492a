/** Reads what a call for vectors or scores says. Apart from the schemas, which every start loads. */
import type { Static } from "typebox";
import { Value } from "typebox/value";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { EMBED_OPTIONS, RANK_OPTIONS } from "./embed-options.ts";

type Given = Readonly<Record<string, unknown>> | undefined;

/** @throws invalid_argument */
export const embedOptions = (given: Given): Static<typeof EMBED_OPTIONS> => checked(EMBED_OPTIONS, given);

/** @throws invalid_argument */
export const rankOptions = (given: Given): Static<typeof RANK_OPTIONS> => checked(RANK_OPTIONS, given);

function checked<S extends typeof EMBED_OPTIONS | typeof RANK_OPTIONS>(
  schema: S,
  given: Given = {},
): Static<S> {
  const names = Object.keys(schema.properties);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new SpellError("invalid_argument", `Cannot call the model: it has no option "${unknown}"`, {
      hint: didYouMean(unknown, names) ?? `The options are ${names.join(", ")}`,
    });
  const [error] = Value.Errors(schema, given);
  if (error === undefined) return given as Static<S>;
  const name = error.instancePath.slice(1);
  throw new SpellError(
    "invalid_argument",
    `Cannot call the model: "${name}" ${error.message}: ${JSON.stringify(given[name])}`,
  );
}
