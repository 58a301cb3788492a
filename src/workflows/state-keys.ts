/** What a run leaves in the state: spec/lua-api.md section 3.8, spec/agents-workflows-rag.md section 4.8. */

import { withTextForBytes } from "../core/bytes-as-text.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { StateService } from "../state/service.ts";
import { type StepOutcome, textOf } from "./outcome.ts";

interface Entry {
  scope: string;
  key: string;
  value: unknown;
}

/** Where a step stands. */
export interface StepPosition {
  branch?: string;
  /** From 0. */
  iteration?: number;
}

export class StateKeys {
  constructor(
    private readonly state: StateService | undefined,
    private readonly workflowId: string,
    private readonly workflowName: string,
    private readonly executionId: string,
    private readonly log: Log,
    /** Told of what was written. */
    private readonly written: (keys: string[]) => void,
  ) {}

  async global(key: string): Promise<unknown> {
    return this.state?.load("global", key);
  }

  async step(outcome: StepOutcome, id: string, { branch, iteration }: StepPosition): Promise<void> {
    const run = `workflow:${this.executionId}`;
    const record = {
      step_name: outcome.name,
      step_id: id,
      output: plain(outcome.value),
      duration_ms: Math.round(outcome.durationMs),
      retry_count: outcome.retryCount,
    };
    const entries: Entry[] = [];
    if (iteration !== undefined) {
      const key = `iteration_${iteration}:${outcome.name}`;
      entries.push({ scope: run, key, value: record });
      entries.push({ scope: `workflow:loop_${this.executionId}`, key, value: record });
    } else {
      const key = branch === undefined ? outcome.name : `branch_${branch}:${outcome.name}`;
      entries.push({ scope: run, key, value: record });
    }
    for (const [agent, text] of outcome.agents)
      entries.push({ scope: run, key: `agent:${agent}:output`, value: text });
    const own = `workflow:${this.workflowId}`;
    if (outcome.type === "tool" && outcome.status === "completed") {
      entries.push({ scope: own, key: `step:${outcome.target}:output`, value: plain(outcome.value) });
      const metadata = { step_name: outcome.name, success: true, duration_ms: record.duration_ms };
      entries.push({ scope: own, key: `step:${outcome.target}:metadata`, value: metadata });
    }
    if (outcome.type === "workflow")
      entries.push({ scope: "nested", key: `${outcome.target}:output`, value: plain(outcome.value) });
    await this.write(entries);
  }

  async end(status: string, output: unknown, error: string | undefined, aggregated?: unknown): Promise<void> {
    const run = `workflow:${this.executionId}`;
    const entries: Entry[] = [
      {
        scope: run,
        key: "state",
        value: { status, workflow_id: this.workflowId, workflow_name: this.workflowName },
      },
    ];
    if (error === undefined) entries.push({ scope: run, key: "final_output", value: plain(output) });
    else entries.push({ scope: run, key: "error", value: error });
    if (aggregated !== undefined)
      for (const scope of [run, `workflow:loop_${this.executionId}`])
        entries.push({ scope, key: "aggregated", value: plain(aggregated) });
    await this.write(entries);
  }

  /** A run does not fail because of what it leaves for others to look at. */
  private async write(given: readonly Entry[]): Promise<void> {
    if (this.state === undefined) return;
    const entries = given.map((entry) => ({ ...entry, key: allowed(entry.key) }));
    try {
      await this.state.import(entries, false);
    } catch (error) {
      const keys = entries.map(({ key }) => key);
      this.log.warn("workflow", "what a workflow did cannot be written to the state", {
        workflow: this.workflowName,
        keys,
        reason: messageOf(error),
      });
      return;
    }
    this.written(entries.map(({ scope, key }) => `${scope}:${key}`));
  }
}

/** A key of the state, whatever the names of steps and agents hold. */
function allowed(key: string): string {
  return key.replace(/\.\.|\\|\/\/|[\0\r\n]|^__|^\$\$/g, "_").slice(0, 200);
}

/** State holds no bytes. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array ? textOf(value) : (withTextForBytes(value) ?? null);
