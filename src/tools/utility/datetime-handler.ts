import { Type } from "typebox";
import { WEEKDAYS } from "../../core/calendar-names.ts";
import { nowMs } from "../../core/clock.ts";
import { missingParameter } from "../parameters.ts";
import { defineTool, type ToolOutcome } from "../tool.ts";
import { difference, shift, unitOf } from "./datetime-handler/arithmetic.ts";
import { type Parsed, parseTime } from "./datetime-handler/parse.ts";
import { strftime } from "./datetime-handler/strftime.ts";
import { zoneId } from "./datetime-handler/zones.ts";

const RFC_3339 = "%Y-%m-%dT%H:%M:%S%.f%:z";
const UTC = "%Y-%m-%dT%H:%M:%S%.fZ";
const SHOWN = "%Y-%m-%d %H:%M:%S %Z";

const EXAMPLE_FORMATS = {
  iso_8601: "%Y-%m-%dT%H:%M:%S%:z",
  rfc_2822: "%a, %d %b %Y %H:%M:%S %z",
  date: "%Y-%m-%d",
  time: "%H:%M:%S",
  european: "%d.%m.%Y",
  american: "%m/%d/%Y",
  long: "%A, %B %d, %Y",
  iso_week: "%G-W%V-%u",
};

const AVAILABLE_FORMATS = [
  "%Y",
  "%y",
  "%m",
  "%B",
  "%b",
  "%d",
  "%e",
  "%A",
  "%a",
  "%j",
  "%V",
  "%G",
  "%H",
  "%I",
  "%p",
  "%M",
  "%S",
  "%.f",
  "%z",
  "%:z",
  "%Z",
  "%s",
];

const parameters = Type.Object({
  operation: Type.Optional(
    Type.Enum(["now", "parse", "convert_timezone", "add", "subtract", "difference", "info", "formats"], {
      description: "What to do (parse)",
      default: "parse",
    }),
  ),
  input: Type.Optional(Type.String({ description: "A date and time, for example 2024-03-15T10:30:00Z" })),
  format: Type.Optional(
    Type.String({ description: "strftime format: of the input for parse, else of the result" }),
  ),
  timezone: Type.Optional(
    Type.String({ description: "IANA time zone: for now (local), else of an input that names none (UTC)" }),
  ),
  target_timezone: Type.Optional(Type.String({ description: "IANA time zone for convert_timezone" })),
  amount: Type.Optional(Type.Integer({ description: "How many units to add or subtract" })),
  unit: Type.Optional(Type.String({ description: "second, minute, hour, day or week" })),
  start: Type.Optional(Type.String({ description: "For difference: first date" })),
  end: Type.Optional(Type.String({ description: "For difference: second date" })),
});

export const tool = defineTool({
  name: "datetime-handler",
  aliases: ["datetime_handler"],
  description:
    "Tells the current date and time. Also parses, converts between time zones, adds, subtracts and compares dates.",
  category: "utility",
  level: "safe",
  version: "1.0.0",
  parameters,
  resultDoc: `- **now**: \`{timezone, datetime, timestamp, format}\`; the time zone is \`local\` when none is given
- **parse**: \`{input, parsed{utc, timestamp, year, month, day, hour, minute, second, weekday}, format_used}\`; fields in the zone
  of the input
- **convert_timezone**: \`{input, target_timezone, original, converted}\`
- **add**, **subtract**: \`{input, amount, unit, original, result}\`; days and weeks keep the wall clock of \`timezone\`
- **difference**: \`{start, end, difference{total_seconds, days, hours, minutes, human_readable}}\`
- **info**: \`{input, info{year, month, day, hour, minute, second, weekday, day_of_year, week_of_year, is_leap_year,
  days_in_month, start_of_day, end_of_day}}\`; the week is that of ISO 8601
- **formats**: \`{available_formats[], example_formats{}}\`

Inputs are tried as Unix seconds, RFC 3339, RFC 2822, then \`Y-m-d\`, \`Y/m/d\`, \`d/m/Y\`, \`m/d/Y\`, \`d-m-Y\`, \`d.m.Y\`,
\`March 15, 2024\`, \`Mar 15, 2024\`, each with or without a time. Without a zone they are UTC. Formats are those of strftime with
chrono's additions: \`%.f\`, \`%3f\`, \`%:z\`.`,
  style: "envelope",
  needs: [],
  isPure: ({ operation }) => operation !== undefined && operation !== "now",
  timeoutMs: 5000,
  primary: ({ result }) => {
    const { datetime, converted, result: sum, difference: span } = (result ?? {}) as Record<string, unknown>;
    return datetime ?? converted ?? sum ?? (span as { human_readable?: string } | undefined)?.human_readable;
  },
  examples: [
    { title: "Now", params: { operation: "now", timezone: "UTC" }, result: { timezone: "UTC" } },
    {
      title: "Parse",
      params: { operation: "parse", input: "2024-03-15 10:30:00" },
      result: { parsed: { utc: "2024-03-15T10:30:00Z", timestamp: 1710498600, weekday: "Friday" } },
    },
    {
      title: "Convert",
      params: {
        operation: "convert_timezone",
        input: "2024-07-01T12:00:00Z",
        target_timezone: "America/New_York",
      },
      result: { converted: "2024-07-01 08:00:00 EDT" },
    },
    {
      title: "Add",
      params: { operation: "add", input: "2024-02-28", amount: 2, unit: "days", format: "%Y-%m-%d" },
      result: { result: "2024-03-01" },
    },
    {
      title: "Difference",
      params: { operation: "difference", start: "2024-01-01", end: "2024-01-02 02:00" },
      result: { difference: { total_seconds: 93600, human_readable: "1 day, 2 hours" } },
    },
  ],
  execute(params): ToolOutcome {
    const { operation = "parse", format, timezone } = params;
    const zone = timezone === undefined ? "UTC" : zoneId(timezone);
    const read = (name: "input" | "start" | "end", inputFormat?: string): Parsed => {
      const text = params[name];
      if (text === undefined) throw missingParameter(name);
      return parseTime(text, inputFormat, zone);
    };
    switch (operation) {
      case "now": {
        const time = Temporal.Instant.fromEpochMilliseconds(nowMs()).toZonedDateTimeISO(
          zoneId(timezone ?? "local"),
        );
        const shownFormat = format ?? SHOWN;
        const timestamp = Math.floor(time.epochMilliseconds / 1000);
        const datetime = strftime(time, shownFormat);
        return {
          operation,
          result: { timezone: timezone ?? "local", datetime, timestamp, format: shownFormat },
        };
      }
      case "parse": {
        const { time, format: format_used } = read("input", format);
        return { operation, result: { input: params.input, parsed: parsedFields(time), format_used } };
      }
      case "convert_timezone": {
        if (params.target_timezone === undefined) throw missingParameter("target_timezone");
        const target = zoneId(params.target_timezone);
        const { time } = read("input");
        const shown = (t: Temporal.ZonedDateTime) => strftime(t, format ?? SHOWN);
        return {
          operation,
          result: {
            input: params.input,
            target_timezone: params.target_timezone,
            original: shown(time),
            converted: shown(time.withTimeZone(target)),
          },
        };
      }
      case "add":
      case "subtract": {
        const { input, amount, unit } = params;
        const { time } = read("input");
        if (amount === undefined) throw missingParameter("amount", "integer");
        if (unit === undefined) throw missingParameter("unit");
        const moved = shift(time, operation === "add" ? Number(amount) : -Number(amount), unitOf(unit));
        const [original, result] = [time, moved].map((t) => strftime(t, format ?? SHOWN));
        return { operation, result: { input, amount, unit, original, result } };
      }
      case "difference": {
        const span = difference(read("start").time, read("end").time);
        return { operation, result: { start: params.start, end: params.end, difference: span } };
      }
      case "info":
        return { operation, result: { input: params.input, info: info(read("input").time) } };
      case "formats":
        return {
          operation,
          result: { available_formats: AVAILABLE_FORMATS, example_formats: EXAMPLE_FORMATS },
        };
    }
  },
});

function clockFields(t: Temporal.ZonedDateTime) {
  const { year, month, day, hour, minute, second, dayOfWeek } = t;
  return { year, month, day, hour, minute, second, weekday: WEEKDAYS[dayOfWeek - 1]! };
}

function parsedFields(time: Temporal.ZonedDateTime) {
  return {
    utc: strftime(time.withTimeZone("UTC"), UTC),
    timestamp: Math.floor(time.epochMilliseconds / 1000),
    ...clockFields(time),
  };
}

function info(time: Temporal.ZonedDateTime) {
  const start = time.startOfDay();
  const end = start.add({ days: 1 }).startOfDay().subtract({ seconds: 1 });
  return {
    ...clockFields(time),
    day_of_year: time.dayOfYear,
    week_of_year: time.weekOfYear,
    is_leap_year: time.inLeapYear,
    days_in_month: time.daysInMonth,
    start_of_day: strftime(start, RFC_3339),
    end_of_day: strftime(end, RFC_3339),
  };
}
