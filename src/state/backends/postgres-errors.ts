/** What PostgreSQL and the way to it report, as errors of ours. */
import { SQL } from "bun";
import { messageOf, SpellError } from "../../core/errors.ts";

/** `code` is Bun's, `errno` the server's SQLSTATE. */
const codesOf = (error: unknown): { code: string; state: string } =>
  error instanceof SQL.PostgresError
    ? { code: error.code, state: String(error.errno ?? "") }
    : { code: String((error as { code?: unknown } | null)?.code ?? ""), state: "" };

/** The server was not reached, or refused before it did anything. */
export function isNeverSent(error: unknown): boolean {
  const { code, state } = codesOf(error);
  // 57P03: it starts or stops; 53300: it has too many connections.
  return (
    /CONNECTION_REFUSED|CONNECTION_FAILED|^ECONNREFUSED$|^ENOENT$/.test(code) || /^(57P03|53300)$/.test(state)
  );
}

/** The connection ended: what was sent may have been done. */
export function isLost(error: unknown): boolean {
  const { code, state } = codesOf(error);
  // 57P01, 57P02: an administrator or a crash ended it.
  return (
    /CONNECTION_(CLOSED|TIMEOUT|RESET)|LIFETIME_TIMEOUT|^ECONNRESET$|^EPIPE$/.test(code) ||
    /^57P0[12]$/.test(state)
  );
}

/** The server undid the transaction for the sake of another: it may run again. */
export function isSerialization(error: unknown): boolean {
  return ["40001", "40P01"].includes(codesOf(error).state);
}

/** By the first characters of SQLSTATE. */
const REFUSALS: readonly (readonly [RegExp, "config" | "io", string, string?])[] = [
  [/^28/, "config", "the server refuses user or password"],
  [/^3D000/, "config", "there is no such database", "Create it, or name another in the address"],
  [/^42501/, "config", "the user may not do this", "Grant CREATE on the schema, or make the tables as owner"],
  [/^53100/, "io", "the server's disk is full"],
  [/^25006/, "io", "the server is read-only"],
];

/** Errors of the caller's own pass as they are. The address is shown without user and password. */
export function postgresError(error: unknown, url: string): unknown {
  const { code, state } = codesOf(error);
  if (!(error instanceof SQL.PostgresError) && !/^E[A-Z]+$/.test(code)) return error;
  const place = placeOf(url);
  const data = { place, postgres: state || code };
  const [, kind, reason, hint] = REFUSALS.find(([pattern]) => pattern.test(state)) ?? [];
  if (kind !== undefined)
    return new SpellError(kind, `Cannot use PostgreSQL for state: ${reason}: ${place}`, {
      data,
      hint: hint ?? "See runtime.state_persistence.database_url",
      cause: error,
    });
  if (isNeverSent(error) || isLost(error) || /CONNECTION|TIMEOUT|TLS|AUTHENTICATION/.test(code))
    return new SpellError("network", `Cannot reach PostgreSQL for state: ${messageOf(error)}: ${place}`, {
      data,
      hint: isLost(error)
        ? "The last write may or may not have been stored: read it back"
        : "See that the server runs and runtime.state_persistence.database_url names it",
      cause: error,
    });
  return new SpellError("io", `Cannot use PostgreSQL for state: ${messageOf(error)}: ${place}`, {
    data,
    cause: error,
  });
}

function placeOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "the address is no URL" : `${parsed.host}${parsed.pathname}`;
}
