/** Calendar functions of the C library, in the real local time zone and the C locale. */

import { MONTHS, WEEKDAYS } from "../../core/calendar-names.ts";
import { nowMs } from "../../core/clock.ts";

const DAYS = [WEEKDAYS[6], ...WEEKDAYS.slice(0, 6)]; // from Sunday, as C counts
const EOVERFLOW = 61;
const DAY_MS = 86_400_000;

/** C's `struct tm`. */
interface BrokenDownTime {
  second: number;
  minute: number;
  hour: number;
  day: number;
  /** 0 is January. */
  month: number;
  year: number;
  weekday: number;
  /** 0 is the first of January. */
  yearday: number;
  daylight: number;
  /** Seconds east of Greenwich. */
  offset: number;
}

export function calendarImports(
  words: () => DataView,
  memory: () => Uint8Array,
  text: (pointer: number) => string,
  setErrno: (value: number) => void,
) {
  const write = (pointer: number, date: Date, utc: boolean) => {
    const t = brokenDown(date, utc);
    const fields = [
      t.second,
      t.minute,
      t.hour,
      t.day,
      t.month,
      t.year - 1900,
      t.weekday,
      t.yearday,
      t.daylight,
    ];
    for (const [i, field] of [...fields, t.offset].entries()) words().setInt32(pointer + i * 4, field, true);
  };
  const read = (pointer: number): BrokenDownTime => {
    const at = (i: number) => words().getInt32(pointer + i * 4, true);
    return {
      second: at(0),
      minute: at(1),
      hour: at(2),
      day: at(3),
      month: at(4),
      year: at(5) + 1900,
      weekday: at(6),
      yearday: at(7),
      daylight: at(8),
      offset: at(9),
    };
  };
  return {
    _gmtime_js: (seconds: bigint, result: number) => write(result, new Date(Number(seconds) * 1000), true),
    _localtime_js: (seconds: bigint, result: number) =>
      write(result, new Date(Number(seconds) * 1000), false),
    _mktime_js(pointer: number): bigint {
      const t = read(pointer);
      const date = new Date(t.year, t.month, t.day, t.hour, t.minute, t.second);
      if (t.year >= 0 && t.year < 100) date.setFullYear(t.year);
      if (t.daylight > 0 && !isDaylight(date)) date.setTime(date.getTime() - daylightShiftMs(date));
      else if (t.daylight === 0 && isDaylight(date)) date.setTime(date.getTime() + daylightShiftMs(date));
      if (Number.isNaN(date.getTime())) {
        setErrno(EOVERFLOW);
        return -1n;
      }
      write(pointer, date, false);
      return BigInt(date.getTime() / 1000);
    },
    _tzset_js(offset: number, daylight: number) {
      const [january, july] = yearOffsets(new Date(nowMs()).getFullYear());
      words().setInt32(offset, Math.max(january, july) * 60, true);
      words().setInt32(daylight, january === july ? 0 : 1, true);
    },
    strftime(target: number, size: number, format: number, pointer: number): number {
      const result = new TextEncoder().encode(formatTime(text(format), read(pointer)));
      if (result.length + 1 > size) return 0;
      memory().set(result, target);
      memory()[target + result.length] = 0;
      return result.length;
    },
  };
}

/** `getTimezoneOffset` in winter and summer. */
function yearOffsets(year: number): [number, number] {
  return [new Date(year, 0, 1).getTimezoneOffset(), new Date(year, 6, 1).getTimezoneOffset()];
}

function isDaylight(date: Date): boolean {
  const [january, july] = yearOffsets(date.getFullYear());
  return january !== july && date.getTimezoneOffset() === Math.min(january, july);
}

function daylightShiftMs(date: Date): number {
  const [january, july] = yearOffsets(date.getFullYear());
  return Math.abs(january - july) * 60_000;
}

function brokenDown(date: Date, utc: boolean): BrokenDownTime {
  const offsetMs = utc ? 0 : -date.getTimezoneOffset() * 60_000;
  const shown = new Date(date.getTime() + offsetMs);
  const year = shown.getUTCFullYear();
  const newYear = new Date(0);
  newYear.setUTCFullYear(year, 0, 1);
  return {
    second: shown.getUTCSeconds(),
    minute: shown.getUTCMinutes(),
    hour: shown.getUTCHours(),
    day: shown.getUTCDate(),
    month: shown.getUTCMonth(),
    year,
    weekday: shown.getUTCDay(),
    yearday: Math.floor((shown.getTime() - newYear.getTime()) / DAY_MS),
    daylight: !utc && isDaylight(date) ? 1 : 0,
    offset: offsetMs / 1000,
  };
}

/** The year and number of the ISO 8601 week. */
function isoWeek(t: BrokenDownTime): [number, number] {
  const thursday = new Date(0);
  thursday.setUTCFullYear(t.year, t.month, t.day + 3 - ((t.weekday + 6) % 7));
  const year = thursday.getUTCFullYear();
  const first = new Date(0);
  first.setUTCFullYear(year, 0, 1);
  return [year, Math.floor((thursday.getTime() - first.getTime()) / DAY_MS / 7) + 1];
}

const pad = (value: number, width: number, filler = "0"): string => String(value).padStart(width, filler);

function zoneName(t: BrokenDownTime): string {
  const date = new Date(t.year, t.month, t.day, t.hour, t.minute, t.second);
  if (-date.getTimezoneOffset() * 60 !== t.offset) return "GMT";
  const part = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" })
    .formatToParts(date)
    .find((p) => p.type === "timeZoneName");
  return part?.value ?? "GMT";
}

const CONVERSIONS: Record<string, (t: BrokenDownTime) => string> = {
  a: (t) => DAYS[t.weekday]?.slice(0, 3) ?? "?",
  A: (t) => DAYS[t.weekday] ?? "?",
  b: (t) => MONTHS[t.month]?.slice(0, 3) ?? "?",
  B: (t) => MONTHS[t.month] ?? "?",
  c: (t) => formatTime("%a %b %e %H:%M:%S %Y", t),
  C: (t) => pad(Math.floor(t.year / 100), 2),
  d: (t) => pad(t.day, 2),
  D: (t) => formatTime("%m/%d/%y", t),
  e: (t) => pad(t.day, 2, " "),
  F: (t) => formatTime("%Y-%m-%d", t),
  g: (t) => pad(isoWeek(t)[0] % 100, 2),
  G: (t) => String(isoWeek(t)[0]),
  h: (t) => MONTHS[t.month]?.slice(0, 3) ?? "?",
  H: (t) => pad(t.hour, 2),
  I: (t) => pad(t.hour % 12 || 12, 2),
  j: (t) => pad(t.yearday + 1, 3),
  m: (t) => pad(t.month + 1, 2),
  M: (t) => pad(t.minute, 2),
  n: () => "\n",
  p: (t) => (t.hour < 12 ? "AM" : "PM"),
  r: (t) => formatTime("%I:%M:%S %p", t),
  R: (t) => formatTime("%H:%M", t),
  s: (t) => String(Date.UTC(t.year, t.month, t.day, t.hour, t.minute, t.second) / 1000 - t.offset),
  S: (t) => pad(t.second, 2),
  t: () => "\t",
  T: (t) => formatTime("%H:%M:%S", t),
  u: (t) => String(t.weekday || 7),
  U: (t) => pad(Math.floor((t.yearday + 7 - t.weekday) / 7), 2),
  V: (t) => pad(isoWeek(t)[1], 2),
  w: (t) => String(t.weekday),
  W: (t) => pad(Math.floor((t.yearday + 7 - ((t.weekday + 6) % 7)) / 7), 2),
  x: (t) => formatTime("%m/%d/%y", t),
  X: (t) => formatTime("%H:%M:%S", t),
  y: (t) => pad(t.year % 100, 2),
  Y: (t) => String(t.year),
  z: (t) =>
    `${t.offset < 0 ? "-" : "+"}${pad(Math.floor(Math.abs(t.offset) / 3600), 2)}${pad((Math.abs(t.offset) / 60) % 60, 2)}`,
  Z: zoneName,
  "%": () => "%",
};

function formatTime(format: string, t: BrokenDownTime): string {
  return format.replace(/%[EO]?(.)/g, (whole, letter: string) => CONVERSIONS[letter]?.(t) ?? whole);
}
