/** Events of the bus for clients that ask for them (spec/kernel.md section 18.5): `event_request` on the shell channel. */
import { Type } from "typebox";
import { SpellError } from "../../../core/errors.ts";
import { eventDocument } from "../../../events/document.ts";
import type { Received, SpellEvent, Subscription } from "../../../events/service.ts";
import type { Publish } from "./execution.ts";
import { type Fields, readContent } from "./message.ts";
import type { Exchange } from "./requests.ts";

const EventContent = Type.Object({
  command: Type.String(),
  pattern: Type.Optional(Type.String()),
  subscription_id: Type.Optional(Type.String()),
  event_type: Type.Optional(Type.String()),
  data: Type.Optional(Type.Unknown()),
});

const COMMANDS = ["subscribe", "unsubscribe", "list", "publish", "stats"];

/** Events that may wait for their way to clients. */
const BUFFERED = 10_000;
/** After so many at once, other traffic has its turn. */
const TURN = 100;

/** Message types that stand for kernel events; others go as `event`. */
const MESSAGES: readonly (readonly [prefix: string, type: string])[] = [
  ["kernel.execute_request", "execute_request"],
  ["kernel.execute_reply", "execute_reply"],
  ["kernel.status_change", "status"],
  ["kernel.startup", "kernel_started"],
  ["kernel.shutdown", "kernel_shutdown"],
  ["kernel.debug.", "debug_event"],
  ["kernel.session.", "session_event"],
  ["kernel.kernel_session.", "kernel_session_event"],
  ["kernel.custom.", "kernel_custom"],
];

/**
 * `{command: "subscribe", pattern}` replies `{subscription_id}`; from then on events come on iopub under the header of
 * that request until `{command: "unsubscribe", subscription_id}` or the client leaves.
 */
export async function eventRequest(exchange: Exchange): Promise<Fields> {
  const { command, ...given } = readContent(EventContent, exchange.message.content);
  const bus = await exchange.hub.events();
  switch (command) {
    case "subscribe": {
      const owner = exchange.client().ended;
      const language = "jupyter";
      const subscription = bus.subscribe(required("pattern", given.pattern), {
        owner,
        language,
        bufferSize: BUFFERED,
      });
      void mirror(subscription, exchange.publish);
      return { status: "ok", subscription_id: subscription.id };
    }
    case "unsubscribe": {
      const found = bus.subscription(required("subscription_id", given.subscription_id));
      found?.end();
      return { status: "ok", unsubscribed: found !== undefined };
    }
    case "list": {
      const all = bus.subscriptions();
      return {
        status: "ok",
        subscriptions: all.map(({ id, pattern, language }) => ({ id, pattern, language })),
      };
    }
    case "publish": {
      const type = required("event_type", given.event_type);
      const outcome = bus.publish({ type, data: given.data, language: "jupyter" });
      return { status: "ok", outcome };
    }
    case "stats":
      return { status: "ok", stats: bus.stats() };
    default:
      throw new SpellError("invalid_argument", `Unknown event command: ${command}`, {
        hint: `Known: ${COMMANDS.join(", ")}`,
      });
  }
}

function required(name: string, value: string | undefined): string {
  if (value !== undefined && value !== "") return value;
  throw new SpellError("invalid_argument", `Cannot answer event_request: "${name}" is required`);
}

async function mirror(subscription: Subscription, publish: Publish): Promise<void> {
  for (let sent = 1; ; sent++) {
    const received = await subscription.receive(Number.POSITIVE_INFINITY);
    if (received === undefined) return;
    publish(messageType(received.event), contentOf(received, subscription.id, sent));
    if (sent % TURN === 0) await Bun.sleep(1);
  }
}

function messageType({ type }: SpellEvent): string {
  const found = MESSAGES.find(([prefix]) =>
    prefix.endsWith(".") ? type.startsWith(prefix) : type === prefix,
  );
  return found?.[1] ?? "event";
}

/** @param number of this subscription's messages, from 1: one that is missing was lost on its way */
function contentOf({ event, missed }: Received, subscription: string, number: number): Fields {
  const state = (event.data as { execution_state?: unknown } | null)?.execution_state;
  return {
    ...eventDocument(event),
    subscription_id: subscription,
    number,
    missed,
    ...(event.type === "kernel.status_change" && state !== undefined ? { execution_state: state } : {}),
  };
}
