/** Operations that built-in hooks stand around. */
import { SpellError } from "../../../../src/core/errors.ts";
import type { HookedOperation } from "../../../../src/hooks/service.ts";
import { OPERATION } from "../support.ts";

export const operation = (
  data: Record<string, unknown> = {},
  more: Partial<HookedOperation> = {},
): HookedOperation => ({
  ...OPERATION,
  data: { params: {}, ...data },
  metadata: { security_level: "safe", tool_origin: "builtin" },
  ...more,
});

export const agent = (
  data: Record<string, unknown>,
  more: Partial<HookedOperation> = {},
): HookedOperation => ({
  before: "BeforeAgentExecution",
  after: "AfterAgentExecution",
  error: "AgentError",
  component: { type: "Agent", name: "ada" },
  data,
  ...more,
});

/** Work that fails so many times, then gives the number of its calls. */
export const failing = (
  times: number,
  code: "timeout" | "network" | "invalid_argument" = "timeout",
  statusCode?: number,
) => {
  let calls = 0;
  return {
    count: () => calls,
    work: () => {
      if (++calls <= times) throw new SpellError(code, "broken", { data: { statusCode } });
      return calls;
    },
  };
};
