/** Jupyter messages as frames: `[identity…, "<IDS|MSG>", signature, header, parent, metadata, content, buffers…]`. */
import { randomUUID } from "node:crypto";
import { type Static, type TSchema, Type } from "typebox";
import { Compile, type Validator } from "typebox/compile";
import { Value } from "typebox/value";
import { messageOf, SpellError } from "../../../core/errors.ts";
import { isPlainObject } from "../../../core/values.ts";
import type { Signer } from "./signing.ts";

export const PROTOCOL_VERSION = "5.3";

export type Fields = Record<string, unknown>;

const DELIMITER = new TextEncoder().encode("<IDS|MSG>");
const EMPTY = new TextEncoder().encode("{}");
/** A request's header stands in every message about it. */
const MAX_HEADER_BYTES = 16_384;

const HeaderSchema = Type.Object({
  msg_id: Type.String({ minLength: 1, maxLength: 256 }),
  msg_type: Type.String({ minLength: 1, maxLength: 256 }),
  session: Type.String({ maxLength: 256 }),
  username: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  date: Type.Optional(Type.String()),
});

export type Header = Static<typeof HeaderSchema>;

export interface Message {
  /** Where it came from and its answer goes. */
  identities: Uint8Array[];
  header: Header;
  /** The header as it was sent: the parent header of everything that answers it. */
  headerBytes: Uint8Array;
  /** Empty for a message that answers nothing. */
  parent: Fields;
  metadata: Fields;
  content: Fields;
}

function bad(problem: string): SpellError {
  return new SpellError("invalid_argument", `Cannot read the message: ${problem}`);
}

/**
 * Reads and verifies a message.
 * @throws SpellError permission_denied for a wrong or repeated signature, invalid_argument for anything else
 */
export function readMessage(frames: readonly Uint8Array[], signer: Signer): Message {
  const at = frames.findIndex((frame) => Buffer.compare(frame, DELIMITER) === 0);
  if (at === -1) throw bad("there is no <IDS|MSG>");
  const [signature, ...rest] = frames.slice(at + 1);
  const parts = rest.slice(0, 4);
  if (signature === undefined || parts.length < 4) throw bad("frames are missing");
  const refusal = signer.refusal(signature, parts);
  if (refusal !== undefined)
    throw new SpellError("permission_denied", `Cannot trust the message: ${refusal}`);
  const [headerBytes, parent, metadata, content] = parts as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  if (headerBytes.length > MAX_HEADER_BYTES) throw bad("the header is too long");
  const header = readObject("header", headerBytes);
  if (!validator(HeaderSchema).Check(header)) throw bad(firstProblem(HeaderSchema, header));
  return {
    identities: frames.slice(0, at) as Uint8Array[],
    header,
    headerBytes,
    parent: readObject("parent header", parent),
    metadata: readObject("metadata", metadata),
    content: readObject("content", content),
  };
}

function readObject(part: string, bytes: Uint8Array): Fields {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad(`the ${part} is not JSON: ${messageOf(error).replace(/^JSON Parse error: /, "")}`);
  }
  if (!isPlainObject(value)) throw bad(`the ${part} must be a JSON object`);
  return value;
}

const validators = new WeakMap<TSchema, Validator>();

/** Checks as compiled code: a kernel reads the same few kinds of messages all day. */
function validator<T extends TSchema>(schema: T): Validator<Record<string, never>, T> {
  let found = validators.get(schema) as Validator<Record<string, never>, T> | undefined;
  if (found === undefined) {
    found = Compile(schema);
    validators.set(schema, found as unknown as Validator);
  }
  return found;
}

function firstProblem(schema: TSchema, value: unknown): string {
  const [error] = Value.Errors(schema, value);
  return error === undefined ? "a field is wrong" : `${error.instancePath || "the object"} ${error.message}`;
}

/** The content of a request, its defaults filled in. @throws SpellError invalid_argument naming the field */
export function readContent<T extends TSchema>(schema: T, content: Fields): Static<T> {
  const check = validator(schema);
  const filled = check.Default({ ...content });
  if (!check.Check(filled))
    throw new SpellError(
      "invalid_argument",
      `Cannot take the request: its content: ${firstProblem(schema, filled)}`,
    );
  return filled as Static<T>;
}

export interface Outgoing {
  identities: readonly Uint8Array[];
  type: string;
  /** The client's, so that it knows the message for its own. */
  session: string;
  username?: string;
  /** The request's header as it came; absent: the message answers nothing. */
  parent?: Uint8Array;
  metadata?: Fields;
  content: Fields;
}

export function writeMessage(message: Outgoing, signer: Signer): Uint8Array[] {
  const header: Header = {
    msg_id: randomUUID(),
    session: message.session,
    username: message.username ?? "kernel",
    msg_type: message.type,
    version: PROTOCOL_VERSION,
    date: new Date().toISOString(),
  };
  const parts = [
    jsonBytes(header),
    message.parent ?? EMPTY,
    message.metadata === undefined ? EMPTY : jsonBytes(message.metadata),
    jsonBytes(message.content),
  ];
  return [...message.identities, DELIMITER, new TextEncoder().encode(signer.sign(parts)), ...parts];
}

export function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
