/** Schemas that hold together (`allOf`, siblings of `$ref` and `anyOf`) as one; which schemas exclude each other. */
import { isNode, type Node, TYPES, type Type } from "./keywords.ts";
import { refusal, Unmeetable } from "./refusal.ts";

/** Both must hold: the schema of all that meets both. @throws SpellError invalid_argument, Unmeetable */
export function both(a: Node, b: Node, path: string): Node {
  const merged: Record<string, unknown> = { ...a };
  for (const [keyword, value] of Object.entries(b)) {
    if (!(keyword in a)) merged[keyword] = value;
    else if (!Bun.deepEquals(a[keyword], value, true))
      merged[keyword] = bothValues(keyword, a[keyword], value, path);
  }
  const shape = bothShapes(a, b, path);
  return { ...merged, ...shape };
}

function bothValues(keyword: string, a: unknown, b: unknown, path: string): unknown {
  switch (keyword) {
    case "type": {
      const types = [...typesOf(a)].filter((type) => typesOf(b).has(type));
      if (types.length === 0) throw new Unmeetable(path);
      return types.includes("number") ? types.filter((type) => type !== "integer") : types;
    }
    case "enum": {
      const values = (a as unknown[]).filter((one) =>
        (b as unknown[]).some((other) => Bun.deepEquals(one, other, true)),
      );
      if (values.length === 0) throw new Unmeetable(path);
      return values;
    }
    case "const":
      throw new Unmeetable(path); // two different ones
    case "required":
      return [...new Set([...(a as string[]), ...(b as string[])])];
    case "minimum":
    case "exclusiveMinimum":
    case "minLength":
    case "minItems":
    case "minProperties":
      return Math.max(a as number, b as number);
    case "maximum":
    case "exclusiveMaximum":
    case "maxLength":
    case "maxItems":
    case "maxProperties":
      return Math.min(a as number, b as number);
    case "uniqueItems":
      return true;
    case "propertyNames":
      return { allOf: [a, b] };
    case "anyOf": {
      const pairs = (a as unknown[]).flatMap((one) =>
        (b as unknown[]).map((other) => ({ allOf: [one, other] })),
      );
      if (pairs.length > 256) throw refusal(keyword, path, "has more than 256 combinations with another one");
      return pairs;
    }
    case "properties":
    case "additionalProperties":
    case "items":
    case "prefixItems":
    case "additionalItems":
      return a; // bothShapes
    default:
      throw refusal(keyword, path, "cannot be held twice with different values");
  }
}

/** Properties and items of both: each falls under what the other says of it, by name, by place or for all others. */
function bothShapes(a: Node, b: Node, path: string): Node {
  const shape: Record<string, unknown> = {};
  if (a.properties !== undefined || b.properties !== undefined || a.additionalProperties !== undefined) {
    const [ours, theirs] = [propertiesOf(a), propertiesOf(b)];
    const names = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
    if ((a.patternProperties ?? b.patternProperties) !== undefined && names.size > 0)
      throw refusal("patternProperties", path, "cannot be held beside other schemas");
    const of = (node: Node, own: Node, name: string) =>
      Object.hasOwn(own, name) ? own[name] : (node.additionalProperties ?? true);
    if (names.size > 0)
      shape.properties = Object.fromEntries(
        [...names].map((name) => [name, together(of(a, ours, name), of(b, theirs, name))]),
      );
    if (a.additionalProperties !== undefined && b.additionalProperties !== undefined)
      shape.additionalProperties = together(a.additionalProperties, b.additionalProperties);
  }
  const itemwise = ["items", "prefixItems", "additionalItems"];
  if (itemwise.some((key) => a[key] !== undefined) && itemwise.some((key) => b[key] !== undefined)) {
    const [ours, theirs] = [itemsOf(a), itemsOf(b)];
    const count = Math.max(ours.first.length, theirs.first.length);
    const at = (items: Items, i: number) => (i < items.first.length ? items.first[i] : (items.rest ?? true));
    const first = Array.from({ length: count }, (_, i) => together(at(ours, i), at(theirs, i)));
    const rest = together(ours.rest ?? true, theirs.rest ?? true);
    for (const key of itemwise) shape[key] = undefined;
    if (count > 0) shape.prefixItems = first;
    if (ours.rest !== undefined || theirs.rest !== undefined) shape.items = rest;
  }
  return shape;
}

function together(a: unknown, b: unknown): unknown {
  if (a === false || b === false) return false;
  if (a === true || Bun.deepEquals(a, b, true)) return b;
  return b === true ? a : { allOf: [a, b] };
}

export const propertiesOf = (node: Node): Node => (isNode(node.properties) ? node.properties : {});

export interface Items {
  /** Schemas by place. */
  first: readonly unknown[];
  /** The schema of all others; undefined where nothing is said. */
  rest: unknown;
}

/** `items` as a list with `additionalItems` (until 2019) and `prefixItems` with `items` (since 2020) are the same. */
export function itemsOf(node: Node): Items {
  if (Array.isArray(node.items)) return { first: node.items, rest: node.additionalItems };
  return { first: (node.prefixItems as unknown[] | undefined) ?? [], rest: node.items };
}

/** A number is an integer too. */
export function typesOf(type: unknown): Set<Type> {
  const types = new Set((type === undefined ? TYPES : [type].flat()) as Type[]);
  if (types.has("number")) types.add("integer");
  return types;
}

export function typeOf(value: unknown): Type {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value as Type;
}

/**
 * Whether no value can meet both: their types, listed values or bounds have nothing in common, or a property that both
 * demand excludes it. Says false where it cannot tell.
 * @param resolve follows `$ref` and gathers `allOf`; undefined for what may be anything
 */
export function areDisjoint(
  a: Node,
  b: Node,
  resolve: (schema: unknown) => Node | undefined,
  depth = 0,
): boolean {
  const types = [...typesOf(a.type)].filter((type) => typesOf(b.type).has(type));
  if (types.length === 0) return true;
  const [ours, theirs] = [valuesOf(a), valuesOf(b)];
  if (ours !== undefined && theirs !== undefined)
    return !ours.some((one) => theirs.some((other) => Bun.deepEquals(one, other, true)));
  if (ours?.every((value) => !types.includes(typeOf(value)))) return true;
  if (theirs?.every((value) => !types.includes(typeOf(value)))) return true;
  if (types.every((type) => type === "integer" || type === "number"))
    return lowest(a) > highest(b) || lowest(b) > highest(a);
  if (types.length !== 1 || types[0] !== "object" || depth > 4) return false;
  const demanded = (node: Node) => (Array.isArray(node.required) ? (node.required as string[]) : []);
  const lacks = (node: Node, name: string) =>
    node.additionalProperties === false &&
    node.patternProperties === undefined &&
    !Object.hasOwn(propertiesOf(node), name);
  if (demanded(a).some((name) => lacks(b, name)) || demanded(b).some((name) => lacks(a, name))) return true;
  return demanded(a).some((name) => {
    if (!demanded(b).includes(name)) return false;
    const one = resolve(propertiesOf(a)[name]);
    const other = resolve(propertiesOf(b)[name]);
    return one !== undefined && other !== undefined && areDisjoint(one, other, resolve, depth + 1);
  });
}

function valuesOf(node: Node): readonly unknown[] | undefined {
  return "const" in node ? [node.const] : (node.enum as unknown[] | undefined);
}

const lowest = (node: Node) => (node.minimum ?? node.exclusiveMinimum ?? Number.NEGATIVE_INFINITY) as number;
const highest = (node: Node) => (node.maximum ?? node.exclusiveMaximum ?? Number.POSITIVE_INFINITY) as number;
