/**
 * The closed set of failure kinds. The kind decides the exit code (`src/cli/exit-codes.ts`) and how a front end
 * shows the failure; it never has to be guessed from the text.
 */
const ERROR_CODES = [
  "usage", // the command line is wrong
  "invalid_argument", // a global, tool or kernel request got a bad argument
  "config", // a configuration file, profile or environment value is wrong
  "not_found", // a script, tool, model, agent, file or profile does not exist
  "already_exists",
  "script_syntax",
  "script", // an uncaught error of the script
  "limit", // time, memory, instructions, output, nesting: data.limit names which
  "timeout",
  "interrupted",
  "permission_denied", // the security configuration refuses it
  "tool_failed",
  "provider", // a model provider answered with a failure
  "model_invalid", // a model file is missing parts, truncated or hostile
  "context_overflow", // data: promptTokens, contextTokens, overTokens
  "deadlock", // a wait that cannot end
  "io", // disk full, read-only, permissions of the operating system
  "network",
  "platform", // a native library is missing or does not fit this machine
  "internal", // a bug of ours
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface SpellErrorOptions {
  /** Machine-readable facts about the failure; never secrets. */
  data?: Record<string, unknown>;
  /** One sentence telling what to do next. */
  hint?: string;
  cause?: unknown;
}

/**
 * Every expected failure. `message` follows `Action: rule: value`, sentence case, no full stop. Callers branch on
 * `code` and `data`, never on the text. Front ends add prefix, hint and causes in `src/cli/format-error.ts`.
 */
export class SpellError extends Error {
  readonly code: ErrorCode;
  readonly data: Record<string, unknown>;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: SpellErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SpellError";
    this.code = code;
    this.data = options.data ?? {};
    this.hint = options.hint;
  }
}

export interface ErrorJson {
  code: ErrorCode;
  message: string;
  hint?: string;
  data?: Record<string, unknown>;
  /** Text of the script's own stack, file names and lines included. */
  traceback?: string;
}

/** The shape in which a failure crosses threads and transports. Unknown errors become `internal`. */
export function errorToJson(error: unknown): ErrorJson {
  if (!(error instanceof SpellError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: "internal", message };
  }
  const json: ErrorJson = { code: error.code, message: error.message };
  if (error.hint !== undefined) json.hint = error.hint;
  const { traceback, ...data } = error.data;
  if (Object.keys(data).length > 0) json.data = data;
  if (typeof traceback === "string") json.traceback = traceback;
  return json;
}

export function errorFromJson(json: ErrorJson): SpellError {
  const data = { ...json.data, ...(json.traceback === undefined ? {} : { traceback: json.traceback }) };
  return new SpellError(
    json.code,
    json.message,
    json.hint === undefined ? { data } : { data, hint: json.hint },
  );
}

/** `error.message` of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
