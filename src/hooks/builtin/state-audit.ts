import { Ring } from "../../core/ring.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookContext } from "../service.ts";
import type { Builtin, BuiltinOptions } from "./index.ts";

interface AuditEntry {
  /** RFC 3339. */
  timestamp: string;
  operation: string;
  scope: string | null;
  key: string | null;
  success: boolean;
  error: string | null;
  correlation_id: string;
}

/** Keeps who changed what of state, and what failed; no values. */
export function stateAuditHook({ points, max_entries }: BuiltinOptions<"state_audit">): Builtin {
  const entries = new Ring<AuditEntry>(max_entries);
  const operations = new Map<string, number>();
  const run = ({ data, timestampMs, correlationId }: HookContext) => {
    const operation = String(data.operation);
    operations.set(operation, (operations.get(operation) ?? 0) + 1);
    entries.push({
      timestamp: new Date(timestampMs).toISOString(),
      operation,
      scope: textOf(data.scope),
      key: textOf(data.key),
      success: data.error === undefined,
      error: textOf(data.error),
      correlation_id: correlationId,
    });
    return undefined;
  };
  return {
    description: "Keeps what was done to state",
    spec: { points, run, priority: PRIORITIES.lowest, immediate: true },
    report: () => ({ operations: Object.fromEntries(operations), entries: entries.last() }),
  };
}

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);
