/**
 * A recording: JSON Lines. The first line tells what it is, each further one what came from outside once, in the order in
 * which it came. A last line that was cut off is left out, so a recording that was killed can be read as far as it goes.
 */
import { type ErrorJson, SpellError } from "../core/errors.ts";
import type { Reading, ReadingKind, TapedCall } from "../core/tape.ts";
import { isPlainObject } from "../core/values.ts";

export const TAPE_VERSION = 1;

export interface TapeHeader {
  llmspell_recording: number;
  llmspell: string;
  /** ISO 8601. */
  created: string;
  script: string;
  time_zone: string;
}

/** What the clock or chance gave, `times` times in a row. */
export interface ReadingLine {
  kind: ReadingKind;
  lane: string;
  value: Reading;
  times?: number;
}

export interface CallLine {
  kind: TapedCall["kind"];
  /** Who asked: the agents, workflows and tool calls within each other, or `script`. */
  lane: string;
  name: string;
  /** Absent for `count`, whose request is that of the call it precedes; `key` stands for it. */
  request?: unknown;
  key?: string;
  answer?: unknown;
  error?: RecordedError;
  /** Number of the line that says when its first piece came. */
  begun?: number;
}

/** Script functions that were called, `times` in a row for the same lane: the order in which things happened. */
export interface CallbackLine {
  kind: "callback";
  lane: string;
  times?: number;
  /** They ran while another one waited. */
  within?: true;
}

/** The first piece of an answer came, whose line is further down. Only where something happened in between. */
export interface BegunLine {
  kind: "begun";
  lane: string;
  number: number;
}

/** `status`: of HTTP, for failures of providers' clients. */
export type RecordedError = ErrorJson | { message: string; status?: number };

export type OrderLine = CallbackLine | BegunLine;
export type TapeLine = ReadingLine | CallLine | OrderLine;

const READINGS: ReadonlySet<string> = new Set<ReadingKind>(["time", "steady", "cpu", "uuid", "bytes"]);
const CALLS: ReadonlySet<string> = new Set<TapedCall["kind"]>([
  "resolve",
  "count",
  "model",
  "embedding",
  "reranking",
  "http",
  "journal",
]);

/** Answers of these come at a time; the others are facts. */
const TIMED: ReadonlySet<string> = new Set(["model", "embedding", "reranking", "http", "journal"]);
export const isTimed = ({ kind }: { kind: string }): boolean => TIMED.has(kind);
export const isReading = (line: TapeLine): line is ReadingLine => READINGS.has(line.kind);

export interface ReadTape {
  header: TapeHeader;
  /** With their numbers in the file, from 1. */
  lines: { number: number; line: TapeLine }[];
  /** The last line was cut off: whoever wrote it was killed. */
  isCut: boolean;
}

/** @throws SpellError config, naming file and line */
export function readTape(text: string, path: string): ReadTape {
  const refuse = (rule: string, hint = "Record it anew with --record FILE --force") =>
    new SpellError("config", `Cannot replay: ${rule}: ${path}`, { data: { path }, hint });
  const rows = text.split("\n");
  const isWhole = rows.at(-1) === "";
  if (isWhole) rows.pop();
  const parsed = rows.map((row, i) => {
    try {
      return JSON.parse(row) as unknown;
    } catch {
      // only the last line can be cut off
      if (i === rows.length - 1 && !isWhole && i > 0) return undefined;
      throw refuse(i === 0 ? "it is no recording" : `line ${i + 1} is no JSON`);
    }
  });
  const [header, ...rest] = parsed;
  if (!isPlainObject(header) || typeof header.llmspell_recording !== "number")
    throw refuse("it is no recording");
  if (header.llmspell_recording !== TAPE_VERSION)
    throw refuse(
      `this llmspell reads recordings of version ${TAPE_VERSION}, it is of version ${header.llmspell_recording}`,
    );
  const lines: ReadTape["lines"] = [];
  for (const [i, line] of rest.entries()) {
    if (line === undefined) continue;
    if (!isLine(line)) throw refuse(`line ${i + 2} is no entry of a recording`);
    lines.push({ number: i + 2, line });
  }
  return { header: header as unknown as TapeHeader, lines, isCut: parsed.at(-1) === undefined };
}

function isLine(value: unknown): value is TapeLine {
  if (!isPlainObject(value) || typeof value.kind !== "string" || typeof value.lane !== "string") return false;
  if (value.kind === "callback") return true;
  if (value.kind === "begun") return typeof value.number === "number";
  if (READINGS.has(value.kind)) return typeof value.value === "number" || typeof value.value === "string";
  return CALLS.has(value.kind) && typeof value.name === "string";
}
