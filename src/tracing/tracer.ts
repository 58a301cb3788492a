/** Spans as they are recorded: ids, parents, times. */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  errorType,
  type Span,
  type SpanContext,
  type SpanInput,
  type SpanValue,
  type Tracer,
  whenEnded,
} from "../core/span.ts";
import type { TraceParent } from "./settings.ts";

/** A span that has ended. */
export interface SpanRecord {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  isClient: boolean;
  /** Nanoseconds since 1970. */
  startNs: bigint;
  endNs: bigint;
  attributes: Readonly<Record<string, SpanValue>>;
  /** Undefined: it did not fail. */
  error: { type: string; message?: string } | undefined;
}

export interface TracerOptions {
  onEnd: (span: SpanRecord) => void;
  holdsContent: boolean;
  parent?: TraceParent;
}

/** A value longer than this is cut: a prompt must not make a batch that no collector takes. */
const MAX_TEXT = 32_768;

export class RecordingTracer implements Tracer {
  private readonly context = new AsyncLocalStorage<TraceParent | undefined>();

  constructor(private readonly options: TracerOptions) {}

  run<T>(input: SpanInput, work: (span: Span) => T): T {
    const { parent, holdsContent, onEnd } = this.options;
    const above = this.context.getStore() ?? parent;
    if (above instanceof RecordedSpan) above.isEmpty = false;
    const span = new RecordedSpan(input, above, holdsContent);
    return this.context.run(span, () =>
      whenEnded(
        () => work(span),
        (error) => {
          const record = span.end(error);
          if (input.isFrame && span.isEmpty && record.error === undefined) return;
          onEnd(record);
        },
      ),
    );
  }

  current(): SpanContext | undefined {
    return this.context.getStore();
  }

  within<T>(context: SpanContext | undefined, work: () => T): T {
    return this.context.run(context as TraceParent | undefined, work);
  }
}

class RecordedSpan implements Span, TraceParent {
  readonly traceId: string;
  readonly spanId = randomHex(8);
  private readonly startNs = nowNs();
  private readonly attributes: Record<string, SpanValue> = {};
  /** Nothing belongs to it. */
  isEmpty = true;
  private failure: SpanRecord["error"];

  constructor(
    private readonly input: SpanInput,
    private readonly above: TraceParent | undefined,
    readonly holdsContent: boolean,
  ) {
    this.traceId = above?.traceId ?? randomHex(16);
    const { category, operation } = input;
    this.set({ "llmspell.category": category, "llmspell.operation": operation, ...input.attributes });
  }

  set(attributes: Readonly<Record<string, SpanValue | undefined>>): void {
    for (const [name, value] of Object.entries(attributes))
      if (value !== undefined) this.attributes[name] = typeof value === "string" ? cut(value) : value;
  }

  fail(type: string, message?: string): void {
    this.failure = {
      type,
      ...(message === undefined || !this.holdsContent ? {} : { message: cut(message) }),
    };
  }

  end(error: unknown): SpanRecord {
    const { input } = this;
    if (error !== undefined) this.fail(errorType(error), error instanceof Error ? error.message : undefined);
    return {
      traceId: this.traceId,
      spanId: this.spanId,
      parentSpanId: this.above?.spanId,
      name: input.name ?? `${input.category}.${input.operation}`,
      isClient: input.isClient === true,
      startNs: this.startNs,
      endNs: nowNs(),
      attributes: this.attributes,
      error: this.failure,
    };
  }
}

const cut = (text: string) => (text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text);

function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}

const originNs = BigInt(Math.round(performance.timeOrigin * 1000)) * 1000n;

/** From the steady clock, so that what lies within another in time does so here too. */
function nowNs(): bigint {
  return originNs + BigInt(Math.round(performance.now() * 1_000_000));
}
