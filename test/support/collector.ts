/** An OTLP collector of the test's own, on loopback. */
import { gunzipSync } from "node:zlib";

export interface OtlpValue {
  stringValue?: string;
  intValue?: string;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values: OtlpValue[] };
}

interface KeyValue {
  key: string;
  value: OtlpValue;
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  status?: { code: number; message?: string };
}

export interface Received {
  path: string;
  headers: Headers;
  /** As it came. */
  text: string;
}

/** What the collector answers to the n-th request, counted from 0. */
export type Answer = (n: number, request: Request) => Response | Promise<Response>;

export class Collector implements Disposable {
  readonly received: Received[] = [];
  private readonly server;

  constructor(answer: Answer = () => Response.json({})) {
    this.server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: async (request) => {
        const bytes = new Uint8Array(await request.arrayBuffer());
        const isZipped = request.headers.get("content-encoding") === "gzip";
        const text = Buffer.from(isZipped ? gunzipSync(bytes) : bytes).toString();
        this.received.push({ path: new URL(request.url).pathname, headers: request.headers, text });
        return answer(this.received.length - 1, request);
      },
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  bodies(path: "/v1/traces" | "/v1/metrics"): string[] {
    return this.received.filter((one) => one.path === path).map(({ text }) => text);
  }

  spans(): OtlpSpan[] {
    return this.bodies("/v1/traces").flatMap((text) =>
      JSON.parse(text).resourceSpans.flatMap((resource: { scopeSpans: { spans: OtlpSpan[] }[] }) =>
        resource.scopeSpans.flatMap(({ spans }) => spans),
      ),
    );
  }

  [Symbol.dispose](): void {
    this.server.stop(true);
  }
}

/** Attributes by name, as plain values. */
export function attributesOf({ attributes }: { attributes: KeyValue[] }): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));
}

function plain(value: OtlpValue): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(plain);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.doubleValue ?? value.boolValue;
}

/** The tree of spans: each line a name, indented below its parent, children in the order of their begin. */
export function treeOf(spans: readonly OtlpSpan[]): string[] {
  const below = (parent: string | undefined, depth: number): string[] =>
    spans
      .filter((span) => span.parentSpanId === parent)
      .sort((a, b) => (BigInt(a.startTimeUnixNano) < BigInt(b.startTimeUnixNano) ? -1 : 1))
      .flatMap((span) => [`${"  ".repeat(depth)}${span.name}`, ...below(span.spanId, depth + 1)]);
  return below(undefined, 0);
}
