/** `Metrics`: spec/lua-api.md section 17, with labels, histograms, timers and spans besides. */

import { Type } from "typebox";
import { steadyMs } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import { type SpanAttributes, type SpanValue, span } from "../core/span.ts";
import type { ScriptValue } from "../core/values.ts";
import type { MetricKind, MetricOptions } from "../metrics/instrument.ts";
import { checkLabels, checkScriptName } from "../metrics/names.ts";
import type { ScriptNumber } from "../metrics/script.ts";
import {
  AnyTable,
  type ClassDecl,
  type GlobalDecl,
  type LocalContext,
  LuaFunction,
  local,
  methodsOf,
  optional,
  param,
  post,
  wait,
} from "./declare.ts";

const nameParam = param("name", Type.String(), "Letters, digits, `_`, `.`, `-` and `/`, a letter first");
const labels = optional("labels", AnyTable, 'What the number is of: `{kind = "cold"}`, 8 labels at most');
const amount = optional("n", Type.Number(), "By how much; 1 when missing");
const value = param("value", Type.Number(), "The number");
const options = optional(
  "options",
  Type.Object({
    description: Type.Optional(Type.String({ description: "One sentence" })),
    unit: Type.Optional(Type.String({ description: "`ms`, `s`, `By` for bytes; none for plain numbers" })),
    buckets: Type.Optional(
      Type.Array(Type.Number(), { description: "Upper bounds of a histogram's buckets, rising" }),
    ),
  }),
  "`{description?, unit?}`, for a histogram also `buckets`",
);

type Asked = Readonly<Record<string, ScriptValue>> | undefined;

/** Sends a number on its way; what can be refused at once is refused in the script. */
function send(
  ctx: LocalContext<unknown>,
  call: string,
  number: Omit<ScriptNumber, "labels">,
  asked: Asked,
): void {
  checkScriptName(call, number.name);
  ctx.post("Metrics", "take", { ...number, labels: checkLabels(call, asked) });
}

const COUNTER = { kind: "counter" } as const;
const GAUGE = { kind: "gauge" } as const;
const TIMES = { kind: "histogram", unit: "ms" } as const;

const maker = (kind: MetricKind, doc: string) =>
  local({
    doc,
    params: [nameParam, options],
    returns: "Metric",
    handler: (ctx, name, given) => {
      checkScriptName(`Metrics.${kind}`, name);
      ctx.wait("Metrics", "declare", name, { ...given, kind });
      return ctx.create("Metric", { kind, name } satisfies Metric);
    },
  });

interface Metric {
  kind: MetricKind;
  name: string;
}

const metric = methodsOf<Metric>();

function expectKind(call: string, self: Metric, kinds: readonly MetricKind[]): void {
  if (kinds.includes(self.kind)) return;
  throw new SpellError("invalid_argument", `Cannot call ${call}: ${self.name} is a ${self.kind}`, {
    hint: self.kind === "counter" ? "Counters take :add(n)" : "Histograms take :record(value)",
  });
}

const metricClass: ClassDecl = {
  name: "Metric",
  doc: "A counter, gauge or histogram of the script.",
  local: true,
  fields: ({ kind, name }: Metric) => ({ kind, name }),
  methods: {
    add: metric.local({
      doc: "Raises a counter or a gauge.",
      params: [amount, labels],
      returns: "nil",
      handler: (ctx, n, asked) => {
        expectKind("Metric:add", ctx.self, ["counter", "gauge"]);
        const { name } = ctx.self;
        send(ctx, "Metric:add", { way: "add", name, value: n ?? 1, otherwise: COUNTER }, asked);
      },
    }),
    record: metric.local({
      doc: "Sets a gauge, or adds a value to a histogram.",
      params: [value, labels],
      returns: "nil",
      handler: (ctx, number, asked) => {
        expectKind("Metric:record", ctx.self, ["gauge", "histogram"]);
        const { name } = ctx.self;
        send(ctx, "Metric:record", { way: "record", name, value: number, otherwise: GAUGE }, asked);
      },
    }),
  },
};

interface MetricTimer {
  name: string;
  labels: Asked;
  startMs: number;
  isStopped: boolean;
}

const timer = methodsOf<MetricTimer>();

const timerClass: ClassDecl = {
  name: "MetricTimer",
  doc: "A stopwatch whose times go into a histogram.",
  local: true,
  methods: {
    stop: timer.local({
      doc: "Stops it and records the time.",
      params: [],
      returns: "number of milliseconds; nil when it was stopped before",
      handler: (ctx) => {
        const { self } = ctx;
        if (self.isStopped) return undefined;
        self.isStopped = true;
        const ms = steadyMs() - self.startMs;
        const { name } = self;
        send(ctx, "MetricTimer:stop", { way: "record", name, value: ms, otherwise: TIMES }, self.labels);
        return ms;
      },
    }),
  },
};

/** What a span can say of a script's table; the rest is left out. */
function spanValues(given: Asked): SpanAttributes {
  const values: Record<string, SpanValue> = {};
  for (const [name, value] of Object.entries(given ?? {}))
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      values[name] = value;
  return values;
}

export const MetricsGlobal: GlobalDecl = {
  name: "Metrics",
  doc:
    "Figures of the kernel (`kernel.uptime`, `tool.calls`, `model.tokens` …) and of scripts. Names are made at their first " +
    "use. A metric has at most 200 combinations of labels, further ones count as one with `overflow = true`; scripts have " +
    "at most 1000 metrics.",
  functions: {
    get: wait({
      doc: "A metric's number: a counter's sum, a gauge's value, a histogram's mean. `NAME.count`, `.sum`, `.mean`, `.min`, `.max`, `.p50`, `.p95` and `.p99` are a histogram's other figures, percentiles over the newest values.",
      params: [param("name", Type.String(), "The name"), labels],
      returns: "number; nil where there is none, and for a gauge whose labels leave several",
      handler: async (ctx, name, asked) =>
        (await ctx.services.metrics()).get(name, checkLabels("Metrics.get", asked)),
    }),
    list: wait({
      doc: "The names of all metrics, sorted.",
      params: [],
      returns: "string[]",
      handler: async (ctx) => (await ctx.services.metrics()).families().map(({ name }) => name),
    }),
    record: local({
      doc: "Sets a gauge, or adds a value where the name is a histogram's. Not waited for.",
      params: [nameParam, value, labels],
      returns: "nil",
      handler: (ctx, name, number, asked) =>
        send(ctx, "Metrics.record", { way: "record", name, value: number, otherwise: GAUGE }, asked),
    }),
    increment: local({
      doc: "Raises a counter, or a gauge where the name is one's. Not waited for.",
      params: [nameParam, amount, labels],
      returns: "nil",
      handler: (ctx, name, n, asked) =>
        send(ctx, "Metrics.increment", { way: "add", name, value: n ?? 1, otherwise: COUNTER }, asked),
    }),
    snapshot: wait({
      doc: 'All numbers by name; those with labels also as `NAME{label="value"}`, of histograms only `.count` and `.sum`.',
      params: [],
      returns: "map name → number",
      handler: async (ctx) => (await ctx.services.metrics()).snapshot(),
    }),
    counter: maker("counter", "A number that only rises."),
    gauge: maker("gauge", "A number that rises and falls."),
    histogram: maker("histogram", "How values are distributed."),
    timer: local({
      doc: "Starts a stopwatch. `:stop()` records milliseconds in the histogram of this name.",
      params: [nameParam, labels],
      returns: "MetricTimer",
      handler: (ctx, name, asked) => {
        checkScriptName("Metrics.timer", name);
        const state: MetricTimer = {
          name,
          labels: checkLabels("Metrics.timer", asked),
          startMs: steadyMs(),
          isStopped: false,
        };
        return ctx.create("MetricTimer", state);
      },
    }),
    span: wait({
      doc: "Runs a function as a span of the trace: what it calls belongs to it. Without an OpenTelemetry collector it is a plain call.",
      params: [
        param("name", Type.String({ minLength: 1 }), "What the function does"),
        param("fn", LuaFunction, "The function"),
        optional("attributes", AnyTable, "Texts, numbers and booleans that the span says"),
      ],
      returns: "the function's first result",
      handler: (_, name, fn, attributes) =>
        span({ category: "debug", operation: "span", name, attributes: spanValues(attributes) }, () =>
          fn.call(),
        ),
    }),
    declare: wait({
      doc: "Makes a metric.",
      params: [nameParam, param("options", AnyTable, "Its kind and options")],
      returns: "nil",
      internal: true,
      handler: async (ctx, name, given) =>
        (await ctx.services.metrics()).scripts.declare(name, given as unknown as MetricOptions),
    }),
    take: post({
      doc: "Takes a number.",
      params: [param("number", AnyTable, "The metric, the number and its labels")],
      returns: "nil",
      internal: true,
      handler: async (ctx, number) =>
        (await ctx.services.metrics()).scripts.take(number as unknown as ScriptNumber),
    }),
  },
  classes: [metricClass, timerClass],
};
