/** Reads a text by a strftime pattern. */

import { MONTHS, WEEKDAYS } from "../../../core/calendar-names.ts";
import { directives } from "./directive.ts";
import { dateOf, type Fields } from "./fields.ts";
import { offsetId, zoneInText } from "./zones.ts";

/**
 * @param zone of a text that names none
 * @returns undefined where the text does not fit the pattern or is no real date
 * @throws SpellError invalid_argument: an unknown specifier
 */
export function strptime(text: string, pattern: string, zone = "UTC"): Temporal.ZonedDateTime | undefined {
  const reader = new Reader(text);
  for (const part of directives(pattern)) {
    const fits = typeof part === "string" ? reader.literal(part) : reader.read(part.code);
    if (!fits) return undefined;
  }
  return reader.atEnd() ? toTime(reader.fields, zone) : undefined;
}

class Reader {
  readonly fields: Fields = {};
  private at = 0;

  constructor(private readonly text: string) {}

  atEnd(): boolean {
    return this.at === this.text.length;
  }

  /** White space in a pattern fits any amount of it. */
  literal(part: string): boolean {
    for (const char of part) {
      if (char.trim() === "") this.match(/\s*/y);
      else if (this.text.startsWith(char, this.at)) this.at += char.length;
      else return false;
    }
    return true;
  }

  read(code: string): boolean {
    switch (code) {
      case "Y":
        return this.number("year", /[+-]?[0-9]{1,6}/y);
      case "C":
        return this.number("century", /[0-9]{1,2}/y);
      case "y":
        return this.number("yearOfCentury", /[0-9]{1,2}/y);
      case "q":
        return this.match(/[1-4]/y) !== undefined;
      case "m":
        return this.number("month", /\s*[0-9]{1,2}/y);
      case "b":
      case "h":
      case "B":
        return this.name("month", MONTHS);
      case "d":
      case "e":
        return this.number("day", /\s*[0-9]{1,2}/y);
      case "a":
      case "A":
        return this.name("weekday", WEEKDAYS);
      case "u":
        return this.number("weekday", /[1-7]/y);
      case "w": {
        const fits = this.number("weekday", /[0-6]/y);
        if (this.fields.weekday === 0) this.fields.weekday = 7;
        return fits;
      }
      case "U":
        return this.number("sundayWeek", /[0-9]{1,2}/y);
      case "W":
        return this.number("mondayWeek", /[0-9]{1,2}/y);
      case "G":
        return this.number("isoYear", /[+-]?[0-9]{1,6}/y);
      case "g":
        return this.number("isoYearOfCentury", /[0-9]{1,2}/y);
      case "V":
        return this.number("isoWeek", /[0-9]{1,2}/y);
      case "j":
        return this.number("dayOfYear", /[0-9]{1,3}/y);
      case "H":
      case "k":
        return this.number("hour", /\s*[0-9]{1,2}/y);
      case "I":
      case "l":
        return this.number("hour12", /\s*[0-9]{1,2}/y);
      case "p":
      case "P": {
        const half = this.match(/[AaPp][Mm]/y);
        if (half !== undefined) this.fields.isAfternoon = half.toLowerCase() === "pm";
        return half !== undefined;
      }
      case "M":
        return this.number("minute", /\s*[0-9]{1,2}/y);
      case "S":
        return this.number("second", /\s*[0-9]{1,2}/y);
      case "f":
        return this.number("nanosecond", /[0-9]{1,9}/y);
      case "3f":
        return this.fraction(/[0-9]{3}/y);
      case "6f":
        return this.fraction(/[0-9]{6}/y);
      case "9f":
        return this.fraction(/[0-9]{9}/y);
      case ".f":
      case ".3f":
      case ".6f":
      case ".9f":
        return !this.text.startsWith(".", this.at) || (this.literal(".") && this.fraction(/[0-9]+/y));
      case "z":
      case ":z":
      case "::z":
      case ":::z":
        return this.offset();
      case "Z": {
        const name = this.match(/[^\s]+/y);
        this.fields.zone = name === undefined ? undefined : zoneInText(name);
        return this.fields.zone !== undefined;
      }
      case "s":
        return this.number("epochSeconds", /[+-]?[0-9]{1,15}/y);
      case "%":
        return this.literal("%");
      default:
        return this.literal(" ");
    }
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private number(field: NumberField, pattern: RegExp): boolean {
    const digits = this.match(pattern);
    if (digits !== undefined) this.fields[field] = Number(digits);
    return digits !== undefined;
  }

  private name(field: "month" | "weekday", names: readonly string[]): boolean {
    const word = this.match(/[A-Za-z]+/y)?.toLowerCase();
    const index = names.findIndex(
      (name) => word === name.toLowerCase() || word === name.slice(0, 3).toLowerCase(),
    );
    this.fields[field] = index + 1;
    return index >= 0;
  }

  private fraction(pattern: RegExp): boolean {
    const digits = this.match(pattern);
    if (digits !== undefined) this.fields.nanosecond = Number(digits.slice(0, 9).padEnd(9, "0"));
    return digits !== undefined;
  }

  private offset(): boolean {
    const written = this.match(/[Zz]|[+-][0-9]{2}(?::?[0-9]{2}(?::?00)?)?/y);
    if (written === undefined) return false;
    const [hours = "0", minutes = "0"] =
      written
        .slice(1)
        .replaceAll(":", "")
        .match(/[0-9]{2}/g) ?? [];
    const total = Number(hours) * 60 + Number(minutes);
    if (total >= 24 * 60 || Number(minutes) > 59) return false;
    this.fields.zone = offsetId(written.startsWith("-") ? -total : total);
    return true;
  }
}

type NumberField = { [K in keyof Fields]-?: NonNullable<Fields[K]> extends number ? K : never }[keyof Fields];

/** Without time it is midnight. */
function toTime(fields: Fields, defaultZone: string): Temporal.ZonedDateTime | undefined {
  const zone = fields.zone ?? defaultZone;
  try {
    if (fields.epochSeconds !== undefined) {
      return Temporal.Instant.fromEpochMilliseconds(fields.epochSeconds * 1000).toZonedDateTimeISO(zone);
    }
    const date = dateOf(fields);
    if (date === undefined) return undefined;
    const { minute = 0, second = 0, nanosecond = 0 } = fields;
    const hour = hourOf(fields);
    if (hour === undefined || second > 60) return undefined;
    const time = Temporal.PlainTime.from(
      {
        hour,
        minute,
        second: Math.min(second, 59), // a leap second
        millisecond: Math.floor(nanosecond / 1_000_000),
        microsecond: Math.floor(nanosecond / 1000) % 1000,
        nanosecond: nanosecond % 1000,
      },
      { overflow: "reject" },
    );
    return date.toZonedDateTime({ timeZone: zone, plainTime: time });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function hourOf({ hour, hour12, isAfternoon }: Fields): number | undefined {
  if (hour12 === undefined) return hour ?? 0;
  if (hour12 < 1 || hour12 > 12) return undefined;
  return isAfternoon === undefined ? (hour ?? hour12 % 12) : (hour12 % 12) + (isAfternoon ? 12 : 0);
}
