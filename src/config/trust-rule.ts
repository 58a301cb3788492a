/** What a file that was only found in the current directory may not set before the user trusts it. */
import { childNode, ROOT, type SchemaNode } from "./node.ts";
import { isTree, joinPath, type Tree } from "./tree.ts";

/** Removes from the tree what needs trust. @returns the removed paths */
export function removeUntrusted(tree: Tree): string[] {
  const removed: string[] = [];
  removeBelow(ROOT, tree, [], removed);
  return removed;
}

function removeBelow(node: SchemaNode, tree: Tree, keys: readonly string[], removed: string[]): void {
  for (const [key, value] of Object.entries(tree)) {
    const child = childNode(node, key);
    if (child === undefined) continue;
    const path = [...keys, key];
    if (needsTrust(child, value)) {
      delete tree[key];
      removed.push(joinPath(path));
    } else if (child.type === "object" && isTree(value)) removeBelow(child, value, path, removed);
  }
}

function needsTrust(node: SchemaNode, value: unknown): boolean {
  switch (node["x-trust"]) {
    case "always":
      return true;
    case "raise":
      return raises(node.default, value);
    case "lower":
      return lowers(node.default, value);
    default:
      // Reading the environment is a permission too.
      return node["x-expand"] === true && JSON.stringify(value)?.includes("${") === true;
  }
}

/** Whether a value allows more than the default. What has another type than the default counts as more. */
function raises(byDefault: unknown, value: unknown): boolean {
  if (typeof value === "boolean") return value && byDefault !== true;
  if (typeof value === "number") return !(typeof byDefault === "number" && value <= byDefault);
  if (Array.isArray(byDefault)) {
    const allowed = byDefault as unknown[];
    return !allowed.includes("*") && entriesOf(value).some((entry) => !allowed.includes(entry));
  }
  return String(value).toLowerCase() !== String(byDefault).toLowerCase();
}

/** Whether a value checks less than the default. */
function lowers(byDefault: unknown, value: unknown): boolean {
  if (typeof value === "boolean") return !value;
  const entries = entriesOf(value);
  return !Array.isArray(byDefault) || byDefault.some((entry) => !entries.includes(entry));
}

function entriesOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return typeof value === "string" ? value.split(",").map((entry) => entry.trim()) : [value];
}
