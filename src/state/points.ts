/**
 * The kernel's own points of state (spec/kernel.md section 17.1): around any change, around what the store is handed, and
 * where the store fails. Hooks there watch; before a change they may refuse it.
 */
import { errorToJson, SpellError } from "../core/errors.ts";
import type { HookComponent, HookRunner } from "../hooks/service.ts";
import { isFailureOfState } from "./figures.ts";
import type { StatePlace } from "./keys.ts";
import { VersionConflict } from "./records.ts";
import type { StateCallOptions } from "./service.ts";

export const COMPONENT: HookComponent = { type: "System", name: "state" };

/** What is done, with `scope` and `key` where it is about one value. */
export interface StateOperation extends Record<string, unknown> {
  operation:
    | "state_get"
    | "state_set"
    | "state_delete"
    | "state_clear"
    | "state_import"
    | "state_restore"
    | "state_migrate";
}

export const operationOn = (
  operation: StateOperation["operation"],
  { scope, key }: StatePlace,
): StateOperation => ({ operation, scope, key });

const POINTS = ["PreStateChange", "PostStateChange", "PreStatePersist", "PostStatePersist", "StateError"];

export class StatePoints {
  constructor(private readonly hooks: () => Promise<HookRunner>) {}

  /** Whether any hook stands at one of them: where none does, callers need not ask. */
  stand(hooks: HookRunner): boolean {
    return POINTS.some((point) => hooks.has(point));
  }

  /** @throws SpellError permission_denied where a hook refuses it; what `work` throws */
  change<T>(operation: StateOperation, options: StateCallOptions, work: () => Promise<T>): Promise<T> {
    return this.around("StateChange", operation, options, work);
  }

  /** @throws SpellError as `change` */
  persist<T>(operation: StateOperation, options: StateCallOptions, work: () => Promise<T>): Promise<T> {
    return this.around("StatePersist", operation, options, () => this.watched(operation, options, work));
  }

  private async around<T>(
    subject: "StateChange" | "StatePersist",
    operation: StateOperation,
    options: StateCallOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    const hooks = await this.hooks();
    if (hooks.has(`Pre${subject}`)) {
      const result = await hooks.run(inputOf(`Pre${subject}`, operation, options));
      if (result.type === "cancel") throw cancelled(operation, result.reason);
    }
    const done = await work();
    await this.tell(`Post${subject}`, { ...operation, success: true }, options);
    return done;
  }

  /** Tells hooks where storage fails. */
  async watched<T>(
    operation: StateOperation,
    options: StateCallOptions,
    work: () => Promise<T> | T,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isFailureOfState(error) && !(error instanceof VersionConflict)) {
        const { code, message } = errorToJson(error);
        await this.tell("StateError", { ...operation, error: message, error_code: code }, options);
      }
      throw error;
    }
  }

  /** A change that has been made. */
  changed(operation: StateOperation): Promise<void> {
    return this.tell("PostStateChange", { ...operation, success: true }, {});
  }

  private async tell(point: string, data: Record<string, unknown>, options: StateCallOptions): Promise<void> {
    const hooks = await this.hooks();
    if (hooks.has(point)) await hooks.run(inputOf(point, data, options));
  }
}

const inputOf = (
  point: string,
  data: Record<string, unknown>,
  { correlationId, signal }: StateCallOptions,
) => ({ point, component: COMPONENT, data, correlationId, signal });

function cancelled({ operation, key }: StateOperation, reason: string): SpellError {
  const what = key === undefined ? operation : `${operation} of "${key}"`;
  return new SpellError("permission_denied", `Cannot change state: a hook cancelled ${what}: ${reason}`, {
    data: { operation, reason },
  });
}
