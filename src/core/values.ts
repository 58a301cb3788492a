/**
 * Values as they stand on the host side of the bridge, under spec/lua-api.md section 0.1:
 * nil is `null`, integers beyond 2^53 are `bigint`, a Lua string that is not UTF-8 is a `Uint8Array`,
 * a sequence is an array, any other table a plain object, a script function a `ScriptFunction`,
 * a kernel object a `Handle`.
 */
export type ScriptValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ScriptFunction
  | Handle
  | ScriptTable
  | ScriptValue[]
  | { [key: string]: ScriptValue };

/** A function of the script, callable from the host while the script waits or is idle. */
export interface ScriptFunction {
  readonly kind: "function";
  /**
   * Runs the function in its VM and resolves with its first result. Rejects with the script's error. Rejects with
   * `limit` when callbacks nest too deep and with `interrupted` when the script has ended.
   */
  call(...args: ScriptValue[]): Promise<ScriptValue>;
  /** Gives the reference back; the function cannot be called afterwards. Without it, it lives as long as the script. */
  release(): void;
}

/** A table of the script cannot pass as one: tables arrive with the plain object prototype. */
export function isScriptFunction(value: unknown): value is ScriptFunction {
  return (
    typeof value === "object" &&
    value !== null &&
    !isPlainObject(value) &&
    (value as { kind?: unknown }).kind === "function"
  );
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A kernel object handed to a script: `className` says which declared class gives its methods. */
export class Handle<T extends object = object> {
  readonly kind = "handle";
  constructor(
    readonly className: string,
    readonly object: T,
  ) {}
}

/**
 * A result table that is more than an array or an object: an array part beside fields, a text that `tostring` and
 * `..` yield, fields that are found by index but not by iteration.
 */
export class ScriptTable {
  readonly kind = "table";
  constructor(
    readonly parts: {
      array?: ScriptValue[];
      fields?: Record<string, ScriptValue>;
      /** What `tostring(t)` and `"..." .. t` give. */
      text?: string;
      /** Looked up when a key is absent; not seen by `pairs`. */
      fallback?: Record<string, ScriptValue>;
    },
  ) {}
}
