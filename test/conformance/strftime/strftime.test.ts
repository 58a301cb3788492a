import { describe, expect, test } from "bun:test";
import type { ToolContext } from "../../../src/tools/tool.ts";
import { strftime } from "../../../src/tools/utility/datetime-handler/strftime.ts";
import { strptime } from "../../../src/tools/utility/datetime-handler/strptime.ts";
import { tool } from "../../../src/tools/utility/datetime-handler.ts";
import expected from "./expected.json" with { type: "json" };

const ISO = "%Y-%m-%dT%H:%M:%S%:z";
const inZone = (seconds: number, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(seconds * 1000).toZonedDateTimeISO(zone);

async function result(params: Record<string, unknown>): Promise<Record<string, unknown>> {
  const outcome = await tool.execute(params, {} as ToolContext); // it uses no capabilities
  return outcome.result as Record<string, unknown>;
}

describe("datetime-handler against GNU date and Python", () => {
  test("every specifier, at year ends and changes of offset, in eleven zones", () => {
    for (const { timestamp, zone, expected: wanted } of expected.formatted) {
      const time = inZone(timestamp, zone);
      const got = Object.fromEntries(Object.keys(wanted).map((code) => [code, strftime(time, `%${code}`)]));
      expect([zone, timestamp, got]).toEqual([zone, timestamp, wanted as Record<string, string>]);
    }
  });

  test("conversions between zones", async () => {
    for (const { input, zone, expected: wanted } of expected.conversions) {
      const { converted } = await result({
        operation: "convert_timezone",
        input,
        target_timezone: zone,
        format: ISO,
      });
      expect([input, zone, converted]).toEqual([input, zone, wanted]);
    }
  });

  test("additions across changes of offset", async () => {
    for (const { input, zone, amount, unit, expected: wanted } of expected.additions) {
      const params = { input, timezone: zone, amount, unit, format: ISO };
      expect([params, (await result({ operation: "add", ...params })).result]).toEqual([params, wanted]);
      const back = { ...params, amount: -amount };
      expect((await result({ operation: "subtract", ...back })).result).toBe(wanted);
    }
  });

  test.each(expected.parsed)("reads $text as $format", ({ text, format, expected: wanted }) => {
    const time = strptime(text, format);
    expect(time === undefined ? null : time.epochMilliseconds / 1000).toBe(wanted);
  });

  test.each(Object.entries(expected.names))("names of %s in winter and summer", (zone, names) => {
    const shown = [1, 7].map((month) =>
      strftime(Temporal.ZonedDateTime.from({ year: 2024, month, day: 1, timeZone: zone }), "%Z"),
    );
    expect(shown).toEqual(names);
  });
});
