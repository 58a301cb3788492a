/** Failures of model calls in one form, and which of them another provider could mend. */
import { type ErrorCode, messageOf, SpellError } from "../core/errors.ts";

export interface CalledModel {
  readonly provider: string;
  readonly modelId: string;
}

export interface CallFailureOptions {
  code?: ErrorCode;
  /** HTTP status, of the answer or what an error inside it amounts to. */
  statusCode?: number | undefined;
  data?: Record<string, unknown>;
  hint?: string | undefined;
  cause?: unknown;
}

/** `Cannot call model openai/gpt-4o: REASON (HTTP 429)`, with provider, model and status as data. */
export function callFailure(
  { provider, modelId }: CalledModel,
  reason: string,
  { code = "provider", statusCode, data, hint, cause }: CallFailureOptions = {},
): SpellError {
  const advice = hint ?? (statusCode === undefined ? undefined : hintFor(statusCode));
  const status = statusCode === undefined ? "" : ` (HTTP ${statusCode})`;
  return new SpellError(code, `Cannot call model ${provider}/${modelId}: ${reason}${status}`, {
    data: { provider, model: modelId, ...(statusCode === undefined ? {} : { statusCode }), ...data },
    ...(advice === undefined ? {} : { hint: advice }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a provider threw as one clear error; a SpellError passes. */
export function providerError(model: CalledModel, error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  const statusCode = typeof status === "number" ? status : undefined;
  return callFailure(model, messageOf(error), { statusCode, cause: error });
}

/** The answer ended before it was whole. */
export function brokeOff(model: CalledModel, how = "its answer broke off before the end"): SpellError {
  return callFailure(model, how, {
    data: { brokeOff: true },
    hint: "Try again; if it happens often, look at the connection to the provider",
  });
}

const HINTS: Readonly<Record<number, string>> = {
  400: "Check what is asked of the model: its settings, tools, images and schema",
  401: "Check the provider's API key",
  402: "Check the account's balance at the provider",
  403: "Check what the provider's API key may be used for",
  404: "Check the model's name and the provider's base URL",
  408: "The provider took too long: try again later",
  413: "Send less: shorten the prompt, or use smaller images",
  422: "Check what is asked of the model: its settings, tools, images and schema",
  429: "The provider limits requests: wait, or ask for less; rate_limit and max_retries of the provider help",
};

function hintFor(statusCode: number): string | undefined {
  if (statusCode >= 500) return "The provider has a failure of its own: try again later, or set a fallback";
  return HINTS[statusCode];
}

/** Whether a request that failed with this status may succeed when it is repeated. */
export function statusPasses(statusCode: number): boolean {
  return statusCode === 408 || statusCode === 429 || statusCode >= 500;
}

/**
 * Whether another provider could answer what this one could not: it cannot be reached, is overloaded or broken, refuses
 * the key, or is not configured. A request that is wrong is wrong everywhere.
 */
export function isMendable(error: unknown): error is SpellError {
  if (!(error instanceof SpellError)) return false;
  const { statusCode } = error.data;
  if (typeof statusCode === "number") return statusPasses(statusCode) || [401, 402, 403].includes(statusCode);
  if (error.data.brokeOff === true) return true;
  return ["network", "timeout", "config"].includes(error.code) || error.data.limit === "rate_limit";
}
