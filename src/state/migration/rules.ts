/** Checks of migrated records. A rule gives a problem in words, or nothing; values stand in none. */
import { linearRegex } from "../../core/linear-regex.ts";
import { isPlainObject } from "../../core/values.ts";
import { fieldPath, getField } from "./field-path.ts";
import { type CustomTransformers, customTransformer } from "./functions.ts";
import type { FieldType, ValidationRule } from "./schema.ts";

export type Check = (record: unknown) => string | undefined | Promise<string | undefined>;

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isNumber = (value: unknown): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

export function hasType(value: unknown, type: FieldType): boolean {
  switch (type) {
    case "any":
      return true;
    case "string":
      return typeof value === "string" || value instanceof Uint8Array;
    case "integer":
      return typeof value === "bigint" || Number.isInteger(value);
    case "number":
      return isNumber(value);
    case "boolean":
      return typeof value === "boolean";
    case "array":
      // A script's empty table is an object.
      return Array.isArray(value) || (isPlainObject(value) && Object.keys(value).length === 0);
    case "object":
      return isPlainObject(value) || (Array.isArray(value) && value.length === 0);
  }
}

/** Rules other than NotNull let absent fields pass. @throws SpellError invalid_argument (pattern, unknown function) */
export function checkOf(rule: ValidationRule, registered: CustomTransformers): Check {
  const path = fieldPath(rule.field);
  const name = JSON.stringify(rule.field);
  const present =
    (problem: (value: unknown) => string | undefined): Check =>
    (record) => {
      const value = getField(record, path);
      return isAbsent(value) ? undefined : problem(value);
    };
  switch (rule.type) {
    case "NotNull":
      return (record) => (isAbsent(getField(record, path)) ? `${name} is missing` : undefined);
    case "Type":
      return present((value) =>
        hasType(value, rule.expected) ? undefined : `${name} must be of type ${rule.expected}`,
      );
    case "Range":
      return present((value) => {
        const within =
          isNumber(value) &&
          !(rule.min !== undefined && value < rule.min) &&
          !(rule.max !== undefined && value > rule.max);
        return within ? undefined : `${name} must be a number ${between(rule.min, rule.max)}`;
      });
    case "Length":
      return present((value) => {
        const length = lengthOf(value);
        const within = length !== undefined && length >= (rule.min ?? 0) && length <= (rule.max ?? Infinity);
        return within ? undefined : `${name} must have a length ${between(rule.min, rule.max)}`;
      });
    case "Pattern": {
      const regex = linearRegex(rule.pattern);
      return present((value) =>
        typeof value === "string" && regex.matcher(value).find()
          ? undefined
          : `${name} must match ${JSON.stringify(rule.pattern)}`,
      );
    }
    case "Custom": {
      const validate = customTransformer(rule.validator, registered);
      return async (record) => {
        const value = getField(record, path);
        if (isAbsent(value)) return undefined;
        const [verdict] = await validate([value], rule.config ?? {});
        return verdict === true ? undefined : `${name} is refused by ${JSON.stringify(rule.validator)}`;
      };
    }
  }
}

function lengthOf(value: unknown): number | undefined {
  if (typeof value === "string") return [...value].length;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  return isPlainObject(value) ? Object.keys(value).length : undefined;
}

function between(min: number | undefined, max: number | undefined): string {
  if (min === undefined) return max === undefined ? "" : `of at most ${max}`;
  return max === undefined ? `of at least ${min}` : `between ${min} and ${max}`;
}
