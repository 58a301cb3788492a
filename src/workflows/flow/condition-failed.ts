import { SpellError } from "../../core/errors.ts";

/** The failure of a condition as that of its workflow. @param what `the condition of step "a"` */
export function conditionFailed(workflow: string, what: string, error: unknown): unknown {
  if (!(error instanceof SpellError) || error.code === "interrupted") return error;
  if (error.data.journal === true) return error;
  return new SpellError(error.code, `${what} failed: ${error.message}`, {
    data: { ...error.data, workflow, variant: "ConditionFailed" },
    cause: error,
  });
}
