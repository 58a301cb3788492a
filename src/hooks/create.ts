/** The hooks of one kernel. */
import type { HookedOperation, HookInput, HookResult, HookService } from "./service.ts";

export function createHookService(): HookService {
  return new Hooks();
}

class Hooks implements HookService {
  has(_point: string): boolean {
    return false;
  }

  async run(_input: HookInput): Promise<HookResult> {
    return { type: "continue" };
  }

  async around<T>(
    operation: HookedOperation,
    work: (data: Record<string, unknown>) => Promise<T> | T,
  ): Promise<T> {
    return work(operation.data);
  }
}
