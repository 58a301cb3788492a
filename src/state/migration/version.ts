/** Schema versions: `major.minor.patch[-pre][+build]`, ordered as Semantic Versioning says. */
import { SpellError } from "../../core/errors.ts";

export interface Version {
  major: number;
  minor: number;
  patch: number;
  pre: string | undefined;
  build: string | undefined;
  /** As it was written. */
  text: string;
}

const FORM =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;

/** @throws SpellError invalid_argument */
export function parseVersion(text: string): Version {
  const [, major, minor, patch, pre, build] = FORM.exec(text) ?? [];
  if (major === undefined)
    throw new SpellError("invalid_argument", `Invalid version '${text}'`, {
      hint: "Write it as major.minor.patch, for example 1.2.0",
    });
  return { major: Number(major), minor: Number(minor), patch: Number(patch), pre, build, text };
}

/** Negative where `a` is older. Build metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch || comparePre(a.pre, b.pre);
}

function comparePre(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = compareIdentifier(left[i], right[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareIdentifier(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  const [left, right] = [a, b].map((text) => (/^\d+$/.test(text) ? Number(text) : undefined));
  if (left !== undefined && right !== undefined) return left - right;
  if (left !== undefined) return -1;
  if (right !== undefined) return 1;
  return a < b ? -1 : 1;
}

/** Whether what reads `to` can read `from`: the same major version, and not newer. */
export function isCompatible(from: Version, to: Version): boolean {
  return from.major === to.major && compareVersions(from, to) <= 0;
}
