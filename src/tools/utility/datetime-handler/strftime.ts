import { MONTHS, WEEKDAYS } from "../../../core/calendar-names.ts";
import { type Directive, directives } from "./directive.ts";
import { abbreviation } from "./zones.ts";

/** @throws SpellError invalid_argument: an unknown specifier */
export function strftime(time: Temporal.ZonedDateTime, pattern: string): string {
  return directives(pattern)
    .map((part) => (typeof part === "string" ? part : written(time, part)))
    .join("");
}

function written(t: Temporal.ZonedDateTime, { code, pad }: Directive): string {
  const number = (value: number, width: number, fill = "0"): string => {
    const chosen = pad === "_" ? " " : pad === "0" ? "0" : fill;
    if (pad === "-") return String(value);
    const digits = String(Math.abs(value)).padStart(width - (value < 0 ? 1 : 0), chosen);
    return value < 0 ? `-${digits}` : digits;
  };
  const nanos = t.millisecond * 1_000_000 + t.microsecond * 1000 + t.nanosecond;
  const fraction = (digits: number) => String(nanos).padStart(9, "0").slice(0, digits);
  const hour12 = t.hour % 12 || 12;
  switch (code) {
    case "Y":
      return t.year > 9999 ? `+${t.year}` : number(t.year, t.year < 0 ? 5 : 4);
    case "C":
      return number(Math.floor(t.year / 100), 2);
    case "y":
      return number(modulo(t.year, 100), 2);
    case "q":
      return String(Math.ceil(t.month / 3));
    case "m":
      return number(t.month, 2);
    case "b":
    case "h":
      return MONTHS[t.month - 1]!.slice(0, 3);
    case "B":
      return MONTHS[t.month - 1]!;
    case "d":
      return number(t.day, 2);
    case "e":
      return number(t.day, 2, " ");
    case "a":
      return WEEKDAYS[t.dayOfWeek - 1]!.slice(0, 3);
    case "A":
      return WEEKDAYS[t.dayOfWeek - 1]!;
    case "w":
      return String(t.dayOfWeek % 7);
    case "u":
      return String(t.dayOfWeek);
    case "U":
      return number(Math.floor((t.dayOfYear + 6 - (t.dayOfWeek % 7)) / 7), 2);
    case "W":
      return number(Math.floor((t.dayOfYear + 6 - (t.dayOfWeek - 1)) / 7), 2);
    case "G":
      return number(t.yearOfWeek!, 4);
    case "g":
      return number(modulo(t.yearOfWeek!, 100), 2);
    case "V":
      return number(t.weekOfYear!, 2);
    case "j":
      return number(t.dayOfYear, 3);
    case "H":
      return number(t.hour, 2);
    case "k":
      return number(t.hour, 2, " ");
    case "I":
      return number(hour12, 2);
    case "l":
      return number(hour12, 2, " ");
    case "P":
      return t.hour < 12 ? "am" : "pm";
    case "p":
      return t.hour < 12 ? "AM" : "PM";
    case "M":
      return number(t.minute, 2);
    case "S":
      return number(t.second, 2);
    case "f":
    case "9f":
      return fraction(9);
    case "3f":
      return fraction(3);
    case "6f":
      return fraction(6);
    case ".f": {
      const digits = nanos === 0 ? 0 : nanos % 1_000_000 === 0 ? 3 : nanos % 1000 === 0 ? 6 : 9;
      return digits === 0 ? "" : `.${fraction(digits)}`;
    }
    case ".3f":
    case ".6f":
    case ".9f":
      return `.${fraction(Number(code[1]))}`;
    case "Z":
      return abbreviation(t);
    case "z":
      return t.offset.slice(0, 6).replace(":", "");
    case ":z":
      return t.offset.slice(0, 6);
    case "::z":
      return `${t.offset}:00`.slice(0, 9);
    case ":::z":
      return t.offset.slice(0, 3);
    case "s":
      return String(Math.floor(t.epochMilliseconds / 1000));
    case "n":
      return "\n";
    case "t":
      return "\t";
    default:
      return "%";
  }
}

const modulo = (value: number, by: number): number => ((value % by) + by) % by;
