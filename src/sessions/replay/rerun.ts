/** How recorded steps run again: by the services that did them then, under the permissions that hold now. */
import { SpellError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";
import type { EventService } from "../../events/service.ts";
import { eventOf } from "../../events/watched.ts";
import type { HookComponent, HookReruns } from "../../hooks/service.ts";
import type { ModelService } from "../../models/service.ts";
import { toolOutput } from "../../tools/recorded.ts";
import type { ToolService } from "../../tools/service.ts";
import type { RecordedStep, RerunKind } from "./service.ts";

export interface RerunServices {
  tools: () => Promise<ToolService>;
  models: () => Promise<ModelService>;
  hooks: () => Promise<HookReruns>;
  events: () => Promise<EventService>;
}

export type Input = Record<string, unknown>;

interface Call {
  correlationId: string;
  signal: AbortSignal;
}

interface Way {
  /** Why there is nothing to run it with here; undefined where there is. */
  missing(services: RerunServices, step: RecordedStep, input: Input): Promise<string | undefined>;
  /** @returns what a recording of it keeps. @throws what it fails with */
  run(services: RerunServices, step: RecordedStep, input: Input, call: Call): Promise<unknown>;
}

export const WAYS: Readonly<Record<RerunKind, Way>> = {
  tool: {
    missing: async ({ tools }, { name }) =>
      (await tools()).find(name) === undefined ? "there is no such tool here" : undefined,
    run: async ({ tools }, { name }, input, call) =>
      toolOutput(await (await tools()).execute(name, input, call)),
  },
  model: {
    missing: async () => undefined,
    run: async ({ models, tools }, { name }, input, { signal }) => {
      const { askAgain } = await import("../../agents/recorded-model.ts");
      return askAgain(name, input, { models: await models(), tools: await tools(), signal });
    },
  },
  hook: {
    missing: async ({ hooks }, { name }, { point }) =>
      (await hooks()).standsAt(name, String(point)) ? undefined : "no such hook is registered here",
    run: async ({ hooks }, { name }, { point, component, data }, call) => {
      if (!isPlainObject(data) || !isPlainObject(component))
        throw unreadable("hook", name, "component and data");
      const input = { point: String(point), component: component as unknown as HookComponent, data, ...call };
      return (await hooks()).runAgain(name, input);
    },
  },
  event: {
    missing: async () => undefined,
    run: async ({ events }, { name, startedMs }, input, { correlationId }) => ({
      outcome: (await events()).publishAgain({ ...eventOf(name, input), correlationId }, startedMs),
    }),
  },
};

function unreadable(kind: RerunKind, name: string, fields: string): SpellError {
  return new SpellError(
    "invalid_argument",
    `Cannot run ${kind} "${name}" again: its input has no ${fields}`,
    {
      hint: "Change what stands in the fields, not the fields themselves",
    },
  );
}
