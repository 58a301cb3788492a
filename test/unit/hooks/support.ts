/** A hook service of its own for one test, with a clock that the test moves. */
import type { Config } from "../../../src/config/schema.ts";
import { Log, type LogRecord } from "../../../src/core/log.ts";
import type { EventInput } from "../../../src/events/service.ts";
import { createHookService, type HookServiceOptions } from "../../../src/hooks/create.ts";
import type { HookFunction, HookInput, HookResult, HookSpec } from "../../../src/hooks/service.ts";
import { configWith } from "../../support/config.ts";
import { testBus } from "../events/support.ts";

export interface TestHooksOptions extends Partial<HookServiceOptions> {
  change?: (hooks: Config["hooks"]) => void;
  explicit?: string[];
}

export async function testHooks({ change, explicit = [], ...options }: TestHooksOptions = {}) {
  const clock = { ms: 0 };
  const lines: LogRecord[] = [];
  const published: EventInput[] = [];
  const { bus } = testBus();
  bus.publish = (event) => {
    published.push(event);
    return "accepted";
  };
  const hooks = await createHookService({
    config: configWith((config) => change?.(config.hooks), explicit),
    log: new Log((record) => lines.push(record), "trace"),
    events: () => bus,
    now: () => clock.ms,
    ...options,
  });
  const add = (run: HookFunction, spec: Partial<HookSpec> = {}) =>
    hooks.register({ points: ["BeforeToolExecution"], run, ...spec });
  return { hooks, clock, lines, published, add };
}

export const input = (data: Record<string, unknown> = {}, point = "BeforeToolExecution"): HookInput => ({
  point,
  component: { type: "Tool", name: "adder" },
  data,
});

export const says =
  (result: HookResult): HookFunction =>
  () =>
    result;

/** The operation that tests put hooks around. */
export const OPERATION = {
  before: "BeforeToolExecution",
  after: "AfterToolExecution",
  error: "ToolError",
  component: { type: "Tool", name: "adder" },
} as const;
