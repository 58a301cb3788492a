/** Raw tree → typed value with defaults, along the schema. Problems are collected, so that one load tells them all. */

import { decodeLeaf, describe, Mismatch } from "./leaf.ts";
import { childNode, type SchemaNode } from "./node.ts";
import { isTree, joinPath, type Tree } from "./tree.ts";

export interface DecodeSink {
  /** A key that the configuration sets. */
  set(path: string): void;
  problem(path: string, reason: string): void;
  /** A key that no schema names; `known` are the names at its place. */
  unknown(path: string, key: string, known: string[]): void;
  expand(text: string, path: string): string;
}

/** @returns the decoded value, or `undefined` where a problem was reported */
export function decode(node: SchemaNode, raw: unknown, keys: readonly string[], sink: DecodeSink): unknown {
  if (node.type === "object") return decodeTable(node, raw, keys, sink);
  const path = joinPath(keys);
  sink.set(path);
  const result = decodeLeaf(node, raw, (text) => sink.expand(text, path));
  if (result instanceof Mismatch) {
    sink.problem(path, result.reason);
    return undefined;
  }
  return result;
}

/** The value of a table or key that nothing sets. */
export function defaultOf(node: SchemaNode): unknown {
  if (node.default !== undefined) return copyOf(node.default);
  if (node.type !== "object") return undefined;
  const table: Tree = {};
  for (const key of node.required ?? []) {
    const value = defaultOf(node.properties![key]!);
    if (value !== undefined) table[key] = value;
  }
  return table;
}

/** Defaults are texts, numbers, lists of texts and tables of texts. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...value];
  return isTree(value) ? { ...value } : value;
}

function decodeTable(node: SchemaNode, raw: unknown, keys: readonly string[], sink: DecodeSink): unknown {
  if (!isTree(raw)) {
    sink.problem(joinPath(keys), `expected a table, got ${describe(raw)}`);
    return undefined;
  }
  const table = (node.default === undefined ? {} : copyOf(node.default)) as Tree;
  const properties = node.properties ?? {};
  for (const [key, child] of Object.entries(properties)) {
    if (Object.hasOwn(raw, key)) {
      const value = decode(child, raw[key], [...keys, key], sink);
      if (value !== undefined) table[key] = value;
    } else if (node.required?.includes(key)) {
      const value = defaultOf(child);
      if (value !== undefined) table[key] = value;
      else sink.problem(joinPath([...keys, key]), "is required");
    }
  }
  for (const key of Object.keys(raw)) {
    if (Object.hasOwn(properties, key)) continue;
    const child = key === "__proto__" ? undefined : childNode(node, key);
    if (child === undefined) sink.unknown(joinPath([...keys, key]), key, Object.keys(properties));
    else {
      const value = decode(child, raw[key], [...keys, key], sink);
      if (value !== undefined) table[key] = value;
    }
  }
  return table;
}
