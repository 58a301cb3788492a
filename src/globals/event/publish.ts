import { type Static, Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import type { ScriptValue } from "../../core/values.ts";
import type { EventInput, PublishOutcome } from "../../events/service.ts";
import {
  AnyValue,
  type CallContext,
  type FunctionDecl,
  local,
  optional,
  param,
  post,
  wait,
} from "../declare.ts";
import { checkPayload, checkUuid } from "./payload.ts";
import { openBus, openedBus, publishMode } from "./session.ts";

const PublishOptions = Type.Object({
  language: Type.Optional(Type.String({ description: "Who speaks; `lua` when missing" })),
  correlation_id: Type.Optional(
    Type.String({ description: "UUID of what it belongs to; the run's when missing" }),
  ),
  parent_id: Type.Optional(Type.String({ description: "Id of the event that caused it" })),
  ttl_seconds: Type.Optional(Type.Number({ minimum: 0, description: "Not delivered once older than this" })),
  source: Type.Optional(Type.String({ description: "The component that speaks" })),
  target: Type.Optional(Type.String({ description: "Whom it concerns" })),
  tags: Type.Optional(Type.Array(Type.String(), { description: "Words to find it by" })),
  priority: Type.Optional(Type.Integer({ description: "Smaller is more urgent; 0 when missing" })),
});

/** What `publish` was given: each for itself, since names would cross with every event. */
const SENT = [
  param("type", AnyValue, "Type"),
  optional("data", AnyValue, "Payload"),
  optional("opts", AnyValue, "Options"),
] as const;

function inputOf(
  ctx: CallContext,
  given: ScriptValue,
  data?: ScriptValue,
  options?: ScriptValue,
): EventInput {
  const type = given as string;
  const opts = options as unknown as Static<typeof PublishOptions> | null | undefined;
  if (opts === undefined || opts === null) return { type, data, language: "lua", correlationId: ctx.run.id };
  return {
    type,
    data,
    language: opts.language ?? "lua",
    correlationId: opts.correlation_id ?? ctx.run.id,
    parentId: opts.parent_id,
    ttlSeconds: opts.ttl_seconds,
    source: opts.source,
    target: opts.target,
    tags: opts.tags ?? [],
    priority: opts.priority ?? 0,
  };
}

export const publishing: Record<string, FunctionDecl> = {
  publish: local({
    doc:
      "Sends an event to everybody who listens. Does not wait for them, except where a subscription's policy is `Block`; " +
      "raises where one with the policy `Reject` has no room. `data` may be anything but functions and objects.",
    params: [
      param("type", Type.String({ minLength: 1 }), "What happened: words between dots, such as `order.paid`"),
      optional("data", AnyValue, "What there is to say about it"),
      optional(
        "opts",
        PublishOptions,
        "`{language?, correlation_id?, parent_id?, ttl_seconds?, source?, target?, tags?, priority?}`",
      ),
    ],
    returns: "true",
    aliases: ["emit"],
    handler: (ctx, type, data, opts) => {
      checkPayload(data);
      if (opts !== undefined) {
        checkUuid("opts.correlation_id", opts.correlation_id);
        checkUuid("opts.parent_id", opts.parent_id);
      }
      const given = opts as ScriptValue;
      if (publishMode(ctx).waits) ctx.wait("Event", "send_waiting", type, data, given);
      else if (opts === undefined) ctx.post("Event", "send", type, data);
      else ctx.post("Event", "send", type, data, given);
      return true;
    },
  }),
  open: wait({
    doc: "Makes the bus and tells whether publishers must wait.",
    params: [],
    returns: "{waits}",
    internal: true,
    handler: async (ctx) => {
      await openBus(ctx.services);
      const { overflow } = ctx.services.config.current.events;
      return { waits: overflow === "Block" || overflow === "Reject" };
    },
  }),
  send: post({
    doc: "Publishes without waiting.",
    params: SENT,
    returns: "nil",
    internal: true,
    handler: (ctx, ...sent) => void openedBus(ctx).publish(inputOf(ctx, ...sent)),
  }),
  send_waiting: wait({
    doc: "Publishes when there is room.",
    params: SENT,
    returns: "nil",
    internal: true,
    handler: async (ctx, ...sent) => {
      const { vm, signal } = ctx.run;
      const outcome = await openedBus(ctx).publishWhenRoom(inputOf(ctx, ...sent), vm.ended, signal);
      refuseRejected(outcome);
    },
  }),
};

/** @throws SpellError limit */
function refuseRejected(outcome: PublishOutcome): void {
  if (outcome !== "rejected") return;
  throw new SpellError("limit", "Cannot publish: a subscription has no room and its policy is to reject", {
    data: { limit: "queue" },
    hint: "Receive what waits in it, or choose another policy",
  });
}
