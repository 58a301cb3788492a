/** The kernel API as JSON messages over a WebSocket: one message in a text frame. */
import { type Static, Type } from "typebox";
import { messageOf, SpellError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";
import { fromWire, toWire } from "../../core/wire-values.ts";
import type { KernelEvent, KernelReply } from "../api.ts";
import { badRequest, readAs } from "./openai/read.ts";

/** What both sides speak; another number is another language. */
export const WIRE_VERSION = 1;

/** Named by a browser, which cannot send headers: `llmspell.v1` and, for the token, `llmspell.token.TOKEN`. */
export const SUBPROTOCOL = "llmspell.v1";
export const TOKEN_SUBPROTOCOL = "llmspell.token.";

/** Close codes of ours (4000 to 4999 are free for applications). */
export const CLOSE = { ended: 1001, unreadable: 4400 } as const;

/** Chosen by the client, unique among its requests that run. */
const Id = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

const closed = { additionalProperties: false } as const;

const CLIENT_MESSAGES = {
  /** `request`: see `requests.ts`. `input`: the client answers `input_request`; else scripts find no input. `attended`: a person does. */
  request: Type.Object(
    {
      type: Type.Literal("request"),
      id: Id,
      request: Type.Record(Type.String(), Type.Unknown()),
      input: Type.Optional(Type.Boolean()),
      attended: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  /** The request then replies `interrupted`. */
  cancel: Type.Object({ type: Type.Literal("cancel"), id: Id }, closed),
  /** `line`: bytes or text, its end included; null at the end of input. */
  input_reply: Type.Object({ type: Type.Literal("input_reply"), id: Id, line: Type.Unknown() }, closed),
};

export type ClientMessage = {
  [K in keyof typeof CLIENT_MESSAGES]: Static<(typeof CLIENT_MESSAGES)[K]>;
}[keyof typeof CLIENT_MESSAGES];

export type KernelMessage =
  /** The first message of a connection. */
  | { type: "welcome"; protocol: number; kernel_id: string; pid: number; max_message_bytes: number }
  | { type: "event"; id: number; event: KernelEvent }
  | { type: "input_request"; id: number; prompt: string }
  /** The last message of a request. */
  | { type: "reply"; id: number; reply: KernelReply }
  | { type: "shutdown"; restart: boolean; message: string }
  /** A message that could not be read; the connection ends. */
  | { type: "error"; error: { code: string; message: string } };

export function writeMessage(message: ClientMessage | KernelMessage): string {
  return JSON.stringify(toWire(message));
}

/** @throws SpellError invalid_argument, limit for what nests too deep */
export function readClientMessage(text: string): ClientMessage {
  const fields = readObject(text);
  const schema = Object.hasOwn(CLIENT_MESSAGES, String(fields.type))
    ? CLIENT_MESSAGES[fields.type as keyof typeof CLIENT_MESSAGES]
    : undefined;
  if (schema === undefined) {
    const known = Object.keys(CLIENT_MESSAGES).join(", ");
    throw badRequest(`"type" must be one of ${known}: ${JSON.stringify(fields.type)?.slice(0, 60)}`, "type");
  }
  return readAs(schema, fields) as ClientMessage;
}

/** Messages of a kernel are believed once they are JSON: the client chose whom to ask. @throws SpellError */
export function readKernelMessage(text: string): KernelMessage {
  return readObject(text) as KernelMessage;
}

function readObject(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new SpellError("invalid_argument", `Cannot read the message: ${messageOf(cause)}`, { cause });
  }
  const value = fromWire(parsed);
  if (!isPlainObject(value)) throw badRequest("the message must be a JSON object");
  return value;
}
