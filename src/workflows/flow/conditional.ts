/** Steps before the branches, a choice, and the branches that were chosen. */
import { partOf } from "../journal/journal.ts";
import type { Branch, ConditionalDefinition } from "../model.ts";
import type { StepOutcome } from "../outcome.ts";
import { conditionFailed } from "./condition-failed.ts";
import type { Frame } from "./frame.ts";
import type { Ran } from "./kinds.ts";
import { countOf, failureOf, lastValue, runLine } from "./line.ts";
import type { RunNested } from "./perform.ts";

export async function runConditional(
  frame: Frame,
  definition: ConditionalDefinition,
  runNested: RunNested,
): Promise<Ran> {
  const before = await runLine(frame, definition.steps, {}, runNested);
  const outcomes = [...before.outcomes];
  let failure: StepOutcome | undefined = before.failure;
  let matched: Branch[] = [];
  let executed = 0;
  if (failure === undefined) {
    matched = await choose(frame, definition);
    const { defaultBranch } = definition;
    const chosen = matched.length > 0 ? matched : defaultBranch === undefined ? [] : [defaultBranch];
    for (const branch of chosen) {
      await frame.tell.point(
        "branch_selection",
        { branch: branch.name, is_default: branch === defaultBranch },
        frame.signal,
      );
      await frame.tell.progress({ type: "branch_selected", step: branch.name });
      const own = frame.with({ path: `${frame.path}branch:${partOf(branch.name)}/` });
      const line = await runLine(own, branch.steps, { branch: branch.name }, runNested);
      executed++;
      outcomes.push(...line.outcomes);
      failure = line.failure;
      if (failure !== undefined) break;
    }
  }
  const successful = countOf(outcomes, "completed");
  return {
    output: lastValue(outcomes),
    outcomes,
    tolerated: outcomes.filter((outcome) => outcome.status === "failed" && outcome !== failure),
    failure: failure === undefined ? undefined : failureOf(definition, failure),
    counts: {
      total_branches: definition.branches.length + (definition.defaultBranch === undefined ? 0 : 1),
      matched_branches: matched.length,
      executed_branches: executed,
      total_steps: outcomes.length,
      successful_steps: successful,
      failed_steps: countOf(outcomes, "failed"),
      execute_all_matching: definition.executeAllMatching,
      short_circuit_evaluation: !definition.executeAllMatching,
    },
    summary: `${executed} branch${executed === 1 ? "" : "es"}, ${successful} of ${outcomes.length} steps`,
  };
}

/** Each condition is asked once; without `executeAllMatching` none after the first that holds. */
async function choose(
  frame: Frame,
  { branches, executeAllMatching, name }: ConditionalDefinition,
): Promise<Branch[]> {
  const matched: Branch[] = [];
  for (const branch of branches) {
    try {
      if (!(await frame.choose(`if:branch:${partOf(branch.name)}`, branch.condition ?? { type: "always" })))
        continue;
    } catch (error) {
      throw conditionFailed(name, `the condition of branch "${branch.name}"`, error);
    }
    matched.push(branch);
    if (!executeAllMatching) break;
  }
  return matched;
}
