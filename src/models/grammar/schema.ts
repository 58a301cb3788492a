/**
 * JSON Schema to a GBNF grammar all of whose texts are JSON that meets the schema. The other way round it is narrower:
 * declared properties come in order, numbers have 15 digits at most. What cannot be held is refused by name.
 */
import Schema from "typebox/schema";
import { stringifyJson } from "../../core/json.ts";
import { areDisjoint, both, typeOf, typesOf } from "./combine.ts";
import { arrays, type Inner, objects, SPACE } from "./containers.ts";
import { assertions, isNode, KEYWORDS_OF, type Node, type Type } from "./keywords.ts";
import { type Bounds, INTEGER, integers, multiples, NUMBER, numbers } from "./numbers.ts";
import { refusal, Unmeetable } from "./refusal.ts";
import { literal, oneOf, Rules } from "./rules.ts";
import { character, quoted, type StringLimits, strings } from "./strings.ts";

const MAX_DEPTH = 100;
const MAX_NODES = 20_000;
const MAX_VALUES = 10_000;

export interface SchemaGrammar {
  /** The rule of the whole value. */
  root: string;
  /** All rules, one a line, in GBNF. */
  rules: string;
}

/** @throws SpellError invalid_argument: names the keyword and its path */
export function schemaGrammar(schema: unknown): SchemaGrammar {
  const rules = new Rules();
  const root = new SchemaRules(schema, rules).root();
  return { root, rules: rules.toString() };
}

/** Adds the rules of one schema to those of others. */
export class SchemaRules {
  private readonly compiler: Compiler;

  /** @param place of the schema, for messages @throws SpellError invalid_argument */
  constructor(
    private readonly schema: unknown,
    rules: Rules,
    private readonly place = "#",
  ) {
    checkSize(schema, place);
    this.compiler = new Compiler(schema, rules);
  }

  /** The rule of a whole value. @throws SpellError invalid_argument: names the keyword and its path */
  root(): string {
    return this.ruleOf(this.schema, this.place);
  }

  /** The rule of one of its properties. @throws SpellError invalid_argument */
  property(name: string): string {
    const { properties } = this.schema as { properties: Record<string, unknown> };
    return this.ruleOf(properties[name], `${this.place}/properties/${name}`);
  }

  private ruleOf(schema: unknown, path: string): string {
    try {
      return this.compiler.rule(schema, path);
    } catch (error) {
      if (!(error instanceof Unmeetable)) throw error;
      throw refusal("schema", error.path, "cannot be met by any value");
    }
  }
}

function checkSize(schema: unknown, place: string): void {
  let nodes = 0;
  const pending: { value: unknown; depth: number }[] = [{ value: schema, depth: 0 }];
  while (pending.length > 0) {
    const { value, depth } = pending.pop()!;
    if (typeof value !== "object" || value === null) continue;
    if (depth > MAX_DEPTH) throw refusal("schema", place, `is nested deeper than ${MAX_DEPTH} levels`);
    nodes++;
    if (nodes > MAX_NODES) throw refusal("schema", place, `has more than ${MAX_NODES} parts`);
    for (const item of Object.values(value)) pending.push({ value: item, depth: depth + 1 });
  }
}

class Compiler implements Inner {
  private readonly referenced = new Map<string, string>();
  private anyValue: string | undefined;
  private work = 0;
  private depth = 0;

  constructor(
    private readonly document: unknown,
    readonly rules: Rules,
  ) {}

  rule(schema: unknown, path: string): string {
    this.step(path);
    this.depth++;
    try {
      if (schema === true || isEmpty(schema)) return this.any();
      if (schema === false) throw new Unmeetable(path);
      if (!isNode(schema)) throw refusal("schema", path, "must be a table of keywords, true or false");
      const own = assertions(schema, path);
      const keys = Object.keys(own);
      if (keys.length === 1 && keys[0] === "$ref") return this.reference(own.$ref as string, path);
      if (keys.length === 1 && keys[0] === "anyOf") return this.choice(own.anyOf as unknown[], path, "anyOf");
      if (keys.length === 1 && keys[0] === "oneOf") {
        this.checkDisjoint(own.oneOf as unknown[], path);
        return this.choice(own.oneOf as unknown[], path, "oneOf");
      }
      const { anyOf, ...rest } = this.flat(schema, path);
      if (anyOf === undefined) return this.rules.add(this.value(rest, path));
      return this.choice(
        (anyOf as unknown[]).map((one) => ({ allOf: [rest, one] })),
        path,
        "anyOf",
      );
    } finally {
      this.depth--;
    }
  }

  private step(path: string): void {
    this.work++;
    if (this.work > MAX_NODES) throw refusal("schema", path, "leads to a grammar without measure");
    if (this.depth > MAX_DEPTH) throw refusal("schema", path, `is nested deeper than ${MAX_DEPTH} levels`);
  }

  /** Those alternatives that can be met. */
  private choice(schemas: readonly unknown[], path: string, keyword: string): string {
    const alternatives = new Set<string>();
    for (const [i, schema] of schemas.entries()) {
      try {
        alternatives.add(this.rule(schema, `${path}/${keyword}/${i}`));
      } catch (error) {
        if (!(error instanceof Unmeetable)) throw error;
      }
    }
    if (alternatives.size === 0) throw new Unmeetable(path);
    return alternatives.size === 1 ? [...alternatives][0]! : this.rules.add(oneOf([...alternatives]));
  }

  private reference(ref: string, path: string): string {
    const known = this.referenced.get(ref);
    if (known !== undefined) return known;
    const target = this.target(ref, path);
    const name = this.rules.reserve();
    this.referenced.set(ref, name);
    try {
      this.rules.define(name, this.rule(target, ref));
      return name;
    } catch (error) {
      this.referenced.delete(ref);
      this.rules.define(name, "[]"); // what refers to it leads nowhere
      throw error;
    }
  }

  private target(ref: string, path: string): unknown {
    if (ref !== "#" && !ref.startsWith("#/"))
      throw refusal("$ref", path, `can lead to a place in the schema only, not to "${ref}"`);
    let at: unknown = this.document;
    for (const step of decodeURIComponent(ref).split("/").slice(1)) {
      const key = step.replace(/~1/g, "/").replace(/~0/g, "~");
      const isThere = typeof at === "object" && at !== null && Object.hasOwn(at, key);
      if (!isThere) throw refusal("$ref", path, `leads to nothing: "${ref}"`);
      at = (at as Record<string, unknown>)[key];
      if (isNode(at) && typeof at.$id === "string")
        throw refusal("$ref", path, `leads through an "$id": "${ref}"`);
    }
    return at;
  }

  /** A schema without `$ref`, `allOf` and `oneOf`; alternatives that are left stand in one `anyOf`. */
  private flat(schema: unknown, path: string): Node {
    this.step(path);
    this.depth++;
    try {
      if (schema === true) return {};
      if (schema === false) throw new Unmeetable(path);
      if (!isNode(schema)) throw refusal("schema", path, "must be a table of keywords, true or false");
      const { $ref, allOf, oneOf: exclusive, ...own } = assertions(schema, path);
      let node: Node = own;
      if (exclusive !== undefined) {
        this.checkDisjoint(exclusive as unknown[], path);
        node = both(node, { anyOf: exclusive }, path);
      }
      if ($ref !== undefined)
        node = both(this.flat(this.target($ref as string, path), $ref as string), node, path);
      for (const [i, part] of ((allOf as unknown[] | undefined) ?? []).entries())
        node = both(node, this.flat(part, `${path}/allOf/${i}`), path);
      return node;
    } finally {
      this.depth--;
    }
  }

  private checkDisjoint(schemas: readonly unknown[], path: string): void {
    const resolve = (schema: unknown) => {
      if (schema === undefined || schema === true) return {};
      try {
        return this.flat(schema, path);
      } catch (error) {
        if (error instanceof Unmeetable) return undefined;
        throw error;
      }
    };
    const nodes = schemas.map(resolve);
    for (const [i, node] of nodes.entries())
      for (const [j, other] of nodes.slice(0, i).entries())
        if (node !== undefined && other !== undefined && !areDisjoint(node, other, resolve))
          throw refusal("oneOf", path, `is held where its schemas exclude each other, ${j} and ${i} may not`);
  }

  private value(node: Node, path: string): string {
    if ("const" in node || "enum" in node) return this.listed(node, path);
    const types = node.type === undefined ? impliedTypes(node) : ([node.type].flat() as Type[]);
    if (types === undefined) return this.any();
    const asked = new Set(types);
    if (asked.has("number")) asked.delete("integer");
    const alternatives: string[] = [];
    let unmeetable = new Unmeetable(path);
    for (const type of asked) {
      try {
        alternatives.push(this.ofType(type, node, path));
      } catch (error) {
        if (!(error instanceof Unmeetable)) throw error;
        unmeetable = error;
      }
    }
    if (alternatives.length === 0) throw unmeetable;
    return oneOf(alternatives);
  }

  private ofType(type: Type, node: Node, path: string): string {
    switch (type) {
      case "null":
        return '"null"';
      case "boolean":
        return '("true" | "false")';
      case "string":
        return strings(node as StringLimits, path, this.rules);
      case "array":
        return arrays(node, path, this);
      case "object":
        return objects(node, path, this);
      default:
        return this.numeric(type === "integer", node, path);
    }
  }

  private numeric(isInteger: boolean, node: Node, path: string): string {
    const bounds: Bounds = Object.fromEntries(
      ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].flatMap((key) =>
        key in node ? [[key, node[key]]] : [],
      ),
    );
    const isBounded = Object.keys(bounds).length > 0;
    const factor = node.multipleOf as number | undefined;
    if (factor !== undefined && factor !== 1) {
      if (!Number.isSafeInteger(factor)) throw refusal("multipleOf", path, "is held for whole numbers only");
      const listed = multiples(bounds, BigInt(factor), path);
      if (listed === undefined)
        throw refusal("multipleOf", path, "is held between bounds with at most 500 multiples only");
      return listed;
    }
    if (isInteger || factor === 1) return isBounded ? integers(bounds, path) : INTEGER;
    return isBounded ? numbers(bounds, path) : NUMBER;
  }

  /** The values of `enum` or `const` that meet the keywords beside it. */
  private listed(node: Node, path: string): string {
    const { enum: list, const: constant, type, ...rest } = node;
    let values = "const" in node ? [constant] : (list as unknown[]);
    if ("const" in node && list !== undefined)
      values = values.filter((value) => (list as unknown[]).some((one) => Bun.deepEquals(one, value, true)));
    if (values.length > MAX_VALUES) throw refusal("enum", path, `has more than ${MAX_VALUES} values`);
    const types = typesOf(type);
    values = values.filter((value) => types.has(typeOf(value)));
    const keywords = Object.keys(rest);
    const isShaped = [...KEYWORDS_OF.object, ...KEYWORDS_OF.array].some((keyword) =>
      keywords.includes(keyword),
    );
    if (isShaped && values.some((value) => typeof value === "object" && value !== null))
      throw refusal("enum", path, "with lists and tables cannot be held beside keywords for these");
    if (keywords.length > 0) values = values.filter((value) => Schema.Check(rest as Schema.XSchema, value));
    if (values.length === 0) throw new Unmeetable(path);
    return oneOf(values.map((value) => literal(stringifyJson(value))));
  }

  private any(): string {
    if (this.anyValue !== undefined) return this.anyValue;
    const { rules } = this;
    const value = rules.reserve();
    this.anyValue = value;
    const ws = rules.add(SPACE);
    const text = rules.add(quoted(`${character(rules)}*`));
    const list = `"[" ${ws} (${value} ("," ${ws} ${value})*)? ${ws} "]"`;
    const object = `"{" ${ws} (${text} ":" ${ws} ${value} ("," ${ws} ${text} ":" ${ws} ${value})*)? ${ws} "}"`;
    rules.define(value, `${object} | ${list} | ${text} | ${NUMBER} | "true" | "false" | "null"`);
    return value;
  }
}

/** `{}`, also as Lua's empty table comes. */
function isEmpty(schema: unknown): boolean {
  return typeof schema === "object" && schema !== null && Object.keys(schema).length === 0;
}

/** Without a type, keywords say which are meant; undefined: any. */
function impliedTypes(node: Node): Type[] | undefined {
  const types = (Object.keys(KEYWORDS_OF) as (keyof typeof KEYWORDS_OF)[]).filter((type) =>
    KEYWORDS_OF[type].some((keyword) => node[keyword] !== undefined),
  );
  return types.length === 0 ? undefined : types;
}
