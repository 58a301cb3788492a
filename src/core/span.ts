/**
 * The seam of tracing: services say here what work they do, a tracer and a meter may watch. Where none does, a span is
 * a plain call. Importing this loads neither.
 */

/** The categories of spec/kernel.md section 12.3; the finer name is a span's operation. */
export const SPAN_CATEGORIES = [
  "script_runtime",
  "tool",
  "agent",
  "workflow",
  "hook",
  "event",
  "state",
  "session",
  "security",
  "vector",
  "transport",
  "debug",
] as const;
export type SpanCategory = (typeof SPAN_CATEGORIES)[number];

/** Attribute of a call of a model: what it cost, in USD. */
export const COST = "llmspell.usage.cost_usd";

export type SpanValue = string | number | boolean | readonly string[];
/** Undefined values are left out. */
export type SpanAttributes = Readonly<Record<string, SpanValue | undefined>>;

/** A piece of work that is going on. */
export interface Span {
  /** What is said to models and tools, and error texts, may be recorded: the user has asked for it. */
  readonly holdsContent: boolean;
  /** Adds to what was said at the start. */
  set(attributes: SpanAttributes): void;
  /** The work failed, though it does not throw. `type` is short and of a closed set: an error's code. */
  fail(type: string, message?: string): void;
}

export interface SpanInput {
  category: SpanCategory;
  /** snake_case: `execute_tool`, `chat`, `state_write`. */
  operation: string;
  /** The span's title; by default `category.operation`. */
  name?: string;
  /** The work is asked of a model or another service, and done there. */
  isClient?: boolean;
  /** Not recorded where it succeeds and nothing belongs to it: of calls by the thousand, those that did something. */
  isFrame?: boolean;
  attributes?: SpanAttributes;
}

/** Where work belongs in a trace; carried over places that lose the asynchronous context. */
export type SpanContext = object;

/** Watches spans: runs the work, so that what it starts belongs to it. */
export interface Tracer {
  run<T>(input: SpanInput, work: (span: Span) => T): T;
  current(): SpanContext | undefined;
  within<T>(context: SpanContext | undefined, work: () => T): T;
}

/** Counts spans: given each one at its end. `error` is undefined where the work succeeded. */
export type Meter = (
  input: SpanInput,
  attributes: SpanAttributes,
  durationMs: number,
  error: string | undefined,
) => void;

let tracer: Tracer | undefined;
const meters = new Set<Meter>();

/** From now on spans are traced, until disposal. */
export function traceWith(installed: Tracer): Disposable {
  tracer = installed;
  return {
    [Symbol.dispose]() {
      if (tracer === installed) tracer = undefined;
    },
  };
}

/** From now on ended spans are told to the meter, until disposal. */
export function meterWith(meter: Meter): Disposable {
  meters.add(meter);
  return { [Symbol.dispose]: () => void meters.delete(meter) };
}

/** Does the work as a span within the current one; it ends when the work's promise is settled. What is thrown passes. */
export function span<T>(input: SpanInput, work: (span: Span) => T): T {
  if (meters.size > 0) return metered(input, work);
  return tracer === undefined ? work(UNWATCHED) : tracer.run(input, work);
}

/** Whether spans are recorded: what comes by the hundred thousand asks before it says anything. */
export const isTraced = (): boolean => tracer !== undefined;

/** Where the running code belongs in a trace; undefined where nothing is traced. */
export function currentSpan(): SpanContext | undefined {
  return tracer?.current();
}

/** Runs the work as part of this span, or of none. */
export function withinSpan<T>(context: SpanContext | undefined, work: () => T): T {
  return tracer === undefined ? work() : tracer.within(context, work);
}

/** What a failure is called in traces and figures: the code of a SpellError, else the class of the error. */
export function errorType(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === "string") return code;
  return typeof name === "string" ? name : "error";
}

const UNWATCHED: Span = { holdsContent: false, set() {}, fail() {} };

function metered<T>(input: SpanInput, work: (span: Span) => T): T {
  const startMs = performance.now();
  const watched = new MeteredSpan(input.attributes);
  const end = (error?: unknown) => {
    const type = watched.failure ?? (error === undefined ? undefined : errorType(error));
    const durationMs = performance.now() - startMs;
    for (const meter of meters) meter(input, watched.attributes, durationMs, type);
  };
  const body = (inner: Span) => work(watched.over(inner));
  return whenEnded(() => (tracer === undefined ? body(UNWATCHED) : tracer.run(input, body)), end);
}

/** Collects what a meter needs, and passes it on to the tracer's span. */
class MeteredSpan implements Span {
  attributes: SpanAttributes;
  failure: string | undefined;
  private inner: Span = UNWATCHED;

  constructor(attributes: SpanAttributes = {}) {
    this.attributes = attributes;
  }

  over(inner: Span): this {
    this.inner = inner;
    return this;
  }

  get holdsContent(): boolean {
    return this.inner.holdsContent;
  }

  set(attributes: SpanAttributes): void {
    this.attributes = { ...this.attributes, ...attributes };
    this.inner.set(attributes);
  }

  fail(type: string, message?: string): void {
    this.failure = type;
    this.inner.fail(type, message);
  }
}

/** Calls `end` once when the work has ended, with what it threw: `{}` stands for an `undefined` that was thrown. */
export function whenEnded<T>(work: () => T, end: (error?: unknown) => void): T {
  let result: T;
  try {
    result = work();
  } catch (error) {
    end(error ?? {});
    throw error;
  }
  if (!(result instanceof Promise)) {
    end();
    return result;
  }
  return result.then(
    (value) => {
      end();
      return value;
    },
    (error: unknown) => {
      end(error ?? {});
      throw error;
    },
  ) as T;
}
