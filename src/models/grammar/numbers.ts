/** GBNF for numbers within bounds. At most 15 digits each, so that no two of them are the same double. */
import { Unmeetable } from "./refusal.ts";
import { literal, oneOf } from "./rules.ts";

export interface Bounds {
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
}

const DIGITS = 15;
const MAX_DECIMALS = 6;
const MAX_MULTIPLES = 500;

export const INTEGER = `"-"? ("0" | [1-9] [0-9]{0,${DIGITS - 1}})`;
export const NUMBER = `"-"? ("0" | [1-9] [0-9]{0,${DIGITS - 1}}) ("." [0-9]{1,${DIGITS}})? ([eE] [-+]? [0-9]{1,2})?`;

/** @throws Unmeetable when no integer of 15 digits lies within the bounds */
export function integers(bounds: Bounds, path: string): string {
  const { least, most } = scaled(bounds, 0);
  if (least > most) throw new Unmeetable(path);
  return oneOf(signed(least, most, 0));
}

/** The multiples of a whole number within bounds; undefined where there are too many to list. */
export function multiples(bounds: Bounds, factor: bigint, path: string): string | undefined {
  const { least, most } = scaled(bounds, 0);
  const first = ceilDiv(least, factor);
  const last = -ceilDiv(-most, factor);
  if (first > last) throw new Unmeetable(path);
  if (last - first >= MAX_MULTIPLES) return undefined;
  const values = Array.from({ length: Number(last - first) + 1 }, (_, i) => (first + BigInt(i)) * factor);
  return oneOf(values.map((value) => literal(String(value))));
}

/**
 * Numbers with as many decimals as 15 digits leave room for, six at most: those with n decimals are the integers
 * within the bounds times 10ⁿ, with a point put in.
 * @throws Unmeetable
 */
export function numbers(bounds: Bounds, path: string): string {
  const limits = Object.values(bounds) as number[];
  const whole = Math.max(
    1,
    ...limits.map((limit) => decimal(limit).digits.toString().length - decimal(limit).decimals),
  );
  const alternatives: string[] = [];
  for (let decimals = 0; decimals <= Math.min(MAX_DECIMALS, DIGITS - whole); decimals++) {
    const { least, most } = scaled(bounds, decimals);
    if (least <= most) alternatives.push(...signed(least, most, decimals));
  }
  if (alternatives.length === 0) throw new Unmeetable(path);
  return oneOf(alternatives);
}

/** The least and greatest integer n with n / 10^decimals within the bounds, of 15 digits at most. */
function scaled(bounds: Bounds, decimals: number): { least: bigint; most: bigint } {
  const greatest = 10n ** BigInt(DIGITS) - 1n;
  let least = -greatest;
  let most = greatest;
  const raise = (n: bigint) => {
    if (n > least) least = n;
  };
  const lower = (n: bigint) => {
    if (n < most) most = n;
  };
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = bounds;
  if (minimum !== undefined) raise(times(minimum, decimals, "up"));
  if (exclusiveMinimum !== undefined) raise(times(exclusiveMinimum, decimals, "down") + 1n);
  if (maximum !== undefined) lower(times(maximum, decimals, "down"));
  if (exclusiveMaximum !== undefined) lower(times(exclusiveMaximum, decimals, "up") - 1n);
  return { least, most };
}

function times(value: number, decimals: number, round: "up" | "down"): bigint {
  const { sign, digits, decimals: own } = decimal(value);
  const shift = decimals - own;
  const exact = sign * digits;
  if (shift >= 0) return exact * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return round === "up" ? ceilDiv(exact, divisor) : -ceilDiv(-exact, divisor);
}

function ceilDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b > 0n ? quotient + 1n : quotient;
}

/** A double as the shortest decimal that names it: `sign * digits / 10^decimals`. */
function decimal(value: number): { sign: bigint; digits: bigint; decimals: number } {
  const [mantissa = "0", exponent = "0"] = Math.abs(value).toString().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const decimals = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  const sign = value < 0 ? -1n : 1n;
  return decimals >= 0
    ? { sign, digits, decimals }
    : { sign, digits: digits * 10n ** BigInt(-decimals), decimals: 0 };
}

function signed(least: bigint, most: bigint, decimals: number): string[] {
  const alternatives: string[] = [];
  if (least < 0n) {
    const negative = unsigned(most < 0n ? -most : 1n, -least, decimals);
    if (negative.length > 0) alternatives.push(`"-" ${oneOf(negative)}`);
  }
  if (most >= 0n) alternatives.push(...unsigned(least > 0n ? least : 0n, most, decimals));
  return alternatives;
}

/** Digits of the integers from `least` to `most`, the last `decimals` of them behind a point. */
function unsigned(least: bigint, most: bigint, decimals: number): string[] {
  const alternatives: string[] = [];
  for (let length = decimals + 1; length <= DIGITS + 1; length++) {
    const shortest = length === decimals + 1 ? 0n : 10n ** BigInt(length - 1);
    const longest = 10n ** BigInt(length) - 1n;
    const from = least > shortest ? least : shortest;
    const to = most < longest ? most : longest;
    if (from > to) continue;
    alternatives.push(
      between(String(from).padStart(length, "0"), String(to).padStart(length, "0"), decimals),
    );
  }
  return alternatives;
}

/** Digit strings of one length from `from` to `to`. */
function between(from: string, to: string, decimals: number): string {
  const point = from.length === decimals && decimals > 0 ? '"." ' : "";
  if (from === "") return '""';
  if (/^0+$/.test(from) && /^9+$/.test(to)) return point + anyDigits(from.length, decimals);
  const [a, restFrom] = [Number(from[0]), from.slice(1)];
  const [b, restTo] = [Number(to[0]), to.slice(1)];
  const tail = (low: string, high: string) => (low === "" ? "" : ` ${between(low, high, decimals)}`);
  if (a === b) return `${point}"${a}"${tail(restFrom, restTo)}`;
  const zeros = restFrom.replace(/./g, "0");
  const nines = restFrom.replace(/./g, "9");
  const first = restFrom === zeros ? a : a + 1;
  const last = restTo === nines ? b : b - 1;
  const alternatives: string[] = [];
  if (first > a) alternatives.push(`"${a}"${tail(restFrom, nines)}`);
  if (first <= last) alternatives.push(`[${first}-${last}]${tail(zeros, nines)}`);
  if (last < b) alternatives.push(`"${b}"${tail(zeros, restTo)}`);
  return point + oneOf(alternatives);
}

function anyDigits(count: number, decimals: number): string {
  const ahead = count - decimals;
  if (decimals === 0 || ahead <= 0) return `[0-9]{${count}}`;
  return `[0-9]{${ahead}} "." [0-9]{${decimals}}`;
}
