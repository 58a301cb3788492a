/** What the texts and conditions of a workflow name, each with what can be there where it stands. */
import type { Expression } from "./expression/parse.ts";
import type { Branch, Condition, ConditionalDefinition, Definition, LoopDefinition, Step } from "./model.ts";
import { placeholdersIn } from "./placeholders.ts";

/** Which steps' outputs can be there at a place. */
interface Sight {
  /** Has ended then, or was passed over. */
  has(name: string): boolean;
  /** Of a step of this workflow that never has. */
  whyNot(name: string): Unseen | undefined;
}

/** Why the output of a step is not there: where that step stands. */
export type Unseen = "itself" | "later" | "beside" | "elsewhere" | "unchosen";

export interface Reference {
  /** `step "a": its condition`, for messages. */
  where: string;
  written: string;
  /** The step's name and what follows it, of `step.NAME.output` and the like; undefined for a bare name. */
  rest: string | undefined;
  /** Steps of outer workflows are not looked at: conditions such as `step_succeeded`. */
  isExact: boolean;
  sight: Sight;
}

const NOTHING: Sight = { has: () => false, whyNot: () => undefined };

/** In the order in which they run. */
export function* referencesOf(definition: Definition): Generator<Reference> {
  switch (definition.type) {
    case "sequential":
      yield* ofLine(definition.steps, NOTHING);
      return;
    case "loop":
      yield* ofLoop(definition);
      return;
    case "parallel": {
      const owners = ownersOf(definition.branches);
      for (const branch of definition.branches)
        yield* ofLine(branch.steps, {
          has: () => false,
          whyNot: (name) => (owners.has(name) ? "beside" : undefined),
        });
      return;
    }
    case "conditional":
      yield* ofConditional(definition);
  }
}

/** A pass sees what the one before gave. */
function* ofLoop({ body, iterator, loopCondition, breakConditions }: LoopDefinition): Generator<Reference> {
  const names = namesOf(body);
  const sight: Sight = { has: (name) => names.has(name), whyNot: () => undefined };
  for (const step of body) yield* ofStep(step, sight);
  if (iterator.type === "while") yield* ofCondition(iterator.condition, "while_condition", sight);
  if (loopCondition !== undefined) yield* ofCondition(loopCondition, "loop_condition", sight);
  for (const condition of breakConditions) yield* ofCondition(condition, "break_conditions", sight);
}

function* ofConditional(definition: ConditionalDefinition): Generator<Reference> {
  const { steps, branches, defaultBranch, executeAllMatching } = definition;
  const all = defaultBranch === undefined ? branches : [...branches, defaultBranch];
  const before = namesOf(steps);
  const owners = ownersOf(all);
  yield* ofLine(steps, {
    has: () => false,
    whyNot: (name) => (owners.has(name) ? "later" : undefined),
  });
  const choice: Sight = {
    has: (name) => before.has(name),
    whyNot: (name) => (owners.has(name) ? "unchosen" : undefined),
  };
  for (const { name, condition } of branches)
    if (condition !== undefined) yield* ofCondition(condition, `the condition of branch "${name}"`, choice);
  for (const [i, branch] of all.entries()) {
    const mayFollow = executeAllMatching && branch !== defaultBranch;
    yield* ofLine(branch.steps, {
      has: (name) => before.has(name) || (mayFollow && (owners.get(name) ?? i) < i),
      whyNot: (name) => (owners.has(name) ? "elsewhere" : undefined),
    });
  }
}

const namesOf = (steps: readonly Step[]): Set<string> => new Set(steps.map(({ name }) => name));

/** The first branch that has a step of this name. */
function ownersOf(branches: readonly Branch[]): Map<string, number> {
  const owners = new Map<string, number>();
  for (const [i, { steps }] of branches.entries())
    for (const { name } of steps) if (!owners.has(name)) owners.set(name, i);
  return owners;
}

function* ofLine(steps: readonly Step[], around: Sight): Generator<Reference> {
  const places = new Map(steps.map(({ name }, i) => [name, i]));
  for (const [i, step] of steps.entries())
    yield* ofStep(step, {
      has: (name) => (places.get(name) ?? i) < i || around.has(name),
      whyNot: (name) => {
        const place = places.get(name);
        if (place === undefined) return around.whyNot(name);
        return place === i ? "itself" : "later";
      },
    });
}

function* ofStep({ name, input, condition }: Step, sight: Sight): Generator<Reference> {
  if (condition !== undefined) yield* ofCondition(condition, `step "${name}": its condition`, sight);
  for (const written of placeholdersIn(input)) {
    if (isNoStep(written)) continue;
    const where = `step "${name}": its input`;
    yield { where, written: `{{${written}}}`, rest: restOf(written), isExact: false, sight };
  }
}

function* ofCondition(condition: Condition, where: string, sight: Sight): Generator<Reference> {
  switch (condition.type) {
    case "and":
    case "or":
      for (const part of condition.conditions) yield* ofCondition(part, where, sight);
      return;
    case "not":
      yield* ofCondition(condition.condition, where, sight);
      return;
    case "custom":
      for (const name of namesIn(condition.expression)) {
        const asked = name.startsWith("$step_") ? `step.${name.slice(6)}` : name.replace(/^\$/, "");
        if (isNoStep(asked)) continue;
        yield { where, written: name, rest: restOf(asked), isExact: false, sight };
      }
      return;
    default:
      if ("step" in condition) {
        const written = `${condition.type} of ${condition.step}`;
        yield { where, written, rest: condition.step, isExact: true, sight };
      }
  }
}

const isNoStep = (name: string): boolean => /^(?:input|shared|shared_data|loop)[.:]/.test(name);

const restOf = (name: string): string | undefined => /^(?:steps?|step_result)[.:](.+)$/s.exec(name)?.[1];

function* namesIn(expression: Expression): Generator<string> {
  switch (expression.type) {
    case "reference":
      yield expression.name;
      return;
    case "not":
      yield* namesIn(expression.of);
      return;
    case "and":
    case "or":
    case "compare":
      yield* namesIn(expression.left);
      yield* namesIn(expression.right);
  }
}

/** The step that a reference means, and why its output is not there; undefined where no step of the workflow is meant. */
export function stepMeant({
  rest,
  isExact,
  sight,
  written,
}: Reference): { name: string; whyNot: Unseen | undefined } | undefined {
  const names = isExact ? [rest!] : prefixesOf(rest ?? bareName(written));
  const seen = names.find((name) => sight.has(name));
  if (seen !== undefined) return { name: seen, whyNot: undefined };
  for (const name of names) {
    const whyNot = sight.whyNot(name);
    if (whyNot !== undefined) return { name, whyNot };
  }
  return undefined;
}

/** As it is looked for. */
export const bareName = (written: string): string => written.replace(/^\$|^\{\{|\}\}$/g, "");

/** `a.b.c`, `a.b`, `a`: names of steps may hold points. */
function prefixesOf(text: string): string[] {
  const found = [text];
  for (let end = text.length - 1; end > 0; end--)
    if (text[end] === "." || text[end] === ":") found.push(text.slice(0, end));
  return found;
}
