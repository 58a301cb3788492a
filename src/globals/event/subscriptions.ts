import { type Static, Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import type { SubscribeOptions, Subscription } from "../../events/service.ts";
import {
  AnyTable,
  AnyValue,
  type CallContext,
  type FunctionDecl,
  type LocalContext,
  LuaFunction,
  local,
  optional,
  param,
  wait,
} from "../declare.ts";
import { callbacksDone, serve } from "./callbacks.ts";
import { openBus, publishMode } from "./session.ts";
import { EVENT, eventTable, subscriptionTable } from "./table.ts";

const DEFAULT_RECEIVE_MS = 5000;

const Overflow = Type.Union([
  Type.Literal("DropOldest"),
  Type.Literal("DropNewest"),
  Type.Literal("Block"),
  Type.Literal("Reject"),
]);

const Options = Type.Object({
  language: Type.Optional(Type.String({ description: "Told in lists and in events; `lua` when missing" })),
  buffer_size: Type.Optional(
    Type.Integer({ minimum: 1, description: "Events that may wait; `events.buffer_size` when missing" }),
  ),
  overflow: Type.Optional(Overflow),
});

type Options = Static<typeof Options>;

const OPTIONS =
  "`{language?, buffer_size?, overflow?}`; `overflow` is `DropOldest`, `DropNewest`, `Block` or `Reject`";
const PATTERN = Type.String({ minLength: 1 });
const patternParam = param(
  "pattern",
  PATTERN,
  "`*` at the end stands for anything, within for one segment, `**` for any segments: `user.*`, `*.error`, `a.**.b`",
);
const idParam = param("id", Type.String(), "What `Event.subscribe` or `Event.on` gave");

function optionsOf({ language = "lua", buffer_size, overflow }: Options): SubscribeOptions {
  return { language, bufferSize: buffer_size, overflow };
}

/** Publishers of this VM must wait from now on where this subscription may block or refuse. */
function noteOverflow(ctx: LocalContext, { overflow }: Options): void {
  if (overflow === "Block" || overflow === "Reject") publishMode(ctx).waits = true;
}

async function find(ctx: CallContext, id: string): Promise<Subscription> {
  const found = (await openBus(ctx.services)).subscription(id);
  if (found === undefined)
    throw new SpellError("not_found", `Subscription not found: ${id}`, {
      hint: "It was unsubscribed, or the id is not what Event.subscribe gave",
    });
  return found;
}

export const subscriptions: Record<string, FunctionDecl> = {
  subscribe: local({
    doc: "Collects the events that match from now on, for `Event.receive`. Ends with the script.",
    params: [patternParam, optional("opts", AnyValue, OPTIONS)],
    returns: "string: the subscription's id",
    handler: (ctx, pattern, opts) => {
      const options = readOptions(opts);
      const id = ctx.wait("Event", "open_subscription", pattern, options);
      noteOverflow(ctx, options);
      return id;
    },
  }),
  on: local({
    doc:
      "Calls a function with every event that matches, one at a time and in order, whenever the script waits for something " +
      "(`Event.receive`, `Event.flush`, a tool, an agent). What it raises is logged. Ends with the script.",
    params: [patternParam, param("fn", LuaFunction, "Gets the event"), optional("opts", AnyTable, OPTIONS)],
    returns: "string: the subscription's id",
    handler: (ctx, pattern, fn, opts) => {
      const options = readOptions(opts);
      const id = ctx.wait("Event", "open_callback", pattern, fn, options);
      noteOverflow(ctx, options);
      return id;
    },
  }),
  receive: wait({
    doc: "The next event of a subscription, the most urgent first; nil when none comes in time. `missed` counts events that were dropped before it because the queue was full.",
    params: [
      idParam,
      optional(
        "timeout_ms",
        Type.Number({ minimum: 0, default: DEFAULT_RECEIVE_MS }),
        "How long to wait; 0: not at all",
      ),
    ],
    returns: `${EVENT} or nil`,
    handler: async (ctx, id, timeoutMs = DEFAULT_RECEIVE_MS) => {
      const subscription = await find(ctx, id);
      const received = await subscription.receive(timeoutMs, ctx.run.signal);
      return received && eventTable(received.event, received.missed, subscription.language);
    },
  }),
  unsubscribe: wait({
    doc: "Ends a subscription; what waits in it is gone.",
    params: [idParam],
    returns: "boolean: whether there was one",
    aliases: ["off"],
    handler: async (ctx, id) => {
      const found = (await openBus(ctx.services)).subscription(id);
      found?.end();
      return found !== undefined;
    },
  }),
  list_subscriptions: wait({
    doc: "The subscriptions there are, in the order of their making.",
    params: [],
    returns: "{id, pattern, language, queued, dropped}[]",
    handler: async (ctx) => (await openBus(ctx.services)).subscriptions().map(subscriptionTable),
  }),
  flush: wait({
    doc: "Waits until the functions of `Event.on` have seen everything published so far, and until it is stored and exported where that is configured. Raises for events that could not be stored.",
    params: [
      optional(
        "timeout_ms",
        Type.Number({ minimum: 0, default: DEFAULT_RECEIVE_MS }),
        "Longest wait for the functions",
      ),
    ],
    returns: "boolean: false when the functions took longer",
    handler: async (ctx, timeoutMs = DEFAULT_RECEIVE_MS) => {
      const bus = await openBus(ctx.services);
      const isDone = await callbacksDone(ctx.run, timeoutMs);
      await bus.flush();
      return isDone;
    },
  }),
  open_subscription: wait({
    doc: "Makes a subscription.",
    params: [param("pattern", PATTERN, "Pattern"), param("options", Options, "Options")],
    returns: "string",
    internal: true,
    handler: async (ctx, pattern, options) => {
      const bus = await openBus(ctx.services);
      return bus.subscribe(pattern, { ...optionsOf(options), owner: ctx.run.vm.ended }).id;
    },
  }),
  open_callback: wait({
    doc: "Makes a subscription that is served by a function.",
    params: [
      param("pattern", PATTERN, "Pattern"),
      param("fn", LuaFunction, "Function"),
      param("options", Options, "Options"),
    ],
    returns: "string",
    internal: true,
    handler: async (ctx, pattern, fn, options) =>
      serve(ctx, await openBus(ctx.services), pattern, fn, optionsOf(options)).id,
  }),
};

/** @throws SpellError invalid_argument for anything but a table */
function readOptions(opts: unknown): Options {
  if (opts === undefined || opts === null) return {};
  if (typeof opts === "object" && !Array.isArray(opts) && !(opts instanceof Uint8Array) && !("kind" in opts))
    return opts as Options;
  const isFunction = typeof opts === "object" && (opts as { kind?: unknown }).kind === "function";
  throw new SpellError(
    "invalid_argument",
    `Cannot call Event.subscribe: the second argument must be a table or nil: ${isFunction ? "function" : typeof opts}`,
    isFunction ? { hint: "Event.on(pattern, fn) calls a function for each event" } : {},
  );
}
