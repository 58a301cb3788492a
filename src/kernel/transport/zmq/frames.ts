/** ZMTP 3.1 on the wire (rfc.zeromq.org/spec/37): greeting, frames and commands, as pure functions over bytes. */
import { SpellError } from "../../../core/errors.ts";

export interface Frame {
  more: boolean;
  command: boolean;
  body: Uint8Array;
}

export const GREETING_BYTES = 64;
const MORE = 1;
const LONG = 2;
const COMMAND = 4;
const MECHANISM = "NULL";

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

export function protocolError(problem: string): SpellError {
  return new SpellError("network", `Cannot read ZeroMQ data: ${problem}`);
}

/** Signature, version 3.1, the NULL mechanism; the rest is zero. */
export function greeting(): Uint8Array {
  const bytes = new Uint8Array(GREETING_BYTES);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
  bytes.set(encoder.encode(MECHANISM), 12);
  return bytes;
}

/** Looks at as much of a peer's greeting as has come. @throws SpellError network where it is none we can talk to */
export function checkGreeting(bytes: Uint8Array): void {
  if (bytes.length > 0 && bytes[0] !== 0xff) throw protocolError("no ZMTP signature");
  if (bytes.length > 9 && (bytes[9]! & 1) === 0) throw protocolError("no ZMTP signature");
  if (bytes.length > 10 && bytes[10]! < 3) throw protocolError("the peer speaks ZMTP older than 3");
  if (bytes.length < 32) return;
  const name = decoder.decode(bytes.subarray(12, 32)).replace(/\0+$/, "");
  if (name !== MECHANISM) throw protocolError("the peer wants a security mechanism other than NULL");
}

export function encodeFrame(body: Uint8Array, flags: { more?: boolean; command?: boolean } = {}): Uint8Array {
  const bytes = new Uint8Array(headLength(body.length) + body.length);
  writeFrame(bytes, 0, body, (flags.more ? MORE : 0) | (flags.command ? COMMAND : 0));
  return bytes;
}

/** All frames of a message in one piece. */
export function encodeMessage(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + headLength(part.length) + part.length, 0);
  const bytes = new Uint8Array(length);
  let at = 0;
  parts.forEach((part, i) => {
    at = writeFrame(bytes, at, part, i < parts.length - 1 ? MORE : 0);
  });
  return bytes;
}

function headLength(bodyLength: number): number {
  return bodyLength > 255 ? 9 : 2;
}

function writeFrame(into: Uint8Array, at: number, body: Uint8Array, flags: number): number {
  const head = headLength(body.length);
  into[at] = flags | (head === 9 ? LONG : 0);
  if (head === 2) into[at + 1] = body.length;
  else new DataView(into.buffer, into.byteOffset).setBigUint64(at + 1, BigInt(body.length));
  into.set(body, at + head);
  return at + head + body.length;
}

/** `READY`, `PING` and the like: a name and what follows it. */
export function encodeCommand(name: string, data: Uint8Array): Uint8Array {
  const body = new Uint8Array(1 + name.length + data.length);
  body[0] = name.length;
  body.set(encoder.encode(name), 1);
  body.set(data, 1 + name.length);
  return encodeFrame(body, { command: true });
}

/** @throws SpellError network */
export function readCommand(body: Uint8Array): { name: string; data: Uint8Array } {
  const length = body[0] ?? 0;
  if (length === 0 || body.length < 1 + length) throw protocolError("a command without a name");
  return { name: decoder.decode(body.subarray(1, 1 + length)), data: body.subarray(1 + length) };
}

/** The properties of a `READY` command, names in lower case (they are case-insensitive). */
export function encodeProperties(properties: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(properties)) {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, value.length);
    parts.push(Uint8Array.of(name.length), encoder.encode(name), length, value);
  }
  return Buffer.concat(parts);
}

/** @throws SpellError network */
export function readProperties(data: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const properties = new Map<string, Uint8Array>();
  for (let at = 0; at < data.length; ) {
    const valueAt = at + 1 + data[at]! + 4;
    if (valueAt > data.length) throw protocolError("a property is cut off");
    const end = valueAt + view.getUint32(valueAt - 4);
    if (end > data.length) throw protocolError("a property is cut off");
    const name = decoder.decode(data.subarray(at + 1, valueAt - 4)).toLowerCase();
    properties.set(name, data.slice(valueAt, end));
    at = end;
  }
  return properties;
}

/** Bytes as they come, frames as they are complete. */
export class FrameReader {
  private buffer = new Uint8Array(1024);
  private start = 0;
  private end = 0;

  constructor(private readonly maxFrameBytes: number) {}

  append(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.buffer.length) this.makeRoom(chunk.length);
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }

  private makeRoom(bytes: number): void {
    const held = this.end - this.start;
    const target =
      held + bytes > this.buffer.length
        ? new Uint8Array(Math.max(2 * this.buffer.length, held + bytes))
        : this.buffer;
    target.set(this.buffer.subarray(this.start, this.end));
    this.buffer = target;
    this.start = 0;
    this.end = held;
  }

  /** What has come and was not taken, at most `length` bytes; it is overwritten later. */
  peek(length: number): Uint8Array {
    return this.buffer.subarray(this.start, Math.min(this.end, this.start + length));
  }

  skip(length: number): void {
    this.start += length;
  }

  /** The next frame, or undefined until more has come. @throws SpellError network */
  next(): Frame | undefined {
    const head = this.peek(9);
    if (head.length < 2) return undefined;
    const flags = head[0]!;
    if ((flags & ~(MORE | LONG | COMMAND)) !== 0) throw protocolError("reserved bits of a frame are set");
    const command = (flags & COMMAND) !== 0;
    const more = (flags & MORE) !== 0;
    if (command && more) throw protocolError("a command in several frames");
    let length = head[1]!;
    if ((flags & LONG) !== 0) {
      if (head.length < 9) return undefined;
      length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(1));
    }
    if (length > this.maxFrameBytes) throw protocolError(`a frame of ${length} bytes is too long`);
    const at = (flags & LONG) !== 0 ? 9 : 2;
    if (this.end - this.start < at + length) return undefined;
    const body = this.buffer.slice(this.start + at, this.start + at + length);
    this.start += at + length;
    this.release();
    return { more, command, body };
  }

  /** A long frame leaves a long buffer: what is empty again starts small. */
  private release(): void {
    if (this.start !== this.end) return;
    this.start = 0;
    this.end = 0;
    if (this.buffer.length > 65_536) this.buffer = new Uint8Array(1024);
  }
}
