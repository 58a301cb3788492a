/** Raw configuration as it comes out of a TOML text, before it is decoded. */
export interface Tree {
  [key: string]: unknown;
}

export function isTree(value: unknown): value is Tree {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function getPath(tree: Tree, keys: readonly string[]): unknown {
  let value: unknown = tree;
  for (const key of keys) {
    if (!isTree(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** Sets a value, making the tables on the way; whatever stood in the way of a table is replaced. */
export function setPath(tree: Tree, keys: readonly string[], value: unknown): void {
  let parent = tree;
  for (const key of keys.slice(0, -1)) {
    const child = Object.hasOwn(parent, key) ? parent[key] : undefined;
    if (isTree(child)) parent = child;
    else {
      const made: Tree = {};
      parent[key] = made;
      parent = made;
    }
  }
  parent[keys.at(-1)!] = value;
}

export function deletePath(tree: Tree, keys: readonly string[]): void {
  const parent = getPath(tree, keys.slice(0, -1));
  if (isTree(parent)) delete parent[keys.at(-1)!];
}

/** A dotted path as it is shown: keys that are no bare TOML keys are quoted. */
export function joinPath(keys: readonly string[]): string {
  return keys.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join(".");
}

/** The keys of a dotted path; quoted parts may hold dots. */
export function splitPath(path: string): string[] {
  return (path.match(/"(?:[^"\\]|\\.)*"|[^.]+/g) ?? []).map((part) =>
    part.startsWith('"') && part.endsWith('"') && part.length > 1 ? (JSON.parse(part) as string) : part,
  );
}
