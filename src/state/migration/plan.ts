/** The way from one schema version to another. Pure. */
import { SpellError } from "../../core/errors.ts";
import {
  type Compatibility,
  compatibilityOf,
  needsBackup,
  type Risk,
  transformsFor,
} from "./compatibility.ts";
import type { SchemaRegistry } from "./registry.ts";
import type { FieldTransform, Schema, Transformation } from "./schema.ts";
import { compareVersions, parseVersion } from "./version.ts";

export interface PlanStep {
  from: Schema;
  to: Schema;
  transforms: FieldTransform[];
  /** Of the file; undefined where the schemas' difference says all. */
  given: Transformation | undefined;
  /** What is lost that no transform speaks of. */
  warnings: string[];
  compatibility: Compatibility;
}

export interface MigrationPlan {
  from: string;
  to: string;
  steps: PlanStep[];
  /** The highest of the steps'. */
  risk: Risk;
  backupRequired: boolean;
  estimatedSeconds: number;
  complexityScore: number;
}

const RISKS: readonly Risk[] = ["Low", "Medium", "High", "Critical"];

/** @throws SpellError not_found (version, way), invalid_argument (a type change that nobody tells how to make) */
export function planMigration(registry: SchemaRegistry, from: string, to: string): MigrationPlan {
  const versions = wayOf(registry, from, to);
  const steps = versions.slice(1).map((version, i) => stepOf(registry, versions[i]!, version));
  const risk = steps.map(({ compatibility }) => compatibility.risk).reduce(higher, "Low");
  const fields = steps.reduce((sum, { transforms }) => sum + transforms.length, 0);
  return {
    from,
    to,
    steps,
    risk,
    backupRequired: needsBackup(risk),
    estimatedSeconds: 60 + 30 * steps.length + 10 * fields,
    complexityScore: steps.reduce((sum, { compatibility }) => sum + compatibility.complexityScore, 0),
  };
}

const higher = (a: Risk, b: Risk): Risk => (RISKS.indexOf(a) >= RISKS.indexOf(b) ? a : b);

function stepOf(registry: SchemaRegistry, fromVersion: string, toVersion: string): PlanStep {
  const [from, to] = [registry.require(fromVersion), registry.require(toVersion)];
  const given = registry.transformation(fromVersion, toVersion);
  const { transforms, untold, warnings } = transformsFor(from, to, given);
  if (untold.length > 0)
    throw new SpellError(
      "invalid_argument",
      `Cannot migrate from ${fromVersion} to ${toVersion}: no conversion is known of ${untold.join(", ")}`,
      { hint: `Add a transformation from ${fromVersion} to the schema file of ${toVersion}` },
    );
  return { from, to, transforms, given, warnings, compatibility: compatibilityOf(from, to) };
}

/** Breadth first: the fewest steps. */
function wayOf(registry: SchemaRegistry, from: string, to: string): string[] {
  registry.require(from);
  registry.require(to);
  const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
  for (const at of cameFrom.keys()) {
    if (at === to) break;
    for (const next of registry.versions())
      if (!cameFrom.has(next) && isStep(registry, at, next, from, to)) cameFrom.set(next, at);
  }
  if (!cameFrom.has(to))
    throw new SpellError("not_found", `No way leads from schema version ${from} to ${to}`, {
      data: { from, to },
      hint: "Add schema files of the versions between, or a transformation from one to the other",
    });
  const way: string[] = [];
  for (let at: string | undefined = to; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
  return way;
}

/**
 * A given transformation is a step. Without one, forwards to the next major version at most, and over no version
 * whose transformation would be left out.
 */
function isStep(registry: SchemaRegistry, from: string, to: string, first: string, last: string): boolean {
  if (registry.transformation(from, to) !== undefined) return true;
  const [a, b] = [parseVersion(from), parseVersion(to)];
  if (compareVersions(a, b) >= 0 || b.major > a.major + 1) return false;
  if (compareVersions(b, parseVersion(last)) > 0) return false;
  const path = registry.require(last).migration_path;
  const inside = (text: string) => {
    const version = parseVersion(text);
    return compareVersions(a, version) < 0 && compareVersions(version, b) < 0;
  };
  if (path.some((stop) => stop !== first && inside(stop))) return false;
  return !registry
    .transformations()
    .some(
      ({ from_schema_version: source, to_schema_version: target }) =>
        (source === from || inside(source)) && (target === to || inside(target)),
    );
}
