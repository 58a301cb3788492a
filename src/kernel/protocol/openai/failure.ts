/** Failures in the shape and with the statuses of OpenAI's API. */
import { type ErrorCode, errorToJson } from "../../../core/errors.ts";

export interface Failure {
  status: number;
  body: { error: { message: string; type: string; param: string | null; code: string | null } };
  /** Seconds after which trying again may help. */
  retryAfterSeconds?: number;
}

interface Kind {
  status: number;
  type: string;
  code: string | null;
}

const KINDS = {
  invalid: { status: 400, type: "invalid_request_error", code: null },
  unauthorised: { status: 401, type: "invalid_request_error", code: "invalid_api_key" },
  forbidden: { status: 403, type: "invalid_request_error", code: "forbidden" },
  notFound: { status: 404, type: "invalid_request_error", code: "not_found" },
  method: { status: 405, type: "invalid_request_error", code: "method_not_allowed" },
  tooLarge: { status: 413, type: "invalid_request_error", code: "request_too_large" },
  mediaType: { status: 415, type: "invalid_request_error", code: "unsupported_media_type" },
  busy: { status: 429, type: "rate_limit_error", code: "queue_full" },
  closed: { status: 499, type: "invalid_request_error", code: "client_closed_request" },
  server: { status: 500, type: "server_error", code: "internal_error" },
  unavailable: { status: 503, type: "server_error", code: "unavailable" },
} as const satisfies Record<string, Kind>;

export function failure(
  kind: keyof typeof KINDS,
  message: string,
  more: Partial<Kind & { param: string }> = {},
): Failure {
  const { status, type, code } = { ...KINDS[kind], ...more };
  return {
    status,
    body: { error: { message, type, param: more.param ?? null, code } },
    ...(status === 429 || status === 503 ? { retryAfterSeconds: 1 } : {}),
  };
}

const OF_CODE: Partial<Record<ErrorCode, [keyof typeof KINDS, string | null]>> = {
  invalid_argument: ["invalid", null],
  not_found: ["notFound", "model_not_found"],
  context_overflow: ["invalid", "context_length_exceeded"],
  // calling again would not help, so no status that clients retry on
  model_invalid: ["invalid", "model_invalid"],
  config: ["invalid", "model_unusable"],
  permission_denied: ["forbidden", "permission_denied"],
  limit: ["unavailable", "limit"],
  interrupted: ["unavailable", "shutting_down"],
};

/**
 * What a client is told of an error. Paths of this machine are not: the model's id stands in their place, and of a
 * failure that is not the client's only its kind is named.
 */
export function failureOf(error: unknown, modelId?: string): Failure {
  const { code, message, hint, data } = errorToJson(error);
  if (code === "limit" && data?.limit === "queue") return failure("busy", message);
  const [kind, apiCode] = OF_CODE[code] ?? ["server", code];
  if (kind === "server") return failure(kind, "The server failed; its log says why", { code: apiCode });
  const path = typeof data?.path === "string" ? data.path : undefined;
  const told = [message, hint]
    .filter((text) => text !== undefined)
    .map((text) => (path === undefined ? text : text.replaceAll(path, modelId ?? "the model")));
  const param = data?.param ?? (code === "not_found" ? "model" : undefined);
  return failure(kind, told.join(". "), { code: apiCode, ...(typeof param === "string" ? { param } : {}) });
}
