/** Requests to model hubs: time limits, retries and failures in words. */
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { Passing, type RetrySettings, retryAfterMs, withRetries } from "../../core/retry.ts";
import { chunksOf } from "../../security/network/chunks.ts";
import { type Fetched, fetchChecked } from "../../security/network/fetch.ts";
import type { NetworkRules } from "../../security/network/rules.ts";

export interface HttpSettings {
  rules: NetworkRules;
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  retry: RetrySettings;
  /** Longest wait for an answer to begin. */
  connectMs: number;
  /** Longest wait for the next piece of an answer. */
  idleMs: number;
}

export interface Target {
  url: URL;
  /** What is fetched, for messages: `the file list of acme/tiny`. */
  what: string;
  /** Goes to this URL's origin only. */
  token?: string | undefined;
  accept?: string;
}

export interface Range {
  from: number;
  /** Validator of the version that the bytes before `from` belong to. */
  etag?: string | undefined;
}

const MAX_REDIRECTS = 8;
const MAX_JSON_BYTES = 32 << 20;

export class HubHttp {
  /** Whether any server answered: before that, a network that is not there is not waited for. */
  private reached = false;

  constructor(readonly settings: HttpSettings) {}

  /** A whole JSON document. @throws SpellError provider, not_found, network, timeout, permission_denied */
  async json(target: Target, signal: AbortSignal | undefined): Promise<{ value: unknown; headers: Headers }> {
    return this.retrying(target, signal, async () => {
      const answer = await this.open(target, signal);
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of answer.body) {
        bytes += chunk.length;
        if (bytes > MAX_JSON_BYTES)
          throw refused(target, `the answer is longer than ${MAX_JSON_BYTES} bytes`);
        chunks.push(chunk);
      }
      const { headers } = answer.response;
      return { value: parseJson(target, Buffer.concat(chunks).toString("utf8"), headers), headers };
    });
  }

  /** Repeats an attempt while it fails with `Passing`. */
  retrying<T>(
    target: Target,
    signal: AbortSignal | undefined,
    attempt: () => Promise<T>,
    progress?: () => number,
  ): Promise<T> {
    return withRetries(attempt, {
      ...this.settings.retry,
      signal,
      ...(progress === undefined ? {} : { progress }),
      onRetry: (failure, waitMs) =>
        this.settings.log.info("model", "a request failed and is repeated", {
          what: target.what,
          reason: failure.message,
          wait_ms: Math.round(waitMs),
        }),
    });
  }

  /**
   * One attempt; statuses 200 and 206 only, and 416 where a range is asked for. The body must be read or cancelled.
   * @throws Passing for what may work the next time, SpellError for the rest
   */
  async open(target: Target, signal: AbortSignal | undefined, range?: Range) {
    const limit = new AbortController();
    const both = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
    const { connectMs, idleMs, rules, env } = this.settings;
    const timer = setTimeout(() => limit.abort(timedOut(target, connectMs)), connectMs);
    let fetched: Fetched;
    try {
      fetched = await fetchChecked(target.url, {
        rules,
        env,
        headers: {
          "User-Agent": "llmspell",
          Accept: target.accept ?? "*/*",
          "Accept-Encoding": "identity",
          ...(range === undefined ? {} : rangeHeaders(range)),
        },
        secret: secretOf(target),
        maxRedirects: MAX_REDIRECTS,
        signal: both,
      });
    } catch (error) {
      throw this.classify(error, target, signal, limit.signal);
    } finally {
      clearTimeout(timer);
    }
    this.reached = true;
    const { response } = fetched;
    const isAnswer = [200, 206].includes(response.status) || (response.status === 416 && range !== undefined);
    if (!isAnswer) {
      await response.body?.cancel();
      throw statusError(target, fetched);
    }
    const failure = (error: unknown) => this.classify(error, target, signal, limit.signal);
    return {
      ...fetched,
      body: chunksOf(response, failure, { ms: idleMs, onIdle: () => limit.abort(timedOut(target, idleMs)) }),
    };
  }

  private classify(
    error: unknown,
    target: Target,
    signal: AbortSignal | undefined,
    limit: AbortSignal,
  ): unknown {
    if (signal?.aborted) return signal.reason;
    if (limit.aborted) return new Passing(limit.reason as SpellError);
    if (error instanceof SpellError) {
      const passes = error.code === "network" && error.data.errno !== undefined && this.reached;
      return passes ? new Passing(error) : this.reached ? error : offline(error);
    }
    return new Passing(
      new SpellError("network", `Cannot fetch ${target.what}: the connection was cut: ${target.url.origin}`, {
        data: { origin: target.url.origin },
        cause: error,
      }),
    );
  }
}

/** A network that was never reached may not be there at all. */
function offline(error: SpellError): SpellError {
  if (error.code !== "network" && error.data.offline !== true) return error;
  return new SpellError(error.code, error.message, {
    data: error.data,
    cause: error.cause,
    hint: `${error.hint === undefined ? "" : `${error.hint}. `}Without a network: \`llmspell model pull\` and \`llmspell model export MODEL FILE\` on another machine, then \`llmspell model import FILE\` here`,
  });
}

function rangeHeaders({ from, etag }: Range): Record<string, string> {
  return { Range: `bytes=${from}-`, ...(etag === undefined ? {} : { "If-Range": etag }) };
}

/** Tokens travel encrypted, or within this machine. */
function secretOf({ url, token }: Target) {
  const isSafe = url.protocol === "https:" || ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (token === undefined || !isSafe) return undefined;
  return { origin: url.origin, headers: { Authorization: `Bearer ${token}` } };
}

function timedOut(target: Target, ms: number): SpellError {
  return new SpellError(
    "timeout",
    `Cannot fetch ${target.what}: no data for ${ms / 1000} s: ${target.url.origin}`,
    {
      data: { origin: target.url.origin, timeoutMs: ms },
      hint: "Try again; what was downloaded is kept",
    },
  );
}

export function refused(target: Target, rule: string, hint?: string): SpellError {
  return new SpellError("provider", `Cannot fetch ${target.what}: ${rule}: ${target.url.origin}`, {
    data: { origin: target.url.origin },
    ...(hint === undefined ? {} : { hint }),
  });
}

function parseJson(target: Target, text: string, headers: Headers): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const type = headers.get("content-type") ?? "no content type";
    throw refused(
      target,
      `the answer is not JSON (${type})`,
      "A login page or a proxy may stand between; check the address of the hub",
    );
  }
}

function statusError(target: Target, { response, url }: Fetched): Error {
  const { status } = response;
  const data = { status, origin: url.origin };
  const fail = (code: "provider" | "not_found" | "network", rule: string, hint?: string) =>
    new SpellError(code, `Cannot fetch ${target.what}: ${rule}: ${url.origin}`, {
      data,
      ...(hint === undefined ? {} : { hint }),
    });
  const reason = response.headers.get("x-error-code");
  if (reason === "GatedRepo") {
    const known = target.token !== undefined;
    const hint = "Accept its conditions on its page";
    return fail("provider", "access to it must be asked for", known ? hint : `${hint}, and set HF_TOKEN`);
  }
  // The Hub answers 401 for a repository that is not there, so that private ones stay unknown.
  if (status === 404 || reason === "RepoNotFound")
    return fail("not_found", "not found", "Check the name; for a private one, set HF_TOKEN");
  if (status === 401 || status === 403) {
    const isUnsent = target.token !== undefined && secretOf(target) === undefined;
    const known = isUnsent ? "The token is sent over https only" : "Check the token in HF_TOKEN";
    const hint = target.token === undefined ? "Set HF_TOKEN" : known;
    return fail("provider", `access is refused (status ${status})`, hint);
  }
  const passes = status === 408 || status === 429 || status >= 500;
  const rule = status === 429 ? "too many requests (status 429)" : `the server answers with status ${status}`;
  if (!passes) return fail("provider", rule);
  return new Passing(
    fail("provider", rule, "Try again later"),
    retryAfterMs(response.headers.get("retry-after"), Date.now()),
  );
}
