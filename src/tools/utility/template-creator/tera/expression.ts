/**
 * Expressions, loosest first: `or`, `and`, `not`, comparisons and `in`, filters, `~`, `+ -`, `* / %`, then `is` tests.
 * As in Tera, a filter applies to the whole arithmetic expression before it.
 */
import { didYouMean } from "../../../../core/nearest.ts";
import { isPlainObject } from "../../../../core/values.ts";
import { display, isTruthy, member, missingVariable, SafeText, templateError } from "../values.ts";
import { FILTERS } from "./filters.ts";
import { FUNCTIONS, TESTS } from "./functions.ts";
import type { Reader } from "./reader.ts";
import type { Scope } from "./scope.ts";

export interface Expression {
  (scope: Scope): unknown;
  /** The variable's path, where it is nothing else: such a value may be missing. */
  path?: string;
}

const COMPARISONS = new Set(["==", "!=", "<", ">", "<=", ">="]);

export function parseExpression(reader: Reader): Expression {
  return reader.nested(() => {
    let left = parseAnd(reader);
    while (reader.takeName("or")) {
      const [a, b] = [left, parseAnd(reader)];
      left = (scope) => isTruthy(a(scope)) || isTruthy(b(scope));
    }
    return left;
  });
}

function parseAnd(reader: Reader): Expression {
  let left = parseNot(reader);
  while (reader.takeName("and")) {
    const [a, b] = [left, parseNot(reader)];
    left = (scope) => isTruthy(a(scope)) && isTruthy(b(scope));
  }
  return left;
}

function parseNot(reader: Reader): Expression {
  if (!reader.takeName("not")) return parseComparison(reader);
  const operand = reader.nested(() => parseNot(reader));
  return (scope) => !isTruthy(operand(scope));
}

function parseComparison(reader: Reader): Expression {
  const left = parseFiltered(reader);
  const { line } = reader.token;
  const operator = reader.token.text;
  if (reader.token.kind === "symbol" && COMPARISONS.has(operator)) {
    reader.advance();
    const right = parseFiltered(reader);
    return (scope) => compare(operator, required(left, scope, line), required(right, scope, line), line);
  }
  const negated = reader.token.text === "not" && reader.takeName("not");
  if (!reader.takeName("in")) {
    if (negated) throw reader.unexpected();
    return left;
  }
  const container = parseFiltered(reader);
  return (scope) => contains(required(container, scope, line), required(left, scope, line)) !== negated;
}

function parseFiltered(reader: Reader): Expression {
  let value = parseConcatenation(reader);
  while (reader.take("|")) {
    const { line } = reader.token;
    const name = reader.name();
    const args = reader.token.text === "(" ? parseArguments(reader) : noArguments;
    value = applyFilter(name, value, args, line);
  }
  return value;
}

export function applyFilter(name: string, value: Expression, args: Arguments, line: number): Expression {
  if (name === "default") {
    return (scope) => {
      const given = value(scope);
      return given === undefined ? args(scope).get("value") : given;
    };
  }
  const filter = FILTERS.get(name);
  if (filter === undefined)
    throw templateError(`unknown filter '${name}'`, line, didYouMean(name, FILTERS.keys()));
  return (scope) => {
    scope.budget.step();
    const result = filter(required(value, scope, line), args(scope));
    return typeof result === "string" ? scope.budget.text(result) : result;
  };
}

function parseConcatenation(reader: Reader): Expression {
  let left = parseSum(reader);
  while (reader.take("~")) {
    const { line } = reader.token;
    const [a, b] = [left, parseSum(reader)];
    left = (scope) =>
      scope.budget.text(display(required(a, scope, line)) + display(required(b, scope, line)));
  }
  return left;
}

function parseSum(reader: Reader): Expression {
  return parseArithmetic(reader, ["+", "-"], () =>
    parseArithmetic(reader, ["*", "/", "%"], () => parseTested(reader)),
  );
}

function parseArithmetic(
  reader: Reader,
  operators: readonly string[],
  operand: () => Expression,
): Expression {
  let left = operand();
  while (reader.token.kind === "symbol" && operators.includes(reader.token.text)) {
    const { text: operator, line } = reader.token;
    reader.advance();
    const [a, b] = [left, operand()];
    left = (scope) => arithmetic(operator, required(a, scope, line), required(b, scope, line), line);
  }
  return left;
}

function parseTested(reader: Reader): Expression {
  const value = parsePostfix(reader);
  if (!reader.takeName("is")) return value;
  const negated = reader.takeName("not");
  const { line } = reader.token;
  const name = reader.name();
  const args: Expression[] = [];
  if (reader.take("(")) {
    while (!reader.take(")")) {
      args.push(parseExpression(reader));
      if (!reader.take(",") && reader.token.text !== ")") throw reader.unexpected();
    }
  }
  if (name === "defined" || name === "undefined") {
    return (scope) => ((value(scope) === undefined) === (name === "undefined")) !== negated;
  }
  const test = TESTS.get(name);
  if (test === undefined) throw templateError(`unknown test '${name}'`, line, didYouMean(name, TESTS.keys()));
  return (scope) => test(required(value, scope, line), ...args.map((arg) => arg(scope))) !== negated;
}

function parsePostfix(reader: Reader): Expression {
  let value = parsePrimary(reader);
  for (;;) {
    const path = value.path;
    const { line } = reader.token;
    const object = value;
    if (reader.take(".")) {
      const key = reader.token.kind === "number" ? reader.number() : reader.name();
      value = dotted(object, key, line);
      if (path !== undefined) value.path = `${path}.${key}`;
    } else if (reader.take("[")) {
      const key = parseExpression(reader);
      reader.expect("]");
      value = (scope) => member(required(object, scope, line), required(key, scope, line));
      if (path !== undefined) value.path = `${path}[…]`;
    } else return value;
  }
}

/** `a.0.1` arrives with the number 0.1. */
function dotted(object: Expression, key: string, line: number): Expression {
  const keys = key.split(".");
  return (scope) => keys.reduce((value, k) => member(value, k), optional(object, scope, line));
}

/** A missing step on the way to a member makes the member missing, not an error. */
function optional(expression: Expression, scope: Scope, line: number): unknown {
  return expression.path === undefined ? required(expression, scope, line) : expression(scope);
}

function parsePrimary(reader: Reader): Expression {
  const { kind, text, line } = reader.token;
  if (kind === "number" || text === "-") {
    const sign = reader.take("-") ? -1 : 1;
    const value = sign * Number(reader.number());
    return () => value;
  }
  if (kind === "string") {
    reader.advance();
    const value = text.slice(1, -1);
    return () => value;
  }
  if (reader.take("(")) {
    const value = parseExpression(reader);
    reader.expect(")");
    return (scope) => value(scope);
  }
  if (reader.take("[")) return parseArray(reader);
  const name = reader.name();
  if (/^(?:true|True)$/.test(name)) return () => true;
  if (/^(?:false|False)$/.test(name)) return () => false;
  if (reader.take("::")) return parseMacroCall(reader, name, line);
  if (reader.token.text === "(") {
    const call = FUNCTIONS.get(name);
    if (call === undefined)
      throw templateError(`unknown function '${name}'`, line, didYouMean(name, FUNCTIONS.keys()));
    const args = parseArguments(reader);
    return (scope) => call(args(scope));
  }
  const variable: Expression = (scope) => scope.get(name);
  variable.path = name;
  return variable;
}

function parseArray(reader: Reader): Expression {
  const { line } = reader.token;
  const items: Expression[] = [];
  while (!reader.take("]")) {
    items.push(parseExpression(reader));
    if (!reader.take(",") && reader.token.text !== "]") throw reader.unexpected();
  }
  return (scope) => items.map((item) => required(item, scope, line));
}

function parseMacroCall(reader: Reader, namespace: string, line: number): Expression {
  const name = reader.name();
  const args = parseArguments(reader);
  if (namespace !== "self") throw templateError(`unknown macro '${namespace}::${name}'`, line);
  return (scope) => {
    const macro = scope.macros.get(name);
    if (macro === undefined) throw templateError(`unknown macro 'self::${name}'`, line);
    return macro(args(scope), scope);
  };
}

export type Arguments = (scope: Scope) => ReadonlyMap<string, unknown>;
const noArguments: Arguments = () => new Map();

/** `(name=value, …)` */
function parseArguments(reader: Reader): Arguments {
  const args: [string, Expression][] = [];
  const { line } = reader.token;
  reader.expect("(");
  while (!reader.take(")")) {
    const name = reader.name();
    reader.expect("=");
    args.push([name, parseExpression(reader)]);
    if (!reader.take(",") && reader.token.text !== ")") throw reader.unexpected();
  }
  return (scope) => new Map(args.map(([name, value]) => [name, required(value, scope, line)]));
}

/** @throws SpellError invalid_argument for a missing variable */
export function required(expression: Expression, scope: Scope, line: number): unknown {
  const value = expression(scope);
  if (value !== undefined) return value;
  throw missingVariable(
    expression.path ?? "expression",
    line,
    "Put it into the context, or write | default(value=…)",
  );
}

function arithmetic(operator: string, a: unknown, b: unknown, line: number): unknown {
  const [x, y] = [a, b].map((v) => (typeof v === "bigint" ? Number(v) : v));
  if (typeof x !== "number" || typeof y !== "number") {
    throw templateError(`'${operator}' needs numbers`, line, "Write ~ to join texts");
  }
  if ((operator === "/" || operator === "%") && y === 0) throw templateError("division by zero", line);
  switch (operator) {
    case "+":
      return x + y;
    case "-":
      return x - y;
    case "*":
      return x * y;
    case "/":
      return x / y;
    default:
      return x % y;
  }
}

function compare(operator: string, a: unknown, b: unknown, line: number): boolean {
  if (operator === "==" || operator === "!=")
    return Bun.deepEquals(plain(a), plain(b)) === (operator === "==");
  const [x, y] = [plain(a), plain(b)];
  const comparable = (v: unknown): v is number | string => ["number", "bigint", "string"].includes(typeof v);
  if (!comparable(x) || !comparable(y) || (typeof x === "string") !== (typeof y === "string"))
    throw templateError(`'${operator}' needs two numbers or two texts`, line);
  if (operator === "<") return x < y;
  if (operator === ">") return x > y;
  return operator === "<=" ? x <= y : x >= y;
}

function contains(container: unknown, item: unknown): boolean {
  if (Array.isArray(container)) return container.some((other) => Bun.deepEquals(plain(other), plain(item)));
  if (isPlainObject(container)) return Object.hasOwn(container, String(item));
  return display(container).includes(display(item));
}

const plain = (value: unknown): unknown => (value instanceof SafeText ? value.text : value);
