import { SpellError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/nearest.ts";

type Unit = "seconds" | "minutes" | "hours" | "days" | "weeks";

const SPELLINGS: Readonly<Record<Unit, readonly string[]>> = {
  seconds: ["second", "seconds", "sec", "secs", "s"],
  minutes: ["minute", "minutes", "min", "mins", "m"],
  hours: ["hour", "hours", "hr", "hrs", "h"],
  days: ["day", "days", "d"],
  weeks: ["week", "weeks", "w"],
};

/** @throws SpellError invalid_argument */
export function unitOf(text: string): Unit {
  const wanted = text.toLowerCase();
  for (const unit of Object.keys(SPELLINGS) as Unit[]) {
    if (SPELLINGS[unit].includes(wanted)) return unit;
  }
  const all = Object.values(SPELLINGS).flat();
  const hint = didYouMean(text, all);
  throw new SpellError(
    "invalid_argument",
    `Invalid unit: '${text}'. Allowed values: second, minute, hour, day, week`,
    hint === undefined ? {} : { hint },
  );
}

/**
 * Hours and less are exact time; days and weeks keep the wall clock of the zone over a change of offset.
 * @throws SpellError invalid_argument: the result lies beyond the years -271821 to 275760
 */
export function shift(time: Temporal.ZonedDateTime, amount: number, unit: Unit): Temporal.ZonedDateTime {
  try {
    return time.add({ [unit]: amount });
  } catch (cause) {
    throw new SpellError(
      "invalid_argument",
      `Invalid amount: the result is out of range: ${amount} ${unit}`,
      { cause },
    );
  }
}

export interface Difference {
  total_seconds: number;
  days: number;
  hours: number;
  minutes: number;
  human_readable: string;
}

/** Days of 24 hours; every number is negative where the end lies before the start. */
export function difference(start: Temporal.ZonedDateTime, end: Temporal.ZonedDateTime): Difference {
  const total = Math.trunc((end.epochMilliseconds - start.epochMilliseconds) / 1000);
  // + 0: no number is -0
  const whole = (seconds: number) => Math.trunc(total / seconds);
  const parts = { days: whole(86_400) + 0, hours: (whole(3600) % 24) + 0, minutes: (whole(60) % 60) + 0 };
  return { total_seconds: total, ...parts, human_readable: humanReadable(total) };
}

function humanReadable(totalSeconds: number): string {
  const seconds = Math.abs(totalSeconds);
  const parts = (
    [
      ["day", Math.floor(seconds / 86_400)],
      ["hour", Math.floor(seconds / 3600) % 24],
      ["minute", Math.floor(seconds / 60) % 60],
      ["second", seconds % 60],
    ] as const
  ).flatMap(([unit, count]) => (count === 0 ? [] : [`${count} ${unit}${count === 1 ? "" : "s"}`]));
  if (parts.length === 0) return "0 seconds";
  return parts.join(", ") + (totalSeconds < 0 ? " ago" : "");
}
