/**
 * How a script global is declared: once. From a declaration come the Lua table, the argument checks and their texts,
 * completion and hover, and `docs/api/<name>.md`. A declaration is light: it imports types and schemas, never a
 * service, so that the script thread can load all of them.
 */
import { type Static, type TSchema, Type } from "typebox";
import type { ScriptFunction, ScriptValue } from "../core/values.ts";
import type { RunContext, Services } from "../kernel/services.ts";

export interface Param<S extends TSchema = TSchema, O extends boolean = boolean> {
  readonly name: string;
  readonly schema: S;
  readonly doc: string;
  readonly optional: O;
  /** Takes this and all further arguments as an array. Only the last parameter. */
  readonly rest?: boolean;
}

export const param = <S extends TSchema>(name: string, schema: S, doc: string): Param<S, false> => ({
  name,
  schema,
  doc,
  optional: false,
});

export const optional = <S extends TSchema>(name: string, schema: S, doc: string): Param<S, true> => ({
  name,
  schema,
  doc,
  optional: true,
});

export type Args<P extends readonly Param[]> = {
  [K in keyof P]: P[K] extends Param<infer S, infer O>
    ? O extends true
      ? Static<S> | undefined
      : Static<S>
    : never;
};

/** A parameter that takes a script function. */
export const LuaFunction = Type.Unsafe<ScriptFunction>({ "x-script": "function" });
/** A parameter that takes any value. */
export const AnyValue = Type.Unsafe<ScriptValue>({});
/** A table read as an object with any keys. `{}` is one. */
export const AnyTable = Type.Unsafe<Record<string, ScriptValue>>({ type: "object" });
/** Text or bytes; a Lua string that is not UTF-8 arrives as `Uint8Array`. */
export const BytesOrText = Type.Unsafe<string | Uint8Array>({ "x-script": "bytes" });

/** What a handler on the kernel's side may use. */
export interface CallContext<Self = undefined> {
  readonly services: Services;
  readonly run: RunContext;
  /** The object the method was called on; undefined for functions of a global. */
  readonly self: Self;
}

/** What a local implementation in the script thread may use. */
export interface LocalContext<Self = undefined> {
  /** The state of a local object (see `ClassDecl.local`). */
  readonly self: Self;
  /** Makes a wait call, for local helpers that end in one: `ctx.wait("Agent", "create", config)`. */
  wait(global: string, fn: string, ...args: ScriptValue[]): ScriptValue;
  /** Makes a post call. */
  post(global: string, fn: string, ...args: ScriptValue[]): void;
  /** Creates a local object of a class declared with `local: true`. */
  create(className: string, state: object): ScriptValue;
  /** Script arguments and limits the thread was started with. One object for the life of the VM. */
  readonly env: LocalEnvironment;
  readonly vm: VmInspection;
}

/** What a local function may see of the VM it is called from. */
export interface VmInspection {
  /** The script's call stack, innermost frame first, without the frames of globals. */
  stack(options: { maxDepth: number; locals: boolean; upvalues: boolean }): StackFrame[];
  /** Bytes in use on the Lua heap, and bytes the VM holds for it. */
  memory(): { usedBytes: number; allocatedBytes: number };
}

export interface StackFrame {
  /** The chunk's name as error messages show it (`script.lua`), or `[C]`. */
  source: string;
  /** The line being executed; -1 in a C function. */
  line: number;
  /** The function's name as far as Lua knows it; empty for none. */
  name: string;
  what: "Lua" | "C" | "main";
  /** Values as `tostring` shows them, shortened. Only where asked for. */
  locals?: { name: string; value: string }[];
  upvalues?: { name: string; value: string }[];
}

export interface LocalEnvironment {
  readonly scriptName: string;
}

/** What the configuration must offer for a global or a function to be there. */
export type Feature = "state" | "state_migration" | "state_backup" | "sessions";

interface FunctionBase {
  readonly doc: string;
  /** Absent (nil) where the configuration does not offer this. */
  readonly when?: Feature;
  readonly params: readonly Param[];
  /** The result as the reference shows it, for example `{name, description}[]`. */
  readonly returns: string;
  /** Further names under which the same function is found. */
  readonly aliases?: readonly string[];
  /** Called by local and Lua functions of the same global only: not in the script's table, not in the reference. */
  readonly internal?: boolean;
}

/**
 * - `wait`: the script blocks until the kernel has answered.
 * - `post`: sent without waiting; order is kept with later calls.
 * - `local`: runs in the script thread.
 * - `lua`: implemented in Lua: a chunk that returns the function. Its argument (`local host = ...`) is a private table
 *   with the other functions of the same global, the internal ones included.
 */
export type FunctionDecl = FunctionBase &
  (
    | { readonly crossing: "wait"; readonly handler: (ctx: CallContext<never>, ...args: never[]) => unknown }
    | { readonly crossing: "post"; readonly handler: (ctx: CallContext<never>, ...args: never[]) => unknown }
    | {
        readonly crossing: "local";
        readonly handler: (ctx: LocalContext<never>, ...args: never[]) => unknown;
      }
    | { readonly crossing: "lua"; readonly source: string }
  );

type Spec<P extends readonly Param[], C> = {
  doc: string;
  params: P;
  returns: string;
  when?: Feature;
  aliases?: readonly string[];
  internal?: boolean;
  handler: (ctx: C, ...args: Args<P>) => unknown;
};

/** The declaring functions for methods of a class whose objects are `Self`. */
export function methodsOf<Self>() {
  return {
    wait: <const P extends readonly Param[]>(spec: Spec<P, CallContext<Self>>): FunctionDecl =>
      ({ crossing: "wait", ...spec }) as unknown as FunctionDecl,
    post: <const P extends readonly Param[]>(spec: Spec<P, CallContext<Self>>): FunctionDecl =>
      ({ crossing: "post", ...spec }) as unknown as FunctionDecl,
    local: <const P extends readonly Param[]>(spec: Spec<P, LocalContext<Self>>): FunctionDecl =>
      ({ crossing: "local", ...spec }) as unknown as FunctionDecl,
    lua: (spec: FunctionBase & { source: string }): FunctionDecl => ({ crossing: "lua", ...spec }),
  };
}

export const { wait, post, local, lua } = methodsOf<undefined>();

export interface ClassDecl {
  readonly name: string;
  readonly doc: string;
  /** Objects live in the script thread (builders); their methods are `local`. Otherwise they are kernel handles. */
  readonly local?: boolean;
  readonly methods: Record<string, FunctionDecl>;
  /** Plain fields put on the script's object when its handle crosses. */
  readonly fields?: (object: never) => Record<string, ScriptValue>;
}

export interface GlobalDecl {
  readonly name: string;
  readonly doc: string;
  /** Absent (nil) where the configuration does not offer this. */
  readonly when?: Feature;
  readonly functions: Record<string, FunctionDecl>;
  readonly classes?: readonly ClassDecl[];
  /** Called for a key that is no function of the table; its non-nil result is the value (`Tool["uuid-generator"]`). */
  readonly index?: FunctionDecl;
  /** Also offer `snake_case` names in `camelCase` and the reverse, unseen by iteration. Not together with `index`. */
  readonly bothSpellings?: boolean;
}
