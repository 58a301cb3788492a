/** Expected values: the parsing rules and examples of the HTML standard, "Server-sent events". */
import { describe, expect, test } from "bun:test";
import {
  EventReader,
  formatEvent,
  type ServerEvent,
} from "../../../../src/models/providers/cloud/server-events.ts";

function read(text: string, size = Number.POSITIVE_INFINITY): ServerEvent[] {
  const reader = new EventReader();
  const bytes = new TextEncoder().encode(text);
  const events: ServerEvent[] = [];
  for (let at = 0; at < bytes.length; at += size) events.push(...reader.push(bytes.subarray(at, at + size)));
  return [...events, ...reader.end()];
}

const cases: [string, string, [name: string, data: string][]][] = [
  ["data in lines", "data: YHOO\ndata: +2\ndata: 10\n\n", [["", "YHOO\n+2\n10"]]],
  [
    "comments, ids and an empty id",
    ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
    [
      ["", "first event"],
      ["", "second event"],
      ["", " third event"],
    ],
  ],
  [
    "empty data",
    "data\n\ndata\ndata\n\n",
    [
      ["", ""],
      ["", "\n"],
    ],
  ],
  [
    "names",
    "event: add\ndata: 73857293\n\nevent: none\n\ndata: x\n\n",
    [
      ["add", "73857293"],
      ["", "x"],
    ],
  ],
  ["a colon in the value", "data: a: b:c\n\n", [["", "a: b:c"]]],
  ["letters of four bytes", "data: 🦜漢é\n\n", [["", "🦜漢é"]]],
  [
    "an event that no blank line ended",
    "data: a\n\ndata: b",
    [
      ["", "a"],
      ["", "b"],
    ],
  ],
  ["nothing", "", []],
];

describe("EventReader", () => {
  for (const [what, text, expected] of cases)
    for (const [ends, lineEnd] of [
      ["LF", "\n"],
      ["CRLF", "\r\n"],
      ["CR", "\r"],
    ] as const)
      for (const size of [1, 2, 3, 7, Number.POSITIVE_INFINITY])
        test(`reads ${what} with ${ends} in pieces of ${size}`, () => {
          const events = read(text.replaceAll("\n", lineEnd), size);
          expect(events.map(({ name, data }) => [name, data])).toEqual(expected);
        });

  test("refuses an event without end", () => {
    const reader = new EventReader();
    const piece = new TextEncoder().encode("x".repeat(1 << 20));
    expect(() => {
      for (let i = 0; i < 20; i++) reader.push(piece);
    }).toThrow("an event is longer than");
  });

  test("reads back what is written", () => {
    const events = [
      { name: "", data: "a\nb" },
      { name: "x", data: "" },
    ];
    expect(read(events.map(formatEvent).join(""))).toEqual(events);
  });
});
