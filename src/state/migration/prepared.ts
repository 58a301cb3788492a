/** One step of a plan, ready to be applied to records. */
import { SpellError } from "../../core/errors.ts";
import type { CustomTransformers } from "./functions.ts";
import type { PlanStep } from "./plan.ts";
import { type Check, checkOf, hasType } from "./rules.ts";
import type { Schema, ValidationRule } from "./schema.ts";
import type { ValidationLevel } from "./service.ts";
import { type Step, stepOf } from "./transform.ts";

type Fields = Record<string, unknown>;

export interface PreparedStep {
  from: string;
  to: string;
  /** Storage keys, with `*`. */
  appliesTo: readonly string[];
  /** Changes the record and checks it. Whether it changed. @throws SpellError invalid_argument */
  apply(record: Fields): boolean | Promise<boolean>;
}

/** @throws SpellError invalid_argument (unknown function, bad pattern) */
export function prepare(
  { from, to, transforms, given }: PlanStep,
  level: ValidationLevel,
  registered: CustomTransformers,
): PreparedStep {
  const steps = transforms.map((transform) => stepOf(transform, registered));
  const before = level === "Paranoid" ? checksOf(from, "Strict", [], registered) : [];
  const after = checksOf(to, level, given?.validation_rules ?? [], registered);
  const known = given?.preserve_unknown_fields === false ? new Set(Object.keys(to.fields)) : undefined;
  return {
    from: from.version,
    to: to.version,
    appliesTo: to.applies_to,
    apply(record) {
      const checked = checkAll(before, record);
      const changed = then(checked, () => applyAll(steps, record));
      return then(changed, (hasChanged) => {
        const hasDropped = known !== undefined && dropUnknown(record, known);
        return then(checkAll(after, record), () => hasChanged || hasDropped);
      });
    },
  };
}

/** Without waiting where nothing has to be waited for: that costs more than most transforms. */
function then<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

function applyAll(steps: readonly Step[], record: Fields): boolean | Promise<boolean> {
  let changed = false;
  for (const [i, step] of steps.entries()) {
    const result = step(record);
    if (result instanceof Promise)
      return result.then(async (hasChanged) => {
        const rest = await applyAll(steps.slice(i + 1), record);
        return changed || hasChanged || rest;
      });
    if (result) changed = true;
  }
  return changed;
}

function checkAll(checks: readonly Check[], record: Fields): undefined | Promise<undefined> {
  for (const [i, check] of checks.entries()) {
    const problem = check(record);
    if (problem instanceof Promise)
      return problem.then((text) => {
        refuse(text);
        return checkAll(checks.slice(i + 1), record);
      });
    refuse(problem);
  }
  return undefined;
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new SpellError("invalid_argument", problem);
}

function dropUnknown(record: Fields, known: ReadonlySet<string>): boolean {
  const unknown = Object.keys(record).filter((name) => !known.has(name));
  for (const name of unknown) delete record[name];
  return unknown.length > 0;
}

/**
 * Basic: required fields are there. Strict: also types, validators and rules. Paranoid: as strict, and before the
 * transforms too. None: nothing.
 */
function checksOf(
  schema: Schema,
  level: ValidationLevel,
  rules: readonly ValidationRule[],
  registered: CustomTransformers,
): Check[] {
  if (level === "None") return [];
  const fields = Object.entries(schema.fields);
  const required = fields
    .filter(([, { required }]) => required)
    .map(([field]) => checkOf({ type: "NotNull", field }, registered));
  if (level === "Basic") return required;
  const types = fields.map(
    ([field, { field_type: type }]): Check =>
      (record) => {
        const value = (record as Fields)[field];
        return value === undefined || value === null || hasType(value, type)
          ? undefined
          : `"${field}" must be of type ${type}`;
      },
  );
  const validators = fields.flatMap(([, { validators = [] }]) => validators);
  return [...required, ...types, ...[...validators, ...rules].map((rule) => checkOf(rule, registered))];
}
