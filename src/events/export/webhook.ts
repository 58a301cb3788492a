import { SpellError } from "../../core/errors.ts";
import { fetchChecked } from "../../security/network/fetch.ts";
import type { NetworkRules } from "../../security/network/rules.ts";
import { eventDocument } from "../document.ts";
import type { BusEvent } from "../event.ts";
import { BatchOutlet, type BatchSettings } from "../outlet.ts";

export interface WebhookSettings extends BatchSettings {
  url: string;
  rules: () => NetworkRules;
  env: Readonly<Record<string, string | undefined>>;
  pretty: boolean;
}

const ANSWER_MS = 10_000;
/** Waits before each further attempt. */
const RETRY_MS = [250, 1000];
/** At the end the last batches get so long. */
const CLOSE_MS = 5000;

/** Posts `{"events": […]}` to a URL. A batch that is not taken in three attempts is given up. */
export class WebhookExport extends BatchOutlet {
  private readonly url: URL;
  private readonly closing = new AbortController();

  constructor(private readonly webhook: WebhookSettings) {
    super(webhook);
    this.url = new URL(webhook.url);
  }

  protected async hand(batch: readonly BusEvent[]): Promise<void> {
    const documents = { events: batch.map(eventDocument) };
    const body = JSON.stringify(documents, null, this.webhook.pretty ? 2 : undefined);
    for (let attempt = 0; ; attempt++) {
      try {
        await this.post(body);
        return;
      } catch (error) {
        const waitMs = RETRY_MS[attempt];
        const isFinal = error instanceof SpellError && ["permission_denied", "provider"].includes(error.code);
        if (waitMs === undefined || isFinal || this.closing.signal.aborted) throw error;
        await Bun.sleep(waitMs);
      }
    }
  }

  /** @throws SpellError provider for an answer that refuses it, network, permission_denied */
  private async post(body: string): Promise<void> {
    const { response } = await fetchChecked(this.url, {
      rules: this.webhook.rules(),
      env: this.webhook.env,
      method: "POST",
      body,
      headers: { "Content-Type": "application/json", "User-Agent": "llmspell" },
      maxRedirects: 0,
      signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), this.closing.signal]),
    });
    await response.body?.cancel();
    if (response.ok) return;
    const { status } = response;
    const mayPass = status === 408 || status === 429 || status >= 500;
    throw new SpellError(
      mayPass ? "network" : "provider",
      `Cannot send events: the webhook answers with status ${status}: ${this.url.origin}`,
      { data: { status, origin: this.url.origin } },
    );
  }

  override async close(): Promise<void> {
    const timer = setTimeout(() => this.closing.abort(tooLate(this.url)), CLOSE_MS);
    await super.close();
    clearTimeout(timer);
  }
}

function tooLate(url: URL): SpellError {
  return new SpellError("timeout", `Cannot send events: the webhook takes too long: ${url.origin}`, {
    data: { origin: url.origin },
  });
}
