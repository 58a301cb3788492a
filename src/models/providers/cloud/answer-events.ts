import { Passing } from "../../../core/retry.ts";
import type { Patience } from "../../../security/network/chunks.ts";
import { brokeOff, type CalledModel, callFailure } from "../../provider-error.ts";
import { notJson } from "./body.ts";
import { isContent, isLast } from "./event-content.ts";
import { EventReader, formatEvent, type ServerEvent } from "./server-events.ts";
import type { CallState } from "./transport.ts";
import { type VendorError, vendorError } from "./vendor-error.ts";

interface Means {
  /** @returns Passing for what may work the next time */
  failure(error: VendorError): Error;
  hide(text: string): string;
  /** Waits for the next content, once there was some. */
  idle: Patience;
}

/** What OpenAI's format ends with; it is no JSON. */
const DONE = "[DONE]";
const DECODED = new TextDecoder();

/**
 * The events of an answer that streams: each is JSON and no error, and the last is whole. They are read up to the first one
 * with content before anything is handed on, so that a call that fails until then can be repeated.
 */
export class AnswerEvents {
  private readonly reader = new EventReader();
  private readonly queue: ServerEvent[] = [];
  private readonly encoder = new TextEncoder();
  private hasContent = false;
  private isOver = false;
  /** Thrown when the events before it have been handed on. */
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly model: CalledModel,
    private readonly response: Response,
    private readonly chunks: AsyncGenerator<Uint8Array, void, void>,
    private readonly call: CallState,
    private readonly means: Means,
  ) {}

  /** The error in a JSON document that stands for an answer. */
  static errorIn(value: unknown): VendorError | undefined {
    return vendorError(value);
  }

  /** Waits for the first content. @throws Passing, SpellError */
  async begin(): Promise<void> {
    let head = "";
    while (!this.hasContent && !this.isOver) {
      const { done, value } = await this.chunks.next();
      if (done) {
        this.finish();
        break;
      }
      if (this.queue.length === 0 && head.length < 1024) {
        head += DECODED.decode(value);
        if (/^\s*[<{[]/.test(head)) return this.refuse(head);
      }
      this.add(this.reader.push(value));
    }
    if (this.hasContent || this.call.isWhole) return;
    if (this.failure !== undefined) throw this.failure.error;
    throw new Passing(brokeOff(this.model, "its answer ended before it began"));
  }

  /** The events, for the vendor's client to read. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream(
      {
        pull: async (controller) => {
          try {
            while (this.queue.length === 0 && !this.isOver) await this.read();
            const event = this.queue.shift();
            if (event === undefined && this.failure !== undefined) throw this.failure.error;
            if (event === undefined) {
              controller.close();
              await this.chunks.return();
            } else controller.enqueue(this.encoder.encode(formatEvent(event)));
          } catch (error) {
            controller.error(error instanceof Passing ? error.failure : error);
          }
        },
        cancel: async () => {
          await this.chunks.return();
        },
      },
      { highWaterMark: 0 },
    );
  }

  private async read(): Promise<void> {
    const { done, value } = await this.means.idle.during(this.chunks.next());
    if (done) this.finish();
    else this.add(this.reader.push(value));
  }

  private finish(): void {
    this.isOver = true;
    this.call.hasEnded = true;
    const [last, ...none] = this.reader.end();
    if (last === undefined || none.length > 0) return;
    // no blank line ended it: what is cut is no JSON
    if (last.data !== DONE && parse(last.data) === undefined) this.failure = { error: brokeOff(this.model) };
    else this.add([last]);
  }

  private add(events: readonly ServerEvent[]): void {
    for (const event of events) {
      if (event.name === "ping" || event.data === "") continue;
      this.queue.push(event);
      const value = event.data === DONE ? DONE : parse(event.data)?.value;
      const error = value === DONE ? undefined : this.mistake(event, value);
      if (error !== undefined) {
        this.queue.pop();
        this.failure = { error };
        this.isOver = true;
        return;
      }
      if (isContent(value)) {
        this.hasContent = true;
        this.means.idle.renew();
      }
      if (value !== DONE && !isLast(value)) continue;
      // some servers leave the connection open all the same
      this.call.isWhole = true;
      this.call.hasEnded = true;
      this.isOver = true;
      return;
    }
  }

  private mistake({ name, data }: ServerEvent, value: unknown): Error | undefined {
    const error = vendorError(value);
    if (error !== undefined) return this.means.failure(error);
    if (name === "error") return this.means.failure({ message: data });
    if (value !== undefined) return undefined;
    return callFailure(
      this.model,
      `it sends events that are not JSON: ${this.means.hide(data.slice(0, 200))}`,
      { hint: "Check base_url of the provider" },
    );
  }

  /** A page, or JSON where events were asked for. */
  private async refuse(head: string): Promise<never> {
    let text = head;
    for await (const chunk of this.chunks) {
      if (text.length > 64 << 10) break;
      text += DECODED.decode(chunk);
    }
    const value = parse(text);
    const error = value === undefined ? undefined : vendorError(value.value);
    if (error !== undefined) throw this.means.failure(error);
    if (value === undefined) throw notJson(this.model, this.response, text, this.means.hide);
    throw callFailure(this.model, "it answers in one piece where a stream was asked for", {
      hint: "Check base_url of the provider: the service has to stream",
    });
  }
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
