/** What the tool and its worker say to each other. */
import type { ErrorJson } from "../../../core/errors.ts";

export type Job = { maxDepth: number } & (
  | { kind: "query"; input: string; query: string }
  | { kind: "lines"; input: string; query: string | undefined }
  | { kind: "validate"; input: string; schema: unknown }
);

export type Answer = { value: unknown } | { error: ErrorJson };
