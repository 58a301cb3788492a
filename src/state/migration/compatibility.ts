/** What a change of schema means for records, and how much there is to lose. Pure. */
import { converterBetween } from "./functions.ts";
import type { FieldTransform, Schema, Transformation } from "./schema.ts";
import { compareVersions, parseVersion } from "./version.ts";

export type Risk = "Low" | "Medium" | "High" | "Critical";

export interface Compatibility {
  isCompatible: boolean;
  migrationRequired: boolean;
  breakingChanges: string[];
  warnings: string[];
  risk: Risk;
  /** (10 × fields that change + 50 × breaking changes) × 1, 2, 4 or 8 by risk. */
  complexityScore: number;
}

interface Difference {
  added: string[];
  removed: string[];
  /** Type differs. */
  retyped: string[];
  /** Optional became required. */
  tightened: string[];
}

export function differenceOf(from: Schema, to: Schema): Difference {
  const shared = Object.keys(to.fields).filter((name) => Object.hasOwn(from.fields, name));
  return {
    added: Object.keys(to.fields).filter((name) => !Object.hasOwn(from.fields, name)),
    removed: Object.keys(from.fields).filter((name) => !Object.hasOwn(to.fields, name)),
    retyped: shared.filter((name) => from.fields[name]!.field_type !== to.fields[name]!.field_type),
    tightened: shared.filter((name) => !from.fields[name]!.required && to.fields[name]!.required),
  };
}

const FACTORS: Record<Risk, number> = { Low: 1, Medium: 2, High: 4, Critical: 8 };

export function compatibilityOf(from: Schema, to: Schema): Compatibility {
  const { added, removed, retyped, tightened } = differenceOf(from, to);
  const [old, next] = [parseVersion(from.version), parseVersion(to.version)];
  const breakingChanges = [
    ...(next.major > old.major ? [`major version ${old.major} to ${next.major}`] : []),
    ...(compareVersions(next, old) < 0 ? [`downgrade from ${from.version} to ${to.version}`] : []),
    ...removed.filter((name) => from.fields[name]!.required).map((name) => `required field removed: ${name}`),
    ...added
      .filter((name) => to.fields[name]!.required && to.fields[name]!.default_value === undefined)
      .map((name) => `required field added without a default: ${name}`),
    ...retyped.map(
      (name) =>
        `type changed: ${name} from ${from.fields[name]!.field_type} to ${to.fields[name]!.field_type}`,
    ),
    ...tightened.map((name) => `optional field is now required: ${name}`),
    ...(to.compatibility === "BreakingChange" ? [`${to.version} is marked as a breaking change`] : []),
  ];
  const warnings = removed
    .filter((name) => !from.fields[name]!.required)
    .map((name) => `field removed: ${name}`);
  const changed = added.length + removed.length + retyped.length + tightened.length;
  const migrationRequired = changed > 0;
  const risk = riskOf(breakingChanges, warnings.length > 0 || migrationRequired);
  return {
    isCompatible: breakingChanges.length === 0,
    migrationRequired,
    breakingChanges,
    warnings,
    risk,
    complexityScore: (10 * changed + 50 * breakingChanges.length) * FACTORS[risk],
  };
}

function riskOf(breakingChanges: readonly string[], isWork: boolean): Risk {
  if (breakingChanges.some((change) => /removed|type changed/.test(change))) return "Critical";
  if (breakingChanges.length > 0) return "High";
  return isWork ? "Medium" : "Low";
}

export const needsBackup = (risk: Risk): boolean => risk === "High" || risk === "Critical";

const fieldsRead = (transform: FieldTransform): readonly string[] => {
  if ("from_fields" in transform) return transform.from_fields;
  if ("from_field" in transform) return [transform.from_field];
  return transform.type === "Remove" ? [transform.field] : [];
};
const fieldsWritten = (transform: FieldTransform): readonly string[] => {
  if ("to_fields" in transform) return transform.to_fields;
  if ("to_field" in transform) return [transform.to_field];
  return transform.type === "Default" ? [transform.field] : [];
};

/**
 * The transforms of one step: those of the file, then what the schemas' difference asks for and they leave undone.
 * @returns also the type changes that nobody tells how to make, and what is lost that no transform speaks of
 */
export function transformsFor(
  from: Schema,
  to: Schema,
  given: Transformation | undefined,
): { transforms: FieldTransform[]; untold: string[]; warnings: string[] } {
  const own = given?.field_transforms ?? [];
  const written = new Set(own.flatMap(fieldsWritten));
  const gone = new Set(
    own.flatMap((transform) => (transform.type === "Remove" ? fieldsRead(transform) : [])),
  );
  const { added, removed, retyped } = differenceOf(from, to);
  const transforms = [...own];
  const untold: string[] = [];
  for (const name of retyped) {
    if (written.has(name)) continue;
    const [from_type, to_type] = [from.fields[name]!.field_type, to.fields[name]!.field_type];
    const converter = converterBetween(from_type, to_type);
    if (converter === undefined) untold.push(`${name} from ${from_type} to ${to_type}`);
    else
      transforms.push({ type: "Convert", from_field: name, to_field: name, from_type, to_type, converter });
  }
  for (const name of [...added, ...Object.keys(to.fields).filter((name) => !added.includes(name))]) {
    const { default_value: value, required } = to.fields[name]!;
    if (value !== undefined && (added.includes(name) || required))
      transforms.push({ type: "Default", field: name, value });
  }
  const read = new Set(own.flatMap(fieldsRead));
  const dropped = removed.filter((name) => !gone.has(name) && !written.has(name));
  for (const name of dropped) transforms.push({ type: "Remove", field: name });
  const warnings = dropped.filter((name) => !read.has(name)).map((name) => `field removed: ${name}`);
  return { transforms, untold, warnings };
}
