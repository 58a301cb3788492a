/** What vendors say when they refuse a request: one reader for the shapes they document. */
import { isPlainObject } from "../../../core/values.ts";

export interface VendorError {
  message: string;
  /** The vendor's word for the kind: `invalid_request_error`, `overloaded_error`, `RESOURCE_EXHAUSTED`. */
  type?: string;
  code?: string;
  /** The HTTP status that it stands for, where it can be told. */
  statusCode?: number;
  /** How long the vendor asks to wait. */
  retryAfterMs?: number;
}

const LONGEST_MESSAGE = 1000;

/** Statuses of errors that come inside an answer, by the vendors' words. */
const STATUS_OF: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  invalid_api_key: 401,
  api_key_invalid: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  resource_exhausted: 429,
  api_error: 500,
  server_error: 500,
  internal_server_error: 500,
  internal: 500,
  unavailable: 503,
  service_unavailable: 503,
  timeout_error: 504,
  overloaded_error: 529,
};

/** The error in an answer's JSON; undefined where it holds none. */
export function vendorError(value: unknown): VendorError | undefined {
  // Gemini sends a list with one error where a list of parts was asked for
  const body = Array.isArray(value) ? value[0] : value;
  if (!isPlainObject(body)) return undefined;
  const { error } = body;
  if (typeof error === "string" && error !== "") return described({ message: error });
  if (isPlainObject(error) && Object.keys(error).length > 0) return described(error);
  // the last event of a Cohere stream that failed
  const late = isPlainObject(body.delta) ? text(body.delta.error) : undefined;
  return late === undefined ? undefined : described({ message: late });
}

/** As `vendorError`, for the body of a refusal, where any text is the reason. */
export function refusalIn(value: unknown): VendorError | undefined {
  const inside = vendorError(value);
  if (inside !== undefined || !isPlainObject(value)) return inside;
  // Cohere and Mistral put it at the top; validators of FastAPI list it under `detail`
  const nested = isPlainObject(value.message) ? value.message.detail : undefined;
  const message =
    text(value.message) ?? listed(value.detail) ?? listed(nested) ?? text(value.error_description);
  return message === undefined ? undefined : described({ ...value, message });
}

function described(error: Record<string, unknown>): VendorError {
  const details = Array.isArray(error.details) ? error.details.filter(isPlainObject) : [];
  const type = text(error.type) ?? text(error.status);
  const code = text(error.code) ?? details.map(({ reason }) => text(reason)).find((found) => found);
  const delay = details.map(({ retryDelay }) => text(retryDelay)).find((found) => found);
  const number = [error.code, error.status_code].find((n) => typeof n === "number" && n >= 400 && n < 600);
  const statusCode = (number as number | undefined) ?? statusOf(code) ?? statusOf(type);
  const message = (text(error.message) ?? listed(error.detail) ?? type ?? "no reason given").trim();
  return {
    message: message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message,
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? {} : { code }),
    ...(statusCode === undefined ? {} : { statusCode }),
    ...(delay === undefined || !/^[\d.]+s$/.test(delay)
      ? {}
      : { retryAfterMs: Number.parseFloat(delay) * 1000 }),
  };
}

function statusOf(word: string | undefined): number | undefined {
  const key = word?.toLowerCase();
  return key !== undefined && Object.hasOwn(STATUS_OF, key) ? STATUS_OF[key] : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}

function listed(value: unknown): string | undefined {
  if (!Array.isArray(value)) return text(value);
  const lines = value.filter(isPlainObject).map(({ loc, msg }) => {
    const place = Array.isArray(loc) ? `${loc.join(".")}: ` : "";
    return `${place}${text(msg) ?? "is wrong"}`;
  });
  return lines.length === 0 ? undefined : lines.join("; ");
}
