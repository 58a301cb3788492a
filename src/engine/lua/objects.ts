/** Values of the script thread that stand for something else. */
import type { ScriptFunction, ScriptValue } from "../../core/values.ts";

/** A function of the script, by its number in the VM's reference table. */
export class FunctionRef implements ScriptFunction {
  readonly kind = "function";
  constructor(
    readonly id: number,
    private readonly vm?: {
      runFunction(id: number, args: unknown[]): unknown;
      dropFunction(id: number): void;
    },
  ) {}

  async call(...args: ScriptValue[]): Promise<ScriptValue> {
    return this.vm?.runFunction(this.id, args) as ScriptValue;
  }

  release(): void {
    this.vm?.dropFunction(this.id);
  }
}

/** A kernel object as the script thread sees it. */
export class HandleRef {
  readonly kind = "handle";
  constructor(
    readonly id: number,
    /** Number of its class in declaration order. */
    readonly classNumber: number,
    readonly fields: Record<string, unknown>,
  ) {}
}

/** An object that lives in the script thread (a builder). */
export class LocalObject {
  readonly kind = "local";
  constructor(
    readonly className: string,
    readonly state: object,
  ) {}
}
