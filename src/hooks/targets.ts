/** What hooks may run in place of an operation or beside it, by name. */
import { SpellError } from "../core/errors.ts";
import { isPlainObject } from "../core/values.ts";

export interface Target {
  kind: "tool" | "agent" | "workflow";
  name: string;
}

/** Runs a target; the result is what JSON can say. */
export type RunTarget = (
  name: string,
  parameters: Record<string, unknown>,
  signal: AbortSignal | undefined,
) => Promise<unknown>;

export class Targets {
  constructor(private readonly runners: Partial<Record<Target["kind"], RunTarget>>) {}

  /** @throws SpellError invalid_argument, and what the target throws */
  async run({ kind, name }: Target, data: Record<string, unknown>, signal?: AbortSignal): Promise<unknown> {
    const run = this.runners[kind];
    if (run === undefined)
      throw new SpellError(
        "invalid_argument",
        `Cannot run ${kind} "${name}" for a hook: there are no ${kind}s`,
      );
    return run(name, data, signal);
  }

  /** @param operationType `tool`, `agent`, `workflow`, or `KIND:NAME` */
  async fork(operationType: string, parameters: unknown, signal?: AbortSignal): Promise<unknown> {
    const [, kind, named] = /^(tool|agent|workflow)(?:_execution)?(?::(.+))?$/s.exec(operationType) ?? [];
    if (kind === undefined)
      throw new SpellError("invalid_argument", `Cannot fork an operation of this type: ${operationType}`, {
        hint: "Types are tool, agent and workflow, or tool:NAME and its like",
      });
    const given = isPlainObject(parameters) ? parameters : {};
    const name = named ?? given.name;
    if (typeof name !== "string")
      throw new SpellError("invalid_argument", `Cannot fork ${kind}: "parameters.name" must be a string`);
    const own = named === undefined && isPlainObject(given.params) ? given.params : given;
    return this.run({ kind: kind as Target["kind"], name }, kind === "tool" ? { params: own } : own, signal);
  }
}
