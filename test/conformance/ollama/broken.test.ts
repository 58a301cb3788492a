/** An answer that is broken anywhere is an error or whole, never a part that looks like the whole. */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { checkedLines } from "../../../src/models/ollama/lines.ts";
import { uniform } from "../../support/random.ts";

const line = (message: object, done = false) =>
  JSON.stringify({
    model: "m",
    created_at: "2023-08-04T08:52:19Z",
    message: { role: "assistant", ...message },
    done,
  });
const ANSWER = Buffer.from(
  `${[line({ content: "Grüß " }), line({ content: "🦙 日本" }), line({ content: "" }, true)].join("\n")}\n`,
);
const WHOLE = ["Grüß ", "🦙 日本", ""];
const ASKING = { what: "Cannot call model ollama/m", server: "http://127.0.0.1:1" };

/** The contents of the lines, and how it ended. */
async function read(pieces: readonly Uint8Array[]): Promise<{ contents: string[]; failure?: string }> {
  const chunks = (async function* () {
    yield* pieces;
  })();
  const contents: string[] = [];
  try {
    for await (const bytes of checkedLines(chunks, ASKING, "application/x-ndjson"))
      contents.push(
        (JSON.parse(Buffer.from(bytes).toString("utf8")) as { message?: { content: string } }).message
          ?.content ?? "",
      );
    return { contents };
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    return { contents, failure: error.code };
  }
}

describe("A stream of lines", () => {
  test("that is cut after any byte is an error, unless all of its last line came", async () => {
    for (let length = 0; length <= ANSWER.length; length++) {
      const { contents, failure } = await read([ANSWER.subarray(0, length)]);
      const isWhole = length >= ANSWER.length - 1;
      expect({ length, failure }).toEqual({ length, failure: isWhole ? undefined : "network" });
      expect(contents).toEqual(WHOLE.slice(0, contents.length));
      if (isWhole) expect(contents).toEqual(WHOLE);
    }
  });

  test("is the same however it is cut into pieces", async () => {
    const random = uniform(7);
    for (let round = 0; round < 300; round++) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < ANSWER.length; ) {
        const to = at + 1 + Math.floor(random() * 40);
        pieces.push(ANSWER.subarray(at, to));
        at = to;
      }
      expect(await read(pieces)).toEqual({ contents: WHOLE });
    }
  });

  test("with one byte changed is read as it is, or an error", async () => {
    const random = uniform(8);
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.from(ANSWER);
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const { contents, failure } = await read([bytes]);
      if (failure === undefined) expect(contents.length).toBe(3);
      else expect(["network", "provider"]).toContain(failure);
    }
  });

  test.each([
    ["empty lines", "\n\r\n \n", 0],
    ["a line that never ends", "x".repeat(65 << 20), 0],
    ["what comes after the last line", `${line({ content: "a" }, true)}\nrubbish`, 1],
  ])("%s", async (_name, text, count) => {
    const { contents, failure } = await read([Buffer.from(text)]);
    expect(contents).toHaveLength(count);
    expect(failure === undefined).toBe(count > 0);
  });
});
