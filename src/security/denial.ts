/** The texts of refused access: spec/tools.md sections 4.3 and 5.1. Scripts match on parts of them. */
import { SpellError } from "../core/errors.ts";
import { span } from "../core/span.ts";

/** What refuses something. */
export type SecurityRule = "switched_off" | "security_level" | "path" | "file" | "variable" | "network";

/** The error of a refusal, which has its place in traces. */
export function refused(rule: SecurityRule, error: SpellError): SpellError {
  const attributes = { "llmspell.security.rule": rule };
  span({ category: "security", operation: "refuse", attributes }, (watched) =>
    watched.fail(error.code, error.message),
  );
  return error;
}

export function deniedPath(path: string, hint?: string): SpellError {
  const error = new SpellError(
    "permission_denied",
    `Security violation: File access violation: access on '${path}' - Path not in allowed list (Permission denied: Path not allowed)`,
    {
      data: { path },
      hint: hint ?? "Add its directory to tools.file_operations.allowed_paths in the configuration",
    },
  );
  return refused("path", error);
}

/** @param reason sentence part after the dash, for example `Extension '.exe' is blocked` */
export function deniedFile(path: string, reason: string, hint: string): SpellError {
  const error = new SpellError(
    "permission_denied",
    `Security violation: File access violation: access on '${path}' - ${reason} (Permission denied)`,
    { data: { path }, hint },
  );
  return refused("file", error);
}

export function deniedVariable(name: string, reason: string, hint: string): SpellError {
  const error = new SpellError(
    "permission_denied",
    `Security violation: Environment access violation: variable '${name}' - ${reason} (Permission denied: not in allowlist)`,
    { data: { variable: name }, hint },
  );
  return refused("variable", error);
}
