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

/** Locales whose own users abbreviate a zone's name. */
const ABBREVIATING_LOCALES = ["en-US", "en-GB", "en-AU", "en-NZ", "en-IN", "en-ZA", "ja"];

/** Names of the tz database that no locale of ICU abbreviates so: standard time, and summer time where there is one. */
const TZ_NAMES: Readonly<Record<string, string>> = {
  "HST HDT": "America/Adak",
  MST: "America/Dawson America/Hermosillo America/Mazatlan America/Whitehorse",
  "CST CDT": "America/Havana",
  "NST NDT": "America/St_Johns",
  CST: "Asia/Macau Asia/Shanghai Asia/Taipei",
  HKT: "Asia/Hong_Kong",
  WIB: "Asia/Jakarta Asia/Pontianak",
  WITA: "Asia/Makassar",
  WIT: "Asia/Jayapura",
  "IST IDT": "Asia/Jerusalem",
  PKT: "Asia/Karachi",
  PST: "Asia/Manila",
  KST: "Asia/Pyongyang Asia/Seoul",
  "GMT IST": "Europe/Dublin",
  "GMT BST": "Europe/Guernsey Europe/Isle_of_Man Europe/Jersey",
  MSK: "Europe/Kirov Europe/Moscow Europe/Simferopol Europe/Volgograd",
  ChST: "Pacific/Guam Pacific/Saipan",
  SST: "Pacific/Midway Pacific/Pago_Pago",
};

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
  const known = tzName(time);
  if (known !== undefined) return known;
  if (!/^[+-]/.test(time.timeZoneId)) {
    for (const locale of ABBREVIATING_LOCALES) {
      const name = shortName(locale, time);
      if (/^[A-Z]{2,5}$/.test(name)) return name;
    }
  }
  return time.offset.replace(/:00$/, "").replaceAll(":", "");
}

function tzName(time: Temporal.ZonedDateTime): string | undefined {
  const names = Object.entries(TZ_NAMES).find(([, zones]) => zones.split(" ").includes(time.timeZoneId))?.[0];
  const [standard, summer = standard] = names?.split(" ") ?? [];
  const offsets = [1, 7].map((month) => time.with({ month, day: 1 }).offsetNanoseconds);
  return time.offsetNanoseconds === Math.min(...offsets) ? standard : summer;
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
