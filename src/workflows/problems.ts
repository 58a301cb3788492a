/** What hinders a run, as far as it can be told before it. */
import { didYouMean } from "../core/nearest.ts";
import { allSteps } from "./canonical.ts";
import { cycleOf } from "./cycles.ts";
import type { WorkflowInstance } from "./instance.ts";
import type { Step } from "./model.ts";
import { UNSEEN } from "./read/unseen.ts";
import { bareName, type Reference, referencesOf, stepMeant } from "./references.ts";
import type { Surroundings } from "./run.ts";

export interface Problems {
  errors: string[];
  warnings: string[];
}

/** Of nested workflows too. */
export async function problemsOf(
  instance: WorkflowInstance,
  { dependencies, service }: Surroundings,
): Promise<Problems> {
  const found: Problems = { errors: [], warnings: [] };
  const cycle = cycleOf(instance, (name) => service.find(name));
  if (cycle !== undefined) found.errors.push(`it is a step of itself: ${cycle.join(" → ")}`);
  const [tools, agents] = await Promise.all([dependencies.tools(), dependencies.agents()]);
  const seen = new Set<WorkflowInstance>();

  const missing = (step: Step): string | undefined => {
    if (step.type === "tool" && tools.find(step.tool) === undefined)
      return `no such tool: ${step.tool}${near(step.tool, tools.list())}`;
    if (step.type === "agent" && typeof step.agent === "string" && agents.get(step.agent) === undefined)
      return `no such agent: ${step.agent}${near(step.agent, agents.list())}`;
    if (step.type === "workflow" && innerOf(step) === undefined)
      return `no such workflow: ${String(step.workflow)}`;
    return undefined;
  };
  const innerOf = (step: Step): WorkflowInstance | undefined => {
    if (step.type !== "workflow") return undefined;
    if (typeof step.workflow === "string") return service.find(step.workflow);
    return step.workflow as unknown as WorkflowInstance;
  };
  /** @param outer names of steps of the workflows around it */
  const look = (one: WorkflowInstance, prefix: string, outer: readonly string[]): void => {
    if (seen.has(one)) return;
    seen.add(one);
    const { definition } = one;
    const steps = [...allSteps(definition)];
    const names = steps.map(({ name }) => name);
    for (const step of steps) {
      const where = `${prefix}step "${step.name}"`;
      const what = missing(step);
      if (what !== undefined) found.errors.push(`${where}: ${what}`);
      if (step.type === "agent" && step.input === "")
        found.errors.push(`${where}: the agent is asked nothing`);
      if (step.continueOnError && step.retry.count > 0)
        found.warnings.push(
          `${where}: its failure is passed over only after ${step.retry.count + 1} attempts`,
        );
    }
    for (const reference of referencesOf(definition)) note(found, reference, prefix, names, outer);
    if (definition.type === "conditional" && definition.defaultBranch === undefined)
      found.warnings.push(`${prefix}where no condition holds, no branch is run`);
    for (const step of steps) {
      const inner = innerOf(step);
      if (inner !== undefined) look(inner, `${prefix}step "${step.name}" > `, [...outer, ...names]);
    }
  };
  look(instance, "", []);
  return found;
}

function note(
  { errors, warnings }: Problems,
  reference: Reference,
  prefix: string,
  names: readonly string[],
  outer: readonly string[],
): void {
  const { written, rest, isExact } = reference;
  const where = `${prefix}${reference.where}`;
  const meant = stepMeant(reference);
  if (rest === undefined) {
    if (meant === undefined) return;
    const asked = bareName(written);
    if (asked !== meant.name)
      warnings.push(`${where}: ${written} names nothing: of step "${meant.name}" it is step.${asked}`);
    else if (meant.whyNot !== undefined)
      warnings.push(
        `${where}: ${written} cannot be the output of step "${meant.name}", which ${UNSEEN[meant.whyNot]}`,
      );
    return;
  }
  if (meant !== undefined) return;
  if (isExact) errors.push(`${where}: no such step: ${rest}${near(rest, names)}`);
  else if (
    !outer.some((name) => rest === name || rest.startsWith(`${name}.`) || rest.startsWith(`${name}:`))
  ) {
    const [name = rest] = rest.split(/[.:]/);
    warnings.push(`${where}: ${written} names no step${near(name, [...names, ...outer])}`);
  }
}

function near(name: string, known: readonly (string | { name: string })[]): string {
  const hint = didYouMean(
    name,
    known.map((one) => (typeof one === "string" ? one : one.name)),
  );
  return hint === undefined ? "" : ` (${hint})`;
}
