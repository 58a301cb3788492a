/** The one way in which cloud providers are asked: network rules, time limits, retries, and answers that are whole. */
import { messageOf, SpellError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { Passing, type RetrySettings, retryAfterMs, withRetries } from "../../../core/retry.ts";
import { build } from "../../../core/version.ts";
import { chunksOf, type IdleLimit, Patience } from "../../../security/network/chunks.ts";
import { fetchChecked } from "../../../security/network/fetch.ts";
import { proxyFor } from "../../../security/network/proxy.ts";
import type { NetworkRules } from "../../../security/network/rules.ts";
import { brokeOff, type CalledModel, callFailure, statusPasses } from "../../provider-error.ts";
import { AnswerEvents } from "./answer-events.ts";
import { jsonBody, textBody } from "./body.ts";
import { canConnect } from "./connect-probe.ts";
import type { RateLimiter, RateSettings, Taken } from "./rate-limit.ts";
import type { TimeLimits } from "./settings.ts";
import { refusalIn, type VendorError } from "./vendor-error.ts";

export interface TransportSettings {
  model: CalledModel;
  rules: NetworkRules;
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  limits: TimeLimits;
  retry: RetrySettings;
  caFile: string | undefined;
  limiter: RateLimiter;
  /** Undefined where nothing is limited. */
  rate: RateSettings | undefined;
  /** Changes the headers that the vendor's client has made: `auth_header`, no key for a strange address. */
  headers(given: Headers): Headers;
  /** Takes secrets out of a text. */
  hide(text: string): string;
  /** Next step where the key is refused. */
  keyHint: string | undefined;
}

/** What is known of one call while it runs. */
export class CallState {
  retries = 0;
  /** The vendor has said that its answer is whole. */
  isWhole = false;
  /** Nothing more comes. */
  hasEnded = false;
  taken: Taken | undefined;

  constructor(
    readonly isStreamed: boolean,
    /** About what prompt and answer take, for limits of tokens a minute. */
    readonly expectedTokens: number,
  ) {}
}

const LONGEST_REFUSAL_BYTES = 256 << 10;

/**
 * `fetch` for the client of one call. It answers with status 200 and a body that is JSON, or with events from the first
 * one on that has content; everything else is thrown.
 * @throws SpellError provider, network, timeout, limit, permission_denied, context_overflow
 */
export function callFetch(settings: TransportSettings, call: CallState): typeof fetch {
  const run = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const request: Asked = {
      url: new URL(input instanceof Request ? input.url : input),
      headers: new Headers(init.headers),
      body: typeof init.body === "string" ? init.body : undefined,
      signal: init.signal ?? undefined,
    };
    return withRetries(() => new Attempt(settings, call, request).run(), {
      ...settings.retry,
      signal: request.signal,
      onRetry: (failure, waitMs) => {
        call.retries++;
        settings.log.info("model", "a model call failed and is repeated", {
          reason: failure.message,
          attempt: call.retries,
          wait_ms: Math.round(waitMs),
        });
      },
    });
  };
  return Object.assign(run, { preconnect: () => undefined });
}

interface Asked {
  url: URL;
  headers: Headers;
  body: string | undefined;
  signal: AbortSignal | undefined;
}

class Attempt {
  private readonly limit = new AbortController();
  private readonly timers: ReturnType<typeof setTimeout>[] = [];
  private isConnected = false;

  constructor(
    private readonly settings: TransportSettings,
    private readonly call: CallState,
    private readonly request: Asked,
  ) {}

  /** @throws Passing for what may work the next time, SpellError for the rest */
  async run(): Promise<Response> {
    const { call, settings } = this;
    call.taken = await settings.limiter.acquire(call.expectedTokens, settings.rate, this.request.signal);
    try {
      this.startTimers();
      const response = await this.send();
      this.isConnected = true;
      if (!response.ok) throw await this.refusal(response);
      return call.isStreamed ? await this.events(response) : await this.json(response);
    } catch (error) {
      throw this.classify(error);
    } finally {
      this.stopTimers();
    }
  }

  private startTimers(): void {
    const { connectMs, beginMs } = this.settings.limits;
    const stop = (error: SpellError) => this.limit.abort(error);
    this.timers.push(
      setTimeout(() => stop(this.timedOut("no answer began within", beginMs, "timeout_seconds")), beginMs),
    );
    if (connectMs < beginMs) this.timers.push(setTimeout(() => void this.checkConnection(), connectMs));
  }

  /** A connection that stands is told apart from one that does not only by trying another. */
  private async checkConnection(): Promise<void> {
    if (this.isConnected) return;
    const { connectMs } = this.settings.limits;
    const proxy = proxyFor(this.request.url, this.settings.env);
    if (await canConnect(proxy === undefined ? this.request.url : new URL(proxy), connectMs)) return;
    if (this.timers.length > 0 && !this.isConnected)
      this.limit.abort(this.timedOut("no connection within", connectMs, "connect_timeout_seconds"));
  }

  private stopTimers(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.length = 0;
  }

  private async send(): Promise<Response> {
    const { rules, env, caFile } = this.settings;
    const { url, body, signal } = this.request;
    const headers = this.settings.headers(this.request.headers);
    headers.set("User-Agent", `llmspell/${build.version}`);
    headers.set("Accept-Encoding", "identity");
    const { response } = await fetchChecked(url, {
      rules,
      env,
      method: "POST",
      ...(body === undefined ? {} : { body }),
      headers: Object.fromEntries(headers),
      maxRedirects: 0,
      caFile,
      signal: signal === undefined ? this.limit.signal : AbortSignal.any([signal, this.limit.signal]),
    });
    return response;
  }

  private get idle(): IdleLimit {
    const { idleMs: ms } = this.settings.limits;
    const onIdle = () =>
      this.limit.abort(this.timedOut("its answer stopped for", ms, "idle_timeout_seconds"));
    return { ms, onIdle };
  }

  private chunks(response: Response, idle?: IdleLimit): AsyncGenerator<Uint8Array, void, void> {
    return chunksOf(response, (error) => this.interruption(error), idle);
  }

  private async json(response: Response): Promise<Response> {
    const { model } = this.settings;
    const value = await jsonBody(model, response, this.chunks(response, this.idle), (text) =>
      this.hide(text),
    );
    this.stopTimers();
    const inside = AnswerEvents.errorIn(value);
    if (inside !== undefined) throw this.vendorFailure(inside, inside.statusCode);
    this.call.isWhole = true;
    return Response.json(value, { headers: safeHeaders(response) });
  }

  private async events(response: Response): Promise<Response> {
    const events = new AnswerEvents(this.settings.model, response, this.chunks(response), this.call, {
      failure: (error) => this.vendorFailure(error, error.statusCode),
      hide: (text) => this.hide(text),
      idle: new Patience(this.idle),
    });
    await events.begin();
    this.stopTimers();
    return new Response(events.stream(), { headers: safeHeaders(response) });
  }

  private async refusal(response: Response): Promise<Error> {
    const { status } = response;
    const text = await textBody(this.chunks(response, this.idle), LONGEST_REFUSAL_BYTES);
    const said = refusalIn(parse(text));
    const reason: VendorError = said ?? { message: bareReason(text, response) };
    const waitMs = askedWaitMs(response.headers) ?? reason.retryAfterMs;
    this.call.taken?.settle(0);
    return this.vendorFailure(reason, status, waitMs);
  }

  private vendorFailure(said: VendorError, statusCode: number | undefined, waitMs?: number): Error {
    const { model, keyHint } = this.settings;
    const { message, type, code } = said;
    const isSpent = code === "insufficient_quota" || type === "insufficient_quota";
    const isTooLong = code === "context_length_exceeded";
    const failure = callFailure(model, this.hide(message), {
      ...(isTooLong ? { code: "context_overflow" } : {}),
      statusCode,
      data: {
        ...(type === undefined ? {} : { vendorType: type }),
        ...(code === undefined ? {} : { vendorCode: code }),
      },
      hint: isSpent
        ? "Check plan and balance of the account at the provider"
        : isTooLong
          ? "Shorten the prompt, the system prompt or the conversation (max_conversation_length)"
          : statusCode === 401 || statusCode === 403 || code === "API_KEY_INVALID"
            ? keyHint
            : undefined,
    });
    const passes = statusCode !== undefined && statusPasses(statusCode) && !isSpent;
    return passes ? new Passing(failure, waitMs) : failure;
  }

  /** Why a body ended early. */
  private interruption(error: unknown): unknown {
    const { signal } = this.request;
    if (signal?.aborted) return signal.reason;
    if (this.limit.signal.aborted) return this.limit.signal.reason;
    return error instanceof SpellError
      ? error
      : brokeOff(this.settings.model, `its answer broke off: ${this.hide(messageOf(error))}`);
  }

  private classify(error: unknown): unknown {
    const { signal } = this.request;
    if (error instanceof Passing) return error;
    if (signal?.aborted) return signal.reason;
    const failure = this.limit.signal.aborted ? (this.limit.signal.reason as SpellError) : error;
    if (!(failure instanceof SpellError)) return failure;
    const { code, data } = failure;
    if (code === "network" && data.model === undefined) {
      const isRedirect = data.redirects !== undefined;
      const reason = isRedirect ? `the server redirects: ${data.origin}` : lowerFirst(failure.message);
      const hint = isRedirect
        ? "Set base_url of the provider to the address that it leads to"
        : (failure.hint ?? "Check the connection, and base_url of the provider");
      const told = callFailure(this.settings.model, reason, { code: "network", data, hint });
      return isRedirect ? told : new Passing(told);
    }
    return code === "timeout" || data.brokeOff === true ? new Passing(failure) : failure;
  }

  private timedOut(what: string, ms: number, key: string): SpellError {
    const { model } = this.settings;
    return callFailure(model, `${what} ${ms / 1000} s: ${this.request.url.origin}`, {
      code: "timeout",
      data: { timeoutMs: ms, key },
      hint: `Try again, or raise ${key} in [providers.${model.provider}]`,
    });
  }

  private hide(text: string): string {
    return this.settings.hide(text);
  }
}

/** `retry-after-ms` is OpenAI's more exact form. */
function askedWaitMs(headers: Headers): number | undefined {
  const exact = headers.get("retry-after-ms")?.trim() ?? "";
  return /^\d+(\.\d+)?$/.test(exact) ? Number(exact) : retryAfterMs(headers.get("retry-after"), Date.now());
}

function bareReason(text: string, response: Response): string {
  const type = response.headers.get("content-type") ?? "";
  if (/^\s*</.test(text) || type.includes("html"))
    return "the server answers with a web page; a proxy or a wrong base_url may stand between";
  const line = text.trim().slice(0, 300);
  return line === "" ? "the provider refuses the request" : line;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What clients read of an answer's headers; lengths and encodings are no longer true. */
function safeHeaders({ headers }: Response): Headers {
  const kept = new Headers(headers);
  for (const name of ["content-length", "content-encoding", "transfer-encoding"]) kept.delete(name);
  return kept;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
