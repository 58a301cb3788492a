import { describe, expect, test } from "bun:test";
import { EventBuffer } from "../../src/models/llamacpp/event-buffer.ts";
import type { GenerateEvent } from "../../src/models/llamacpp/protocol.ts";
import { StopTexts } from "../../src/models/llamacpp/stop-texts.ts";
import { uniform } from "../support/random.ts";

describe("StopTexts", () => {
  const run = (stops: string[], pieces: string[]) => {
    const found = new StopTexts(stops);
    const passed = pieces.map((piece) => found.push(piece));
    return { passed, rest: found.end(), stopped: found.stopped };
  };

  test("holds back only what may become a stop text", () => {
    expect(run(["</end>"], ["a<", "/e", "x", "b"])).toEqual({
      passed: ["a", "", "</ex", "b"],
      rest: "",
      stopped: false,
    });
    expect(run(["</end>"], ["a</e", "nd>b"])).toEqual({ passed: ["a", ""], rest: "", stopped: true });
    expect(run(["aab"], ["a", "a", "a", "b"])).toEqual({
      passed: ["", "", "a", ""],
      rest: "",
      stopped: true,
    });
    expect(run(["ab"], ["xa"])).toEqual({ passed: ["x"], rest: "a", stopped: false });
  });

  test("passes everything on where there are no stop texts, or empty ones", () => {
    expect(run([""], ["a", "b"])).toEqual({ passed: ["a", "b"], rest: "", stopped: false });
  });

  test("passes on what stands before the stop text that is complete first, however the text is cut", () => {
    const random = uniform(5);
    const pick = (letters: string, length: number) =>
      Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join("");
    for (let i = 0; i < 2000; i++) {
      const text = pick("ab漢", 30);
      const stops = [pick("ab漢", 1 + Math.floor(random() * 5)), pick("ab漢", 1 + Math.floor(random() * 5))];
      const pieces: string[] = [];
      for (let at = 0; at < text.length; ) {
        const length = 1 + Math.floor(random() * 4);
        pieces.push(text.slice(at, at + length));
        at += length;
      }
      const { passed, rest, stopped } = run(stops, pieces);
      const found = stops
        .map((stop) => ({ at: text.indexOf(stop), end: text.indexOf(stop) + stop.length }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.end - b.end || a.at - b.at);
      expect(passed.join("") + rest).toBe(text.slice(0, found[0]?.at));
      expect(stopped).toBe(found.length > 0);
    }
  });
});

describe("EventBuffer", () => {
  test("passes the first piece on at once and joins those that come quickly after each other", () => {
    let nowMs = 1000;
    const sent: GenerateEvent[] = [];
    const buffer = new EventBuffer(
      (event) => sent.push(event),
      () => nowMs,
    );
    const text = (piece: string) => buffer.add({ type: "text", text: piece });
    buffer.add({ type: "prompt", promptTokens: 3, cachedTokens: 0 });
    text("a");
    expect(sent).toEqual([
      { type: "prompt", promptTokens: 3, cachedTokens: 0 },
      { type: "text", text: "a" },
    ]);
    nowMs += 3;
    text("b");
    nowMs += 3;
    text("c");
    expect(sent.length).toBe(2);
    nowMs += 50;
    text("d");
    expect(sent.at(-1)).toEqual({ type: "text", text: "bcd" });
    nowMs += 50; // a slow model's tokens are not held
    text("e");
    expect(sent.at(-1)).toEqual({ type: "text", text: "e" });
  });

  test("keeps the order of reasoning and text, and what is held until the end", () => {
    const sent: GenerateEvent[] = [];
    const buffer = new EventBuffer(
      (event) => sent.push(event),
      () => 0,
    );
    for (const [type, piece] of [
      ["reasoning", "a"],
      ["reasoning", "b"],
      ["text", "c"],
      ["text", "d"],
    ] as const)
      buffer.add({ type, text: piece });
    buffer.flush();
    buffer.flush();
    expect(sent).toEqual([
      { type: "reasoning", text: "a" },
      { type: "reasoning", text: "b" },
      { type: "text", text: "cd" },
    ]);
  });
});
