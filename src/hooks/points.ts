/** The names of hook points: spec/kernel.md section 17.1. */
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";

export const POINTS = [
  "SystemStartup",
  "SystemShutdown",
  "ConfigurationChange",
  "ResourceLimitExceeded",
  "SecurityViolation",
  "BeforeAgentInit",
  "AfterAgentInit",
  "BeforeAgentExecution",
  "AfterAgentExecution",
  "AgentError",
  "BeforeAgentShutdown",
  "AfterAgentShutdown",
  "BeforeToolDiscovery",
  "AfterToolDiscovery",
  "BeforeToolExecution",
  "AfterToolExecution",
  "ToolValidation",
  "ToolError",
  "BeforeWorkflowStart",
  "WorkflowStageTransition",
  "BeforeWorkflowStage",
  "AfterWorkflowStage",
  "WorkflowCheckpoint",
  "WorkflowRollback",
  "AfterWorkflowComplete",
  "WorkflowError",
  "BeforeStateRead",
  "AfterStateRead",
  "BeforeStateWrite",
  "AfterStateWrite",
  "StateConflict",
  "StateMigration",
  "SessionStart",
  "SessionEnd",
  "SessionCheckpoint",
  "SessionRestore",
  "SessionSave",
  "BeforeEventEmit",
  "AfterEventEmit",
  "EventHandlerError",
  "PerformanceThresholdExceeded",
  "MemoryUsageHigh",
  "CpuUsageHigh",
] as const;

const KERNEL_SUBJECTS = [
  "KernelStartup",
  "CodeExecution",
  "ScriptLoad",
  "DebugSession",
  "Breakpoint",
  "StepExecution",
  "StateChange",
  "StatePersist",
  "MessageHandle",
  "IOPubBroadcast",
] as const;

export const KERNEL_POINTS: readonly string[] = [
  ...KERNEL_SUBJECTS.flatMap((subject) => [`Pre${subject}`, `Post${subject}`]),
  "ExecutionError",
  "DebugError",
  "StateError",
  "SystemError",
];

/** Custom points of the reference that are one of the points above by another name. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  tool_parameter_validation: ["ToolValidation"],
  workflow_start: ["BeforeWorkflowStart"],
  workflow_complete: ["AfterWorkflowComplete"],
  workflow_step_boundary: ["WorkflowStageTransition"],
  before_agent_terminate: ["BeforeAgentShutdown"],
  state_change: ["BeforeStateWrite", "AfterStateWrite"],
};

/** Custom points of the reference that stay points of their own; their bare names mean `custom:NAME`. */
export const CUSTOM_POINTS: readonly string[] = [
  "tool_security_check",
  "tool_resource_allocated",
  "tool_resource_released",
  "tool_timeout",
  "workflow_state_change",
  "workflow_shared_data",
  "condition_evaluation",
  "branch_selection",
  "loop_iteration_start",
  "loop_iteration_complete",
  "loop_termination",
  "parallel_fork",
  "parallel_join",
  "parallel_synchronization",
  "agent_paused",
  "agent_recovering",
  "agent_state_save",
  "agent_state_delete",
];

export const CUSTOM = "custom:";

const NAMED: readonly string[] = [...POINTS, ...KERNEL_POINTS];
/** Canonical names by their names in lower case without underscores. */
const FOLDED = new Map(NAMED.map((name) => [name.toLowerCase(), name]));

/**
 * The canonical points that a name stands for: `BeforeToolExecution`, `before_tool_execution`, `custom:NAME`, or a custom
 * point of the reference.
 * @throws SpellError invalid_argument
 */
export function canonicalPoints(name: string): readonly string[] {
  if (NAMED.includes(name)) return [name];
  if (name.startsWith(CUSTOM) && name.length > CUSTOM.length) {
    const bare = name.slice(CUSTOM.length);
    return Object.hasOwn(ALIASES, bare) ? ALIASES[bare]! : [name];
  }
  if (Object.hasOwn(ALIASES, name)) return ALIASES[name]!;
  if (CUSTOM_POINTS.includes(name)) return [CUSTOM + name];
  const folded = /^[a-z]+(_[a-z]+)*$/.test(name) ? FOLDED.get(name.replaceAll("_", "")) : undefined;
  if (folded !== undefined) return [folded];
  throw new SpellError("invalid_argument", `Unknown hook point: ${name}`, {
    data: { point: name },
    hint: didYouMean(name, NAMED) ?? "Points of your own are written custom:NAME",
  });
}
