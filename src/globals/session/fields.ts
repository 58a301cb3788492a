/** Options of the Session and Artifact globals: fields of the wrong type are ignored (spec/lua-api.md section 0.1). */
import { SpellError } from "../../core/errors.ts";
import type { SessionOptions, SessionQuery, SessionStatus } from "../../sessions/service.ts";
import { flag, integer, present, type Table, table, text, texts } from "../agent/fields.ts";

export function sessionOptions(given: Table): SessionOptions {
  return present<SessionOptions>({
    id: text(given.id),
    name: text(given.name),
    description: text(given.description),
    createdBy: text(given.created_by),
    tags: texts(given.tags),
    parentSessionId: text(given.parent_session_id),
    metadata: table(given.metadata),
  });
}

const STATUSES: readonly string[] = [
  "active",
  "suspended",
  "completed",
  "failed",
  "archived",
] satisfies SessionStatus[];
const SORT_KEYS: readonly string[] = [
  "created_at",
  "updated_at",
  "name",
  "artifact_count",
  "operation_count",
];

/** `CreatedAt` and `created_at` are the same. */
const snake = (word: string): string => word.replaceAll(/(?<=[a-z])[A-Z]/g, "_$&").toLowerCase();

export function sessionQuery(given: Table): SessionQuery {
  const status = text(given.status)?.toLowerCase();
  const sortBy = text(given.sort_by);
  return present<SessionQuery>({
    status: status === undefined ? undefined : (oneOf("status", status, STATUSES) as SessionStatus),
    createdBy: text(given.created_by),
    tags: texts(given.tags),
    parentSessionId: text(given.parent_session_id),
    createdAfterMs: timeOf("created_after", given.created_after),
    createdBeforeMs: timeOf("created_before", given.created_before),
    searchText: text(given.search_text),
    limit: natural(given.limit),
    offset: natural(given.offset),
    sortBy: (sortBy === undefined
      ? undefined
      : oneOf("sort_by", snake(sortBy), SORT_KEYS)) as SessionQuery["sortBy"],
    sortDescending: flag(given.sort_desc),
  });
}

function oneOf(field: string, value: string, words: readonly string[]): string {
  if (words.includes(value)) return value;
  throw new SpellError(
    "invalid_argument",
    `Invalid query: "${field}" must be one of ${words.join(", ")}: ${value}`,
  );
}

/** RFC 3339 as milliseconds since the epoch. @throws SpellError invalid_argument */
export function timeOf(field: string, value: unknown): number | undefined {
  if (typeof value !== "string") return undefined;
  const ms = Date.parse(value);
  if (!Number.isNaN(ms)) return ms;
  throw new SpellError("invalid_argument", `Invalid query: "${field}" must be an RFC 3339 time: ${value}`, {
    hint: 'Write it like "2026-01-31T12:00:00Z"',
  });
}

export function natural(value: unknown): number | undefined {
  const n = integer(value);
  return n === undefined || n < 0 ? undefined : n;
}
