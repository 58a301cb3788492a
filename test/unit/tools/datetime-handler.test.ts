/** Expected values: GNU date (`date -u -d '2024-03-15 10:30' +%s` and its like), RFC 3339 and RFC 2822 examples. */
import { describe, expect, test } from "bun:test";
import { bench, failure } from "./support.ts";

const { tools } = bench();
const call = async (params: Record<string, unknown>) =>
  (await tools.execute("datetime-handler", params)).result as Record<string, never>;
const utc = async (input: string, more = {}) =>
  ((await call({ input, ...more })).parsed as unknown as { utc: string }).utc;

describe("datetime-handler", () => {
  test.each([
    ["1710498600", "2024-03-15T10:30:00Z"],
    ["-1", "1969-12-31T23:59:59Z"],
    ["2024-03-15T10:30:00Z", "2024-03-15T10:30:00Z"],
    ["1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520Z"],
    ["1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"],
    ["1990-12-31T23:59:60Z", "1990-12-31T23:59:59Z"],
    ["Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06Z"],
    ["Fri, 21 Nov 1997 09:55:06 EST", "1997-11-21T14:55:06Z"],
    ["2024-03-15", "2024-03-15T00:00:00Z"],
    ["2024-03-15 10:30", "2024-03-15T10:30:00Z"],
    ["2024/03/15 10:30:05", "2024-03-15T10:30:05Z"],
    ["01/02/2024", "2024-02-01T00:00:00Z"],
    ["03/15/2024", "2024-03-15T00:00:00Z"],
    ["15-03-2024", "2024-03-15T00:00:00Z"],
    ["15.03.2024 10:30:00", "2024-03-15T10:30:00Z"],
    ["March 15, 2024", "2024-03-15T00:00:00Z"],
    ["mar 15, 2024 10:30:00", "2024-03-15T10:30:00Z"],
    ["2024-03-15 10:30:00 +0200", "2024-03-15T08:30:00Z"],
  ])("reads %s", async (input, wanted) => {
    expect(await utc(input)).toBe(wanted);
  });

  test.each([
    "tomorrow",
    "2024-02-30",
    "2023-02-29T00:00:00Z",
    "32/01/2024",
    "",
    "99999999999999999999",
    "Mon, 21 Nov 1997 09:55:06 -0600",
  ])("refuses %p", async (input) => {
    expect((await failure(call({ input }))).message).toStartWith("Failed to parse date");
  });

  test("a format that is given is the only one tried", async () => {
    expect(await utc("03/04/2024", { format: "%m/%d/%Y" })).toBe("2024-03-04T00:00:00Z");
    const error = await failure(call({ input: "2024-03-04", format: "%m/%d/%Y" }));
    expect(error.message).toBe("Failed to parse date as %m/%d/%Y: 2024-03-04");
    expect((await failure(call({ input: "1", format: "%Q" }))).message).toBe(
      "Invalid format: unknown specifier '%Q'",
    );
  });

  test("parse tells the fields in the zone of the input", async () => {
    expect(await call({ input: "2024-03-15T23:30:00-05:00" })).toEqual({
      input: "2024-03-15T23:30:00-05:00",
      parsed: {
        utc: "2024-03-16T04:30:00Z",
        timestamp: 1710563400,
        year: 2024,
        month: 3,
        day: 15,
        hour: 23,
        minute: 30,
        second: 0,
        weekday: "Friday",
      },
      format_used: "%Y-%m-%dT%H:%M:%S%.f%:z",
    } as never);
  });

  test("now gives the time in the zone and as Unix seconds", async () => {
    const before = Math.floor(Date.now() / 1000);
    const { timezone, datetime, timestamp, format } = await call({
      operation: "now",
      timezone: "Asia/Tokyo",
      format: "%s %:z",
    });
    const after = Math.floor(Date.now() / 1000);
    expect([timezone, format, datetime]).toEqual(["Asia/Tokyo", "%s %:z", `${timestamp} +09:00`] as never[]);
    expect(timestamp! >= before && timestamp! <= after).toBe(true);
    expect((await call({ operation: "now" })).timezone).toBe("local" as never);
  });

  test("days keep the wall clock of a zone, hours do not", async () => {
    const params = {
      operation: "add",
      input: "2024-03-30 12:00",
      timezone: "Europe/Berlin",
      format: "%F %R %Z",
    };
    expect((await call({ ...params, amount: 1, unit: "day" })).result).toBe("2024-03-31 12:00 CEST" as never);
    expect((await call({ ...params, amount: 24, unit: "hrs" })).result).toBe(
      "2024-03-31 13:00 CEST" as never,
    );
  });

  test.each([
    [
      "2024-01-01",
      "2024-01-02 02:00",
      { total_seconds: 93600, days: 1, hours: 2, minutes: 0, human_readable: "1 day, 2 hours" },
    ],
    [
      "2024-01-02",
      "2024-01-01",
      { total_seconds: -86400, days: -1, hours: 0, minutes: 0, human_readable: "1 day ago" },
    ],
    [
      "2024-01-01",
      "2024-01-01 00:01:01",
      { total_seconds: 61, days: 0, hours: 0, minutes: 1, human_readable: "1 minute, 1 second" },
    ],
    [
      "2024-01-01",
      "2024-01-01",
      { total_seconds: 0, days: 0, hours: 0, minutes: 0, human_readable: "0 seconds" },
    ],
  ])("difference from %s to %s", async (start, end, difference) => {
    expect(await call({ operation: "difference", start, end })).toEqual({ start, end, difference } as never);
    expect((await tools.execute("datetime-handler", { operation: "difference", start, end })).primary).toBe(
      difference.human_readable,
    );
  });

  test("info counts days and ISO weeks", async () => {
    expect((await call({ operation: "info", input: "2024-12-30T15:00:00+02:00" })).info).toEqual({
      year: 2024,
      month: 12,
      day: 30,
      hour: 15,
      minute: 0,
      second: 0,
      weekday: "Monday",
      day_of_year: 365,
      week_of_year: 1,
      is_leap_year: true,
      days_in_month: 31,
      start_of_day: "2024-12-30T00:00:00+02:00",
      end_of_day: "2024-12-30T23:59:59+02:00",
    } as never);
  });

  test("formats names specifiers that work", async () => {
    const { available_formats, example_formats } = (await call({ operation: "formats" })) as unknown as {
      available_formats: string[];
      example_formats: Record<string, string>;
    };
    expect(available_formats).toHaveLength(22);
    for (const format of [...available_formats, ...Object.values(example_formats)])
      expect((await call({ operation: "now", format })).datetime).not.toContain("%");
  });

  test("wrong zones, units and missing parameters are refused", async () => {
    const zone = await failure(
      call({ operation: "convert_timezone", input: "0", target_timezone: "Europe/Berln" }),
    );
    expect([zone.message, zone.hint]).toEqual([
      "Invalid timezone: Europe/Berln",
      expect.stringContaining('"Europe/Berlin"'),
    ]);
    const add = { operation: "add", input: "2024-01-01", amount: 1 };
    expect((await failure(call({ ...add, unit: "fortnight" }))).message).toStartWith(
      "Invalid unit: 'fortnight'",
    );
    expect((await failure(call(add))).message).toBe("Missing required parameter 'unit'");
    expect((await failure(call({ ...add, amount: 1e15, unit: "weeks" }))).message).toStartWith(
      "Invalid amount",
    );
  });
});
