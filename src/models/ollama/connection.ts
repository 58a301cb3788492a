/** The `ollama` client over our own requests: network rules, time limits, repetitions, and failures in words. */
import type { Ollama } from "ollama/browser";
import { SpellError } from "../../core/errors.ts";
import { Passing, withRetries } from "../../core/retry.ts";
import { chunksOf, Patience } from "../../security/network/chunks.ts";
import { type Fetched, fetchChecked } from "../../security/network/fetch.ts";
import { type Asking, cutOff, notJson, notRunning, statusFailure, tooSlow, unreachable } from "./failures.ts";
import { checkedLines } from "./lines.ts";
import type { OllamaSettings } from "./settings.ts";

export interface Request {
  /** Begins each message: `Cannot call model llama3.2`. */
  what: string;
  model?: string;
  signal: AbortSignal | undefined;
  /** Instead of the provider's. */
  idleMs?: number;
  /** Key that sets `idleMs`. */
  idleKey?: string;
  /** The answer is a stream of JSON lines. */
  isStream?: boolean;
  /** Called before each repetition. */
  onRetry?: () => void;
  /** Asks once. */
  isProbe?: boolean;
}

const MAX_JSON_BYTES = 256 << 20;
const REFUSED = new Set(["ECONNREFUSED", "ConnectionRefused"]);
const CUT = new Set(["ECONNRESET", "ConnectionClosed", "EPIPE"]);

export class OllamaConnection {
  constructor(readonly settings: OllamaSettings) {}

  asking({ what, model }: Request): Asking {
    return { what, server: this.settings.baseUrl, ...(model === undefined ? {} : { model }) };
  }

  /**
   * A client for one request: what it is asked for ends with the request's signal.
   * The client itself aborts streams only, prints what it cannot read, and its variant for Node takes an image's text for
   * the name of a file: therefore the variant for browsers, and answers that were checked before.
   */
  async client(request: Request): Promise<Ollama> {
    const { Ollama } = await import("ollama/browser");
    const { baseUrl, headers } = this.settings;
    return new Ollama({
      host: baseUrl,
      headers: { ...headers },
      fetch: ((url: string, init: RequestInit) => this.send(url, init, request)) as typeof fetch,
    });
  }

  private send(url: string, init: RequestInit, request: Request): Promise<Response> {
    return withRetries(() => this.attempt(new URL(url), init, request), {
      ...this.settings.retry,
      ...(request.isProbe === true ? { maxRetries: 0 } : {}),
      signal: request.signal,
      onRetry: (failure, waitMs) => {
        request.onRetry?.();
        this.settings.log.info("model", "a request to Ollama failed and is repeated", {
          reason: failure.message,
          wait_ms: Math.round(waitMs),
        });
      },
    });
  }

  private async attempt(url: URL, init: RequestInit, request: Request): Promise<Response> {
    const asking = this.asking(request);
    const limit = new AbortController();
    const idleMs = request.idleMs ?? this.settings.idleMs;
    const onIdle = () => limit.abort(tooSlow(asking, idleMs, request.idleKey ?? "timeout_seconds"));
    const failure = (error: unknown) => this.classify(error, asking, request.signal, limit.signal);
    const timer = setTimeout(onIdle, idleMs);
    let fetched: Fetched;
    try {
      fetched = await fetchChecked(url, {
        rules: this.settings.rules,
        env: this.settings.proxyEnv,
        method: (init.method ?? "GET") as "GET" | "POST" | "DELETE",
        ...(typeof init.body === "string" ? { body: init.body } : {}),
        headers: { ...(init.headers as Record<string, string>), "Accept-Encoding": "identity" },
        maxRedirects: 0,
        isTaped: false, // calls of models are recorded as such
        signal: request.signal === undefined ? limit.signal : AbortSignal.any([request.signal, limit.signal]),
      });
    } catch (error) {
      throw failure(error);
    } finally {
      clearTimeout(timer);
    }
    const { response } = fetched;
    const idle = { ms: idleMs, onIdle };
    const type = response.headers.get("content-type");
    if (response.ok && request.isStream === true) {
      const lines = checkedLines(chunksOf(response, failure), asking, type);
      return new Response(streamOf(lines, new Patience(idle)), { status: 200 });
    }
    const text = await textOf(chunksOf(response, failure, idle), asking);
    if (!response.ok) throw await statusFailure(asking, withBody(response, text, url));
    return jsonResponse(text, init, asking, type);
  }

  private classify(
    error: unknown,
    asking: Asking,
    signal: AbortSignal | undefined,
    limit: AbortSignal,
  ): unknown {
    if (signal?.aborted) return signal.reason;
    if (limit.aborted) return limit.reason;
    if (!(error instanceof SpellError)) return cutOff(asking);
    const errno = String(error.data.errno);
    if (REFUSED.has(errno)) return notRunning(asking, this.settings);
    if (CUT.has(errno)) return new Passing(cutOff(asking));
    return error.code === "network" ? unreachable(asking, error) : error;
  }
}

async function textOf(chunks: AsyncIterable<Uint8Array>, asking: Asking): Promise<string> {
  const all: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MAX_JSON_BYTES) throw notJson(asking, `more than ${MAX_JSON_BYTES} bytes`);
    all.push(chunk);
  }
  return Buffer.concat(all).toString("utf8");
}

function withBody({ status, headers }: Response, text: string, url: URL): Response {
  const response = new Response(text, { status, headers });
  Object.defineProperty(response, "url", { value: url.href });
  return response;
}

/** What deletes answers with nothing. */
function jsonResponse(text: string, init: RequestInit, asking: Asking, type: string | null): Response {
  if (init.method === "DELETE") return new Response(null, { status: 200 });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notJson(asking, type);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw notJson(asking, type);
  return { ok: true, status: 200, json: async () => value } as Response;
}

/** @param idle for each line; empty ones are none */
function streamOf(lines: AsyncGenerator<Uint8Array, void, void>, idle: Patience): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        idle.renew();
        const { done, value } = await idle.during(lines.next());
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(error);
      }
    },
    async cancel() {
      await lines.return();
    },
  });
}
