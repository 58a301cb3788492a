/** What the calculator knows by name. Angles are in radians. */
export interface MathFunction {
  readonly minArgs: number;
  readonly maxArgs: number;
  readonly apply: (args: readonly number[]) => number;
}

const of1 = (f: (x: number) => number): MathFunction => ({ minArgs: 1, maxArgs: 1, apply: ([x]) => f(x!) });
const constant = (value: number): MathFunction => ({ minArgs: 0, maxArgs: 0, apply: () => value });

/** Halves go away from zero. */
const roundHalfAway = (x: number): number => Math.sign(x) * Math.round(Math.abs(x));

export const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ["pi", Math.PI],
  ["e", Math.E],
]);

export const FUNCTIONS: ReadonlyMap<string, MathFunction> = new Map([
  ["sin", of1(Math.sin)],
  ["cos", of1(Math.cos)],
  ["tan", of1(Math.tan)],
  ["asin", of1(Math.asin)],
  ["acos", of1(Math.acos)],
  ["atan", of1(Math.atan)],
  ["sinh", of1(Math.sinh)],
  ["cosh", of1(Math.cosh)],
  ["tanh", of1(Math.tanh)],
  ["asinh", of1(Math.asinh)],
  ["acosh", of1(Math.acosh)],
  ["atanh", of1(Math.atanh)],
  ["sqrt", of1(Math.sqrt)],
  ["exp", of1(Math.exp)],
  ["ln", of1(Math.log)],
  ["log", { minArgs: 1, maxArgs: 2, apply: logarithm }],
  ["abs", of1(Math.abs)],
  ["sign", of1(Math.sign)],
  ["int", of1(Math.trunc)],
  ["ceil", of1(Math.ceil)],
  ["floor", of1(Math.floor)],
  ["round", { minArgs: 1, maxArgs: 2, apply: round }],
  ["min", { minArgs: 1, maxArgs: Infinity, apply: (args) => args.reduce((a, b) => Math.min(a, b)) }],
  ["max", { minArgs: 1, maxArgs: Infinity, apply: (args) => args.reduce((a, b) => Math.max(a, b)) }],
  ["pi", constant(Math.PI)],
  ["e", constant(Math.E)],
]);

/** log(x) to base 10, or log(base, x); exact for the bases that have a function of their own. */
function logarithm(args: readonly number[]): number {
  const [base, x] = args.length === 1 ? [10, args[0]!] : [args[0]!, args[1]!];
  if (base === 10) return Math.log10(x);
  if (base === 2) return Math.log2(x);
  return Math.log(x) / Math.log(base);
}

/** round(x) to a whole number, or round(step, x) to the nearest multiple of `step`. */
function round(args: readonly number[]): number {
  if (args.length === 1) return roundHalfAway(args[0]!);
  const [step, x] = [args[0]!, args[1]!];
  return roundHalfAway(x / step) * step;
}

/** The answer of the operation `functions`. */
export const REFERENCE = {
  arithmetic: ["+", "-", "*", "/", "%", "^"],
  comparison: ["==", "!=", "<", ">", "<=", ">="],
  logical: ["&&", "||", "!"],
  trigonometric: ["sin", "cos", "tan", "asin", "acos", "atan"],
  hyperbolic: ["sinh", "cosh", "tanh", "asinh", "acosh", "atanh"],
  mathematical: ["sqrt", "exp", "ln", "log", "abs", "sign"],
  rounding: ["int", "ceil", "floor", "round"],
  constants: ["pi", "e"],
  utility: ["min", "max"],
  examples: {
    arithmetic: "2 + 3 * 4",
    power: "2 ^ 10",
    trigonometry: "sin(pi / 2)",
    logarithm: "log(2, 1024)",
    comparison: "3 * 3 >= 9",
    variables: "x ^ 2 + y",
  },
  note: "Angles are in radians. log(x) is to base 10, log(base, x) to any. Comparisons and logic give 1 or 0.",
};
