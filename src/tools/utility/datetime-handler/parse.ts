/** Dates in the notations people write, tried in a fixed order. */
import { SpellError } from "../../../core/errors.ts";
import { strptime } from "./strptime.ts";

const DATES = [
  "%Y-%m-%d",
  "%Y/%m/%d",
  "%d/%m/%Y",
  "%m/%d/%Y",
  "%d-%m-%Y",
  "%d.%m.%Y",
  "%B %d, %Y",
  "%b %d, %Y",
];
const TIMES = [" %H:%M:%S%.f", "T%H:%M:%S%.f", " %H:%M", "T%H:%M", ""];
const ZONES = ["", "%:z", " %:z", " %Z"];

const RFC_2822 = [
  "%a, %d %b %Y %H:%M:%S",
  "%d %b %Y %H:%M:%S",
  "%a, %d %b %Y %H:%M",
  "%d %b %Y %H:%M",
].flatMap((date) => [`${date} %z`, `${date} %Z`]);
const RFC_3339 = ["%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f%:z"];

let order: readonly string[] | undefined;

/** RFC 3339, RFC 2822, then each date of the list with each time and zone. */
function patterns(): readonly string[] {
  order ??= [
    ...RFC_3339,
    ...RFC_2822,
    ...DATES.flatMap((date) =>
      TIMES.flatMap((time) => (time === "" ? [""] : ZONES).map((zone) => date + time + zone)),
    ),
  ];
  return order;
}

export interface Parsed {
  time: Temporal.ZonedDateTime;
  /** The pattern that fitted: `%s` for a Unix time. */
  format: string;
}

const MAX_LENGTH = 200;

/**
 * @param format the only one tried, where it is given
 * @param zone of a text that names none
 * @throws SpellError invalid_argument
 */
export function parseTime(input: string, format: string | undefined, zone: string): Parsed {
  const text = input.trim();
  if (text.length > MAX_LENGTH) throw notADate(text);
  const tried = format !== undefined ? [format] : /^[+-]?[0-9]+$/.test(text) ? ["%s"] : patterns();
  for (const pattern of tried) {
    const time = strptime(text, pattern, zone);
    if (time !== undefined) return { time, format: pattern };
  }
  throw notADate(text, format);
}

function notADate(text: string, format?: string): SpellError {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  const rule = format === undefined ? "" : ` as ${format}`;
  return new SpellError("invalid_argument", `Failed to parse date${rule}: ${shown}`, {
    hint:
      format === undefined
        ? "Write for example 2024-03-15T10:30:00Z, or give the format"
        : "The operation `formats` lists the specifiers",
  });
}
