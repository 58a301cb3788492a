import { usageError } from "./usage.ts";

/** The value of an option that takes a whole number. @throws SpellError usage */
export function wholeNumber(
  flag: string,
  text: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const rule = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `between ${least} and ${most}`;
  throw usageError(`Cannot use ${flag}: it must be a whole number ${rule}: "${text}"`);
}
