/** Answers of hubs, checked before anything of them is used. */
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { refused, type Target } from "./http.ts";

/** @throws provider where the answer has another shape */
export function read<S extends TSchema>(schema: S, target: Target, value: unknown): Static<S> {
  if (Value.Check(schema, value)) return value;
  const problem = Value.Errors(schema, value)[0];
  const where = problem === undefined ? "" : `${problem.instancePath || "/"} ${problem.message}`;
  throw refused(target, `the answer is not as expected: ${where}`, "Check the address of the hub");
}
