/** What a tool is. One definition gives validation, the model-facing JSON Schema, CLI help and the reference page. */
import { type Static, type TObject, Type } from "typebox";
import type { Capabilities, SecurityLevel } from "../security/capabilities.ts";
import type { ResourceLimits } from "../security/limits.ts";

export type ToolCategory =
  | "filesystem"
  | "web"
  | "api"
  | "analysis"
  | "data"
  | "system"
  | "media"
  | "utility"
  | (string & {});

/** What a tool answers; the tools service makes the envelope of spec/tools.md section 3 from it. */
export interface ToolOutcome {
  operation: string;
  /** Default true. False is a failure the script gets as a value, not as an error. */
  success?: boolean;
  message?: string;
  /** The structured result, under the names of spec/tools.md. */
  result?: unknown;
  /** For style "text": the human text or the content. */
  text?: string | Uint8Array;
  error?: { message: string; code?: string; details?: unknown };
  /** Further fields at the top level of the result, beside `result`. */
  extra?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
}

export interface ToolContext {
  /** The only way to files, network, processes and environment. What was not declared in `needs` throws. */
  readonly can: Capabilities;
  readonly signal: AbortSignal;
  /** The `[tools.*]` part of the configuration. */
  readonly settings: ToolSettings;
}

export type ToolSettings = import("../config/schema.ts").Config["tools"];

export interface ToolExample {
  title: string;
  params: Record<string, unknown>;
  /** Fields that the example's `result` must contain; the reference page shows it and a test runs it. */
  result?: unknown;
}

/** What else a caller may write; models and documentation see only the schema. */
export interface AcceptedSpellings {
  /** Other names of parameters: spelling → name. */
  names?: Readonly<Record<string, string>>;
  /** Other spellings of a parameter's values, compared without case: parameter → spelling → value. */
  values?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Text parameters that also take bytes which are no UTF-8, as `Uint8Array`. */
  bytes?: readonly string[];
}

export interface ToolDefinition<S extends TObject = TObject> {
  readonly name: string;
  readonly aliases: readonly string[];
  /** The first sentence says what it is for; models choose by it. */
  readonly description: string;
  readonly category: ToolCategory;
  readonly level: SecurityLevel;
  readonly version: string;
  /** JSON Schema of the parameters; unknown parameters are ignored, wrong ones refused. */
  readonly parameters: S;
  readonly accepts?: AcceptedSpellings;
  /** What `result` holds for each operation: Markdown for the reference page. */
  readonly resultDoc: string;
  /** `envelope`: text is the envelope's JSON. `text`: text is for people or the content (spec/tools.md section 3.2). */
  readonly style: "envelope" | "text";
  readonly needs: readonly (keyof Capabilities)[];
  readonly examples: readonly ToolExample[];
  /** The main scalar of a result: what `output` is and what a workflow placeholder yields. */
  readonly primary: (outcome: ToolOutcome) => unknown;
  /** Whether a call with these parameters only computes: the same result each time, nothing read and nothing changed. */
  readonly isPure?: (params: Record<string, unknown>) => boolean;
  /** Which thrown errors become `success=false` results instead of script errors. Default: none. */
  readonly returnsFailures?: boolean | ((operation: string) => boolean);
  /** Time allowed for one call where the configuration names none. */
  readonly timeoutMs?: number;
  /** Where the tool's own limits differ from those of its level (`src/security/limits.ts`). */
  readonly limits?: Partial<ResourceLimits>;
  execute(params: Static<S>, ctx: ToolContext): Promise<ToolOutcome> | ToolOutcome;
}

/** Keeps the parameter types of a definition. */
export function defineTool<S extends TObject>(definition: ToolDefinition<S>): ToolDefinition {
  return definition as unknown as ToolDefinition;
}

/** A parameter that takes one of some words. Some model providers insist on the type beside the words. */
export function choice<const W extends string>(words: readonly W[], description: string, byDefault?: W) {
  const schema = { type: "string", enum: [...words], description };
  return Type.Unsafe<W>(byDefault === undefined ? schema : { ...schema, default: byDefault });
}
