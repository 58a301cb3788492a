/** Server-sent events out of bytes, by the rules of the HTML standard: any line ends, comments, split code points. */

export interface ServerEvent {
  /** Value of the `event` field; empty where there is none. */
  name: string;
  data: string;
}

const MAX_EVENT_LENGTH = 16 << 20;

export class EventReader {
  private readonly decoder = new TextDecoder();
  private rest = "";
  /** How far `rest` is known to have no line end. */
  private scanned = 0;
  private name = "";
  private data: string[] = [];
  private length = 0;

  /** The events that are whole now. @throws RangeError for one that is longer than 16 Mi characters */
  push(bytes: Uint8Array): ServerEvent[] {
    return this.lines(this.decoder.decode(bytes, { stream: true }), false);
  }

  /** What is there when the stream ends: an event that no blank line ended may be whole or cut. */
  end(): ServerEvent[] {
    const events = this.lines(this.decoder.decode(), true);
    const last = this.dispatch();
    return last === undefined ? events : [...events, last];
  }

  private lines(text: string, isEnd: boolean): ServerEvent[] {
    const events: ServerEvent[] = [];
    this.rest += text;
    let from = 0;
    for (;;) {
      const at = lineEnd(this.rest, Math.max(from, this.scanned));
      // a carriage return at the end may be the first half of a line end
      if (at === -1 || (!isEnd && this.rest[at] === "\r" && at === this.rest.length - 1)) break;
      const event = this.line(this.rest.slice(from, at));
      if (event !== undefined) events.push(event);
      this.scanned = 0;
      from = at + (this.rest[at] === "\r" && this.rest[at + 1] === "\n" ? 2 : 1);
    }
    this.rest = this.rest.slice(from);
    this.scanned = this.rest.endsWith("\r") ? this.rest.length - 1 : this.rest.length;
    if (isEnd && this.rest !== "") {
      const event = this.line(this.rest);
      if (event !== undefined) events.push(event);
      this.rest = "";
    }
    if (this.rest.length + this.length > MAX_EVENT_LENGTH)
      throw new RangeError(`an event is longer than ${MAX_EVENT_LENGTH} characters`);
    return events;
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.name = value;
    else if (field === "data") {
      this.data.push(value);
      this.length += value.length;
    }
    return undefined;
  }

  private dispatch(): ServerEvent | undefined {
    const { name, data } = this;
    this.name = "";
    this.data = [];
    this.length = 0;
    return data.length === 0 ? undefined : { name, data: data.join("\n") };
  }
}

function lineEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) return at;
  }
  return -1;
}

/** An event as it is sent, in the plainest form. */
export function formatEvent({ name, data }: ServerEvent): string {
  const head = name === "" ? "" : `event: ${name}\n`;
  return `${head}data: ${data.split("\n").join("\ndata: ")}\n\n`;
}
