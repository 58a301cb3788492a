/** What a run begins with: its journal, where it is durable, and its frame. */
import { blake3Hex } from "../../core/blake3.ts";
import { randomId } from "../../core/clock.ts";
import { currentTape } from "../../core/tape.ts";
import type { RunContext } from "../../kernel/services.ts";
import type { StateService } from "../../state/service.ts";
import { canonicalOf } from "../canonical.ts";
import { Frame, type Tally } from "../flow/frame.ts";
import type { WorkflowInstance } from "../instance.ts";
import type { Opened } from "../journal/journal.ts";
import type { RunJournal } from "../journal/run-journal.ts";
import type { Definition } from "../model.ts";
import type { Outer, Surroundings } from "../run.ts";
import { Scope } from "../scope.ts";
import type { ExecuteOptions, ProgressListener, WorkflowDependencies } from "../service.ts";
import { StateKeys } from "../state-keys.ts";
import { Teller } from "../tell.ts";

/** Undefined where the run is not durable. */
export async function openJournal(
  instance: WorkflowInstance,
  input: Record<string, unknown>,
  run: RunContext,
  options: ExecuteOptions,
  { dependencies, service }: Surroundings,
): Promise<Opened | undefined> {
  const { definition } = instance;
  const given = options.runId ?? definition.runId;
  if (!(options.durable ?? (given !== undefined || definition.durable))) return undefined;
  const ids = service.runIdFor(run);
  const { script } = run;
  return service.openRun({
    id: given ?? ids.runId,
    workflow: definition.name,
    type: definition.type,
    definition: canonicalOf(definition),
    input,
    shared: Object.fromEntries(instance.shared),
    script: script?.path,
    scriptHash: script === undefined ? undefined : await blake3Hex(Buffer.from(script.code)),
    arguments: run.args,
    directory: dependencies.cwd,
    scriptRun: ids.scriptRun,
  });
}

export interface FrameParts {
  instance: WorkflowInstance;
  executionId: string;
  input: Record<string, unknown>;
  run: RunContext;
  listener: ProgressListener | undefined;
  dependencies: WorkflowDependencies;
  state: StateService | undefined;
  journal: RunJournal | undefined;
  chain: readonly string[];
  outer: Outer | undefined;
}

/** A durable run that goes on keeps its id, so that its state keys stay together; one that is recorded has one of its own. */
export function executionIdOf(opened: Opened | undefined, outer: Outer | undefined): string {
  if (opened !== undefined && currentTape() === undefined)
    return Bun.randomUUIDv5(`llmspell-run:${opened.journal.id}:${opened.begunAtMs}`, "url");
  if (outer?.frame.journal !== undefined)
    return Bun.randomUUIDv5(`llmspell-run:${outer.frame.executionId}/${outer.path}`, "url");
  return randomId();
}

export function frameOf(parts: FrameParts): Frame {
  const { instance, executionId, input, run, dependencies, journal, chain, outer } = parts;
  const { definition } = instance;
  const tell = new Teller({
    workflow: instance,
    executionId,
    run,
    dependencies,
    listener: instance.listenerWith(parts.listener),
    totalSteps: outer === undefined ? stepCount(definition) : undefined,
  });
  const keys = new StateKeys(
    parts.state,
    instance.id,
    definition.name,
    executionId,
    dependencies.log,
    (written) => tell.event("state.updated", { keys: written, operation: "write", component: "workflow" }),
  );
  const tally: Tally = { agents: new Map(), restored: 0 };
  return new Frame({
    workflow: instance,
    executionId,
    run,
    dependencies,
    journal,
    path: outer === undefined ? "" : `${outer.path}/`,
    scope: Scope.of(input, instance.shared, outer?.frame.scope),
    tell,
    keys,
    tally,
    chain,
  });
}

/** Undefined where the number of steps is not known before. */
function stepCount(definition: Definition): number | undefined {
  if (definition.type === "sequential") return definition.steps.length;
  if (definition.type === "parallel")
    return definition.branches.reduce((sum, { steps }) => sum + steps.length, 0);
  return undefined;
}
