/** How the bytes of an answer come, or stop coming. */
import assert from "node:assert/strict";
import { SpellError } from "../../../../src/core/errors.ts";
import type { SentEvent } from "../format.ts";
import { type Delivery, plainly } from "../server.ts";
import { HELLO, type Part, type ProviderCase, streamed, TEXT } from "./target.ts";

const odd: [string, Delivery][] = [
  ["one byte at a time", { pieceBytes: 1 }],
  ["in pieces of three bytes", { pieceBytes: 3 }],
  ["with CRLF", { write: (events) => plainly(events).replaceAll("\n", "\r\n") }],
  [
    "with CRLF, a byte at a time",
    { write: (events) => plainly(events).replaceAll("\n", "\r\n"), pieceBytes: 1 },
  ],
  ["with CR alone", { write: (events) => plainly(events).replaceAll("\n", "\r"), pieceBytes: 5 }],
  ["with comments and unknown fields", { write: commented }],
  [
    "without a space after the colon",
    { write: (events) => plainly(events).replace(/^(event|data): /gm, "$1:") },
  ],
  ["with data in several lines", { write: manyLines }],
  ["without a final newline", { write: (events) => plainly(events).trimEnd() }],
  ["with a byte order mark", { write: (events) => `\uFEFF${plainly(events)}` }],
];

function commented(events: SentEvent[]): string {
  return events.map((event) => `: keep-alive\n\n:\nretry: 10\nid: 7\n${plainly([event])}`).join("");
}

/** JSON has no line ends of its own outside of texts: after its first brace there may be one. */
function manyLines(events: SentEvent[]): string {
  return plainly(events.map(({ data, ...event }) => ({ ...event, data: data.replace(/^\{/, "{\ndata: ") })));
}

export const deliveryCases: readonly ProviderCase[] = [
  ...odd.map(
    ([how, delivery]): ProviderCase => ({
      name: `reads events ${how}`,
      async run(target) {
        target.server.script({ answer: { text: TEXT, input: 11 }, ...delivery });
        const { text, finish, error } = await streamed(target);
        assert.equal(error?.message, undefined);
        assert.equal(text, TEXT);
        assert.equal(finish?.usage.inputTokens.total, 11);
      },
    }),
  ),
  {
    name: "fails an answer that breaks off, wherever that is, and does not repeat it",
    async run(target) {
      // inside the text, which has letters of two, three and four bytes
      for (const bytes of [0.35, 0.45, 0.5, 0.55]) {
        for (const how of ["clean", "cut"] as const) {
          const events = target.vendor.format.events(
            { text: TEXT.repeat(4) },
            { path: "", headers: {}, body: { model: target.vendor.modelId, stream: true } },
          );
          const length = new TextEncoder().encode(plainly(events)).length;
          for (const more of [0, 1, 2, 3, 7]) {
            target.server.script({
              answer: { text: TEXT.repeat(4) },
              endAfter: { bytes: Math.floor(length * bytes) + more, how },
              pieceBytes: 64,
            });
            const { error, text } = await streamed(target);
            assert.match(error?.message ?? "", /broke off/, `${how} after ${bytes}: ${error?.message}`);
            assert(TEXT.repeat(4).startsWith(text));
            // a connection that is cut may take with it what was not read yet: an attempt that said nothing is repeated
            if (how === "clean") assert.equal(target.server.seen.length, 1);
          }
        }
      }
    },
  },
  {
    name: "repeats a stream that ends before its first event",
    async run(target) {
      for (const how of ["clean", "cut"] as const) {
        target.server.script(
          { answer: { text: "never" }, endAfter: { bytes: 3, how } },
          { answer: { text: "there" } },
        );
        const { text, finish, error } = await streamed(target);
        assert.equal(error?.message, undefined);
        assert.equal(text, "there");
        assert.equal(finish?.providerMetadata?.llmspell?.retries, 1);
      }
    },
  },
  {
    name: "stops when the call is given up, and lets go of the connection",
    async run(target) {
      const { server } = target;
      server.script({ answer: { text: TEXT.repeat(20) }, gapMs: 20 });
      const before = server.abandoned;
      const giveUp = new AbortController();
      const model = await target.open();
      const { stream } = await model.doStream({ ...HELLO, abortSignal: giveUp.signal });
      const parts: Part[] = [];
      for await (const part of stream) {
        parts.push(part);
        if (part.type === "text-delta") giveUp.abort(new SpellError("interrupted", "enough"));
      }
      const last = parts.at(-1)!;
      assert(last.type === "error" && (last.error as SpellError).message === "enough", JSON.stringify(last));
      for (let i = 0; i < 1000 && server.abandoned === before; i++) await Bun.sleep(10);
      assert.equal(server.abandoned, before + 1);
    },
  },
  {
    name: "lets go of the connection when nobody reads on",
    async run(target) {
      const { server } = target;
      server.script({ answer: { text: TEXT.repeat(20) }, gapMs: 20 });
      const before = server.abandoned;
      const { stream } = await (await target.open()).doStream(HELLO);
      for await (const part of stream) if (part.type === "text-delta") break;
      for (let i = 0; i < 1000 && server.abandoned === before; i++) await Bun.sleep(10);
      assert.equal(server.abandoned, before + 1);
    },
  },
];
