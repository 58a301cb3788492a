import { SpellError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/nearest.ts";

/** Names of RFC 2822 section 4.3, in minutes east of UTC. */
const NAMED_OFFSETS: Readonly<Record<string, number>> = {
  UTC: 0,
  UT: 0,
  GMT: 0,
  Z: 0,
  EST: -300,
  EDT: -240,
  CST: -360,
  CDT: -300,
  MST: -420,
  MDT: -360,
  PST: -480,
  PDT: -420,
};

/**
 * Locales whose own users abbreviate a zone's name; a zone that none of them abbreviates shows its offset, as in the
 * tz database.
 */
const ABBREVIATING_LOCALES = ["en-US", "en-GB", "en-AU", "en-NZ", "en-IN", "en-ZA", "ja", "ko", "zh-Hant-HK"];

/** @param name IANA name, `UTC`, `local`, or an offset such as +02:00; case does not matter */
export function zoneId(name: string): string {
  if (name.toLowerCase() === "local") return Temporal.Now.timeZoneId();
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId;
  } catch (cause) {
    const hint = didYouMean(name, Intl.supportedValuesOf("timeZone"));
    throw new SpellError("invalid_argument", `Invalid timezone: ${name}`, {
      hint: hint ?? "Use an IANA name such as Europe/Berlin, UTC or an offset such as +02:00",
      cause,
    });
  }
}

/** The zone that a text names in a date; undefined for an unknown one. */
export function zoneInText(name: string): string | undefined {
  const upper = name.toUpperCase();
  if (Object.hasOwn(NAMED_OFFSETS, upper)) return offsetId(NAMED_OFFSETS[upper]!);
  if (!name.includes("/")) return undefined;
  return Intl.supportedValuesOf("timeZone").find((zone) => zone.toUpperCase() === upper);
}

export function offsetId(minutes: number): string {
  if (minutes === 0) return "UTC";
  const absolute = Math.abs(minutes);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(absolute / 60))}:${two(absolute % 60)}`;
}

/** `CET`, `UTC`, or `+0530` and `-03` where there is no name. */
export function abbreviation(time: Temporal.ZonedDateTime): string {
  if (time.timeZoneId === "UTC") return "UTC";
  if (!/^[+-]/.test(time.timeZoneId)) {
    for (const locale of ABBREVIATING_LOCALES) {
      const name = shortName(locale, time);
      if (/^[A-Z]{2,5}$/.test(name)) return name;
    }
  }
  return time.offset.replace(/:00$/, "").replaceAll(":", "");
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function shortName(locale: string, time: Temporal.ZonedDateTime): string {
  const key = `${locale} ${time.timeZoneId}`;
  let formatter = formatters.get(key);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat(locale, { timeZone: time.timeZoneId, timeZoneName: "short" });
    formatters.set(key, formatter);
  }
  const parts = formatter.formatToParts(time.epochMilliseconds);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}
