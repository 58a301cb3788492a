/** Steps of which nobody knows whether they were done: a run does not go on before somebody has decided about all of them. */
import { SpellError } from "../core/errors.ts";
import type { Frame } from "./flow/frame.ts";
import { nameOf } from "./journal/journal.ts";
import type { StepRow } from "./journal/rows.ts";

/** @throws SpellError with every such step */
export function refuseUncertain({ journal, definition }: Frame): void {
  const steps = journal?.uncertain() ?? [];
  if (journal === undefined || steps.length === 0) return;
  const paths = steps.map(({ path }) => path);
  throw new SpellError(
    "tool_failed",
    `workflow "${definition.name}" was interrupted within ${described(steps)}`,
    {
      data: { variant: "Interrupted", status: "interrupted", run_id: journal.id, steps: paths },
      hint: `See what ${paths.length === 1 ? "it" : "they"} did, then decide: llmspell workflow resume ${quoted(journal.id)} ${ways(paths)}`,
    },
  );
}

function described(steps: readonly StepRow[]): string {
  const [first, ...more] = steps;
  if (more.length === 0)
    return `step "${nameOf(first!.path)}" (${about(first!)}), which is not repeatable: nobody knows whether it was done`;
  const list = steps.map((step) => `${step.path} (${about(step)})`).join(", ");
  return `${steps.length} steps that are not repeatable: nobody knows whether they were done: ${list}`;
}

const about = ({ kind, target }: StepRow): string => `${kind} ${target}`;

function ways(paths: readonly string[]): string {
  const each = (flag: string) => paths.map((path) => `--${flag} ${quoted(path)}`).join(" ");
  return paths.length === 1
    ? `${each("retry")}, or ${each("skip")}`
    : `${each("retry")}, with --skip for those that were done`;
}

/** A word as a shell takes it. */
const quoted = (word: string): string =>
  /^[\w./:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
