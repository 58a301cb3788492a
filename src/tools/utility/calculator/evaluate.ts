import { type Program, type Step, unknownName } from "./compile.ts";
import { CONSTANTS } from "./functions.ts";

/**
 * IEEE 754 doubles throughout: division by zero gives an infinity or NaN. Comparisons and logic give 1 or 0.
 * @throws SpellError invalid_argument: a variable without value
 */
export function evaluate(program: Program, variables: ReadonlyMap<string, number>): number {
  const stack: number[] = [];
  for (const step of program.steps) stack.push(run(step, stack, variables));
  return stack[0]! + 0; // never -0
}

function run(step: Step, stack: number[], variables: ReadonlyMap<string, number>): number {
  switch (step.do) {
    case "push":
      return step.value;
    case "variable": {
      const value = variables.get(step.name) ?? CONSTANTS.get(step.name);
      if (value === undefined)
        throw unknownName("variable", step.name, step.at, [...variables.keys(), ...CONSTANTS.keys()]);
      return value;
    }
    case "call":
      return step.fn.apply(stack.splice(stack.length - step.args));
    case "unary": {
      const x = stack.pop()!;
      return step.operator === "-" ? -x : step.operator === "!" ? Number(!isTrue(x)) : x;
    }
    case "binary": {
      const b = stack.pop()!;
      return binary(step.operator, stack.pop()!, b);
    }
  }
}

function binary(operator: string, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "^":
      return a ** b;
    case "==":
      return Number(a === b);
    case "!=":
      return Number(a !== b);
    case "<":
      return Number(a < b);
    case ">":
      return Number(a > b);
    case "<=":
      return Number(a <= b);
    case ">=":
      return Number(a >= b);
    case "&&":
      return Number(isTrue(a) && isTrue(b));
    default:
      return Number(isTrue(a) || isTrue(b));
  }
}

const isTrue = (x: number): boolean => x !== 0 && !Number.isNaN(x);
