/** GBNF for objects and arrays. Properties come in the order in which the schema has them. */
import { itemsOf, propertiesOf } from "./combine.ts";
import type { Node } from "./keywords.ts";
import { refusal, Unmeetable } from "./refusal.ts";
import { literal, MAX_REPETITIONS, oneOf, type Rules, repeat } from "./rules.ts";
import { keyBut, quoted } from "./strings.ts";

/** What containers need of the compiler. */
export interface Inner {
  rules: Rules;
  /** @returns the name of the rule of a schema. @throws SpellError, Unmeetable */
  rule(schema: unknown, path: string): string;
}

export const SPACE = '(" " | "\\n" [ \\t]{0,20})?';

export function arrays(node: Node, path: string, inner: Inner): string {
  const { rules } = inner;
  const ws = rules.add(SPACE);
  const comma = rules.add(`"," ${ws}`);
  const { first, rest } = itemsOf(node);
  const least = (node.minItems as number | undefined) ?? 0;
  const most = (node.maxItems as number | undefined) ?? Number.POSITIVE_INFINITY;
  if (least > most) throw new Unmeetable(path);
  if (node.uniqueItems === true && most > 1) throw refusal("uniqueItems", path, "cannot be held");
  if (least > MAX_REPETITIONS) throw refusal("minItems", path, `is held up to ${MAX_REPETITIONS} only`);

  const placed: string[] = [];
  for (const [i, schema] of first.slice(0, Math.min(most, first.length)).entries()) {
    const item = attempt(() => inner.rule(schema, `${path}/prefixItems/${i}`));
    if (item === undefined) break; // the list ends before a place that nothing can fill
    placed.push(item);
  }
  const wasCut = placed.length < Math.min(first.length, most);
  const after = repeated(placed.length === 0 || wasCut ? 0 : placed.length);
  if (wasCut && placed.length < least) throw new Unmeetable(path);
  if (placed.length === 0) return `"[" ${ws} ${after} ${ws} "]"`;
  return `"[" ${ws} ${placed.join(` ${comma} `)} ${after} ${ws} "]"`;

  /** Items behind those that have a place: as many as the limits leave, none where only places are described. */
  function repeated(before: number): string {
    const wanted = Math.max(0, least - before);
    const allowed =
      wasCut || (first.length > 0 && rest === undefined) ? wanted : Math.min(most - before, MAX_REPETITIONS);
    if (allowed === 0 || (wasCut && placed.length >= least)) return '""';
    const item = attempt(() => inner.rule(rest ?? true, `${path}/items`));
    if (item === undefined) {
      if (wanted > 0) throw new Unmeetable(path);
      return '""';
    }
    const limit = allowed === MAX_REPETITIONS && most === Number.POSITIVE_INFINITY ? most : allowed;
    const next = rules.add(`${comma} ${item}`);
    if (before > 0) return repeat(next, wanted, limit);
    const filled = `${item} ${repeat(next, Math.max(0, wanted - 1), limit - 1)}`;
    return wanted === 0 ? `(${filled})?` : filled;
  }
}

interface Property {
  name: string;
  isRequired: boolean;
  /** The rule of key and value. */
  rule: string;
}

export function objects(node: Node, path: string, inner: Inner): string {
  const { rules } = inner;
  const ws = rules.add(SPACE);
  const comma = rules.add(`"," ${ws}`);
  const required = new Set(Array.isArray(node.required) ? (node.required as string[]) : []);
  const schemas = { ...propertiesOf(node) } as Record<string, unknown>;
  const declared = new Set([...Object.keys(schemas), ...required]);
  const free = freeProperties(node, path, declared, inner);
  for (const name of required)
    if (!Object.hasOwn(schemas, name)) schemas[name] = free?.schema ?? node.additionalProperties ?? true;

  const properties: Property[] = [];
  for (const [name, schema] of Object.entries(schemas)) {
    const isRequired = required.has(name);
    const compile = () =>
      inner.rule(schema, `${path}/properties/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`);
    const value = isRequired ? compile() : attempt(compile);
    if (value === undefined) continue; // it may be left out, and is
    properties.push({
      name,
      isRequired,
      rule: rules.add(`${literal(JSON.stringify(name))} ":" ${ws} ${value}`),
    });
  }

  const { needsFree, mostFree } = count(node, path, properties, free !== undefined);
  const others =
    free === undefined || mostFree === 0 ? undefined : { rule: free.rule, most: mostFree, least: needsFree };
  return `"{" ${ws} ${members(properties, others, comma, rules)} ${ws} "}"`;
}

interface FreeProperties {
  rule: string;
  /** What `required` names that are not declared fall under. */
  schema: unknown;
}

/** Properties without a declared name. Where properties are declared they have to be asked for, as everywhere with models. */
function freeProperties(
  node: Node,
  path: string,
  declared: ReadonlySet<string>,
  inner: Inner,
): FreeProperties | undefined {
  const { rules } = inner;
  const ws = rules.add(SPACE);
  const patterns = Object.entries((node.patternProperties ?? {}) as Node);
  const wanted =
    node.additionalProperties ?? (declared.size === 0 && patterns.length === 0 ? true : undefined);
  const isOpen = wanted !== undefined && wanted !== false;
  if (patterns.length > 0) {
    const [pattern, schema] = patterns[0]!;
    if (patterns.length > 1 || declared.size > 0 || isOpen || node.propertyNames !== undefined)
      throw refusal(
        "patternProperties",
        path,
        "is held alone only: one pattern, with additionalProperties = false",
      );
    if (node.additionalProperties !== false)
      throw refusal("patternProperties", path, "is held with additionalProperties = false only");
    const key = inner.rule({ type: "string", pattern }, `${path}/patternProperties`);
    const value = attempt(() => inner.rule(schema, `${path}/patternProperties`));
    return value === undefined ? undefined : { rule: rules.add(`${key} ":" ${ws} ${value}`), schema };
  }
  if (node.propertyNames !== undefined && declared.size > 0)
    throw refusal("propertyNames", path, "is held where no property is declared only");
  if (!isOpen) return undefined;
  const value = attempt(() => inner.rule(wanted, `${path}/additionalProperties`));
  if (value === undefined) return undefined;
  const key =
    node.propertyNames === undefined
      ? quoted(keyBut([...declared], rules))
      : attempt(() =>
          inner.rule({ allOf: [{ type: "string" }, node.propertyNames] }, `${path}/propertyNames`),
        );
  return key === undefined ? undefined : { rule: rules.add(`${key} ":" ${ws} ${value}`), schema: wanted };
}

/** Makes the declared properties keep to `minProperties` and `maxProperties`; says how many others that leaves. */
function count(node: Node, path: string, properties: Property[], isOpen: boolean) {
  const least = (node.minProperties as number | undefined) ?? 0;
  const most = (node.maxProperties as number | undefined) ?? Number.POSITIVE_INFINITY;
  for (let i = properties.length - 1; i >= 0 && properties.length > most; i--)
    if (!properties[i]!.isRequired) properties.splice(i, 1);
  if (properties.length > most || least > most) throw new Unmeetable(path);
  let missing = least - properties.filter((property) => property.isRequired).length;
  for (const property of properties) {
    if (missing <= 0) break;
    if (property.isRequired) continue;
    property.isRequired = true;
    missing--;
  }
  if (missing > 0 && !isOpen) throw new Unmeetable(path);
  // two free keys may be the same one
  if (missing > 1)
    throw refusal("minProperties", path, "is held up to one more than the declared properties");
  return { needsFree: Math.max(0, missing), mostFree: Math.min(most - properties.length, most) };
}

/** The members in order, with commas between those that are there: two rules a property, before and after a first one. */
function members(
  properties: readonly Property[],
  others: { rule: string; least: number; most: number } | undefined,
  comma: string,
  rules: Rules,
): string {
  let after = '""';
  let first = '""';
  if (others !== undefined) {
    const most = others.most > MAX_REPETITIONS ? Number.POSITIVE_INFINITY : others.most;
    const next = rules.add(`${comma} ${others.rule}`);
    after = repeat(next, others.least, most);
    const some = `${others.rule} ${repeat(next, Math.max(0, others.least - 1), most - 1)}`;
    first = others.least > 0 ? some : `(${some})?`;
  }
  for (const { isRequired, rule } of properties.toReversed()) {
    const tail = rules.add(after);
    if (isRequired) {
      first = `${rule} ${tail}`;
      after = `${comma} ${rule} ${tail}`;
    } else {
      first = oneOf([`${rule} ${tail}`, rules.add(first)]);
      after = `(${comma} ${rule})? ${tail}`;
    }
  }
  return first;
}

/** Undefined where no value can meet the schema. */
function attempt(compile: () => string): string | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof Unmeetable) return undefined;
    throw error;
  }
}
