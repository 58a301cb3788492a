/** Sends OTLP messages as JSON over HTTP, again where the collector asks for it. */
import type { Log } from "../core/log.ts";
import type { ExportTarget } from "./settings.ts";

export interface SenderOptions {
  target: ExportTarget;
  /** `traces` or `metrics`, for the log. */
  what: string;
  timeoutMs: number;
  isCompressed: boolean;
  log: Log;
}

/** Statuses that the protocol calls temporary. */
const TEMPORARY = new Set([429, 502, 503, 504]);
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** An answer says at most what was refused. */
const MAX_ANSWER_BYTES = 65_536;

type Attempt = { isDone: true } | Failed;

interface Failed {
  isDone: false;
  reason: string;
  /** At least so long before the next attempt; undefined: there is none. */
  retryAfterMs: number | undefined;
  /** The collector is there. */
  isAnswered: boolean;
}

export class Sender {
  private hasComplained = false;
  /** The program ends, and waits for the collector until then. */
  private endsAtMs = Number.POSITIVE_INFINITY;
  private readonly ending = new AbortController();

  constructor(private readonly options: SenderOptions) {}

  /**
   * Never throws.
   * @param signal ends it; nothing is tried again afterwards
   * @returns whether the collector has taken the message
   */
  async send(message: object, signal: AbortSignal): Promise<boolean> {
    const body = this.bodyOf(message);
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.attempt(body, signal);
      if (outcome.isDone) return true;
      if (attempt < ATTEMPTS && (await this.waitFor(outcome, attempt, signal))) continue;
      this.complain(outcome.reason);
      return false;
    }
  }

  /** From now on a collector that is not there is not tried again, and no wait is longer than this. */
  endWithin(ms: number): void {
    this.endsAtMs = performance.now() + ms;
    this.ending.abort();
  }

  /** @returns whether there is a next attempt */
  private async waitFor(
    { retryAfterMs, isAnswered }: Failed,
    attempt: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const isEnding = this.ending.signal.aborted;
    if (retryAfterMs === undefined || (isEnding && !isAnswered)) return false;
    const ownMs = Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
    const waitMs = Math.max(retryAfterMs, ownMs);
    if (performance.now() + waitMs > this.endsAtMs) return false;
    await sleep(waitMs, isEnding ? signal : AbortSignal.any([signal, this.ending.signal]));
    return !signal.aborted;
  }

  private bodyOf(message: object): string | Uint8Array<ArrayBuffer> {
    const text = JSON.stringify(message);
    return this.options.isCompressed ? Bun.gzipSync(text) : text;
  }

  private async attempt(body: string | Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Attempt> {
    const { target, timeoutMs, isCompressed } = this.options;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const response = await fetch(target.url, {
        method: "POST",
        headers: {
          ...target.headers,
          "content-type": "application/json",
          ...(isCompressed ? { "content-encoding": "gzip" } : {}),
        },
        body,
        redirect: "manual",
        signal: limit,
      });
      if (response.ok) {
        this.tellRefused(await answerOf(response));
        return { isDone: true };
      }
      await response.body?.cancel();
      const retryAfterMs = TEMPORARY.has(response.status) ? retryAfter(response) : undefined;
      return { isDone: false, reason: `HTTP ${response.status}`, retryAfterMs, isAnswered: true };
    } catch (error) {
      // Whatever fails here is the way to the collector; it must not reach what is being watched.
      const isLate = limit.aborted;
      const code = (error as { code?: unknown } | null)?.code;
      const reason = isLate ? "no answer in time" : `no connection (${String(code ?? error)})`;
      return { isDone: false, reason, retryAfterMs: 0, isAnswered: false };
    }
  }

  private tellRefused(answer: string): void {
    const refused = /"rejected(?:Spans|DataPoints)"\s*:\s*"?([1-9]\d*)/.exec(answer)?.[1];
    if (refused !== undefined) this.complain(`${refused} refused by the collector`);
  }

  /** Once: a collector that is away must not fill the log. */
  private complain(reason: string): void {
    const { log, what, target } = this.options;
    const { origin, pathname } = new URL(target.url);
    const level = this.hasComplained ? "debug" : "warn";
    this.hasComplained = true;
    log.write(level, "kernel", `Cannot export ${what}: ${reason}`, { endpoint: `${origin}${pathname}` });
  }
}

/** Milliseconds that the collector asks to wait; 0 where it does not say. */
function retryAfter({ headers }: Response): number {
  const text = headers.get("retry-after")?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, LONGEST_WAIT_MS) : 0;
}

async function answerOf(response: Response): Promise<string> {
  const length = Number(response.headers.get("content-length"));
  if (!(length <= MAX_ANSWER_BYTES)) {
    await response.body?.cancel();
    return "";
  }
  return response.text();
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  timer.unref();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
