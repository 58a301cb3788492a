/** Seeded JSON Schemas of every keyword that answers are held to, and patterns of the supported part. */
import { uniform } from "../../support/random.ts";

type Node = Record<string, unknown>;

export class SchemaSource {
  private readonly random: () => number;
  private readonly definitions: Node = {};

  constructor(seed: number) {
    this.random = uniform(seed);
  }

  /** A schema with its `$defs`. */
  document(): Node {
    const isTree = this.chance(0.2);
    if (isTree)
      this.definitions.tree = {
        type: "object",
        properties: {
          value: this.scalar(),
          next: { anyOf: [{ type: "null" }, { $ref: "#/$defs/tree" }] },
        },
        required: ["next"],
      };
    if (this.chance(0.3)) this.definitions.leaf = this.scalar();
    const root = this.chance(0.8) ? this.object(3) : this.schema(3);
    return Object.keys(this.definitions).length === 0 ? root : { ...root, $defs: this.definitions };
  }

  private schema(depth: number): Node {
    const names = Object.keys(this.definitions);
    if (names.length > 0 && this.chance(0.15)) return { $ref: `#/$defs/${this.pick(names)}` };
    if (depth <= 0) return this.scalar();
    return this.pick([
      () => this.scalar(),
      () => this.scalar(),
      () => this.object(depth - 1),
      () => this.array(depth - 1),
      () => ({ anyOf: this.several(1, 3, () => this.schema(depth - 1)) }),
      () => ({
        oneOf: [this.string(), this.integer(), { type: "null" }, this.array(depth - 1)].slice(
          this.count(0, 2),
        ),
      }),
      () => ({ allOf: [this.object(depth - 1), this.object(depth - 1)] }),
      () => this.tagged(depth - 1),
      () => ({ ...this.integer(), ...this.string(), type: ["string", "integer", "boolean"] }),
    ])();
  }

  private scalar(): Node {
    return this.pick([
      () => this.string(),
      () => this.integer(),
      () => this.number(),
      () => ({ type: "boolean" }),
      () => ({ enum: this.several(1, 4, () => this.value()) }),
      () => ({ const: this.value() }),
    ])();
  }

  private string(): Node {
    const node: Node = { type: "string" };
    if (this.chance(0.35)) return { ...node, pattern: this.pattern() };
    if (this.chance(0.25))
      return {
        ...node,
        format: this.pick(["date", "time", "date-time", "uuid", "ipv4", "email", "hostname", "uri"]),
      };
    const least = this.count(0, 4);
    if (this.chance(0.5)) node.minLength = least;
    if (this.chance(0.7)) node.maxLength = least + this.count(0, 6);
    return node;
  }

  private integer(): Node {
    const node: Node = {
      type: "integer",
      ...this.bounds((size) => Math.round((this.random() - 0.5) * size)),
    };
    if ("minimum" in node && "maximum" in node && this.chance(0.2))
      return { ...node, maximum: (node.minimum as number) + 60, multipleOf: this.count(2, 9) };
    return node;
  }

  private number(): Node {
    return {
      type: "number",
      ...this.bounds((size) => Number(((this.random() - 0.5) * size).toFixed(this.count(0, 4)))),
    };
  }

  private bounds(draw: (size: number) => number): Node {
    const size = this.pick([4, 30, 1000, 1e6]);
    const [a, b] = [draw(size), draw(size)].sort((x, y) => x - y) as [number, number];
    const node: Node = {};
    if (this.chance(0.6)) node[this.chance(0.7) ? "minimum" : "exclusiveMinimum"] = a;
    if (this.chance(0.6)) node[this.chance(0.7) ? "maximum" : "exclusiveMaximum"] = b + 2;
    return node;
  }

  private array(depth: number): Node {
    const node: Node = { type: "array" };
    const least = this.count(0, 3);
    if (this.chance(0.25)) node.prefixItems = this.several(1, 3, () => this.schema(depth));
    if (this.chance(0.8)) node.items = this.schema(depth);
    if (this.chance(0.5)) node.minItems = least;
    if (this.chance(0.8)) node.maxItems = least + this.count(0, 3);
    return node;
  }

  private object(depth: number): Node {
    const names = this.several(0, 5, () => this.name()).filter((name, i, all) => all.indexOf(name) === i);
    const node: Node = {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, this.schema(depth)])),
      required: names.filter(() => this.chance(0.5)),
    };
    if (this.chance(0.2)) node.additionalProperties = false;
    else if (this.chance(0.25)) node.additionalProperties = this.scalar();
    if (this.chance(0.1)) node.minProperties = Math.min(2, names.length);
    if (this.chance(0.1))
      node.maxProperties = Math.max(1, (node.required as string[]).length, names.length - 1);
    return node;
  }

  /** Alternatives told apart by a property. */
  private tagged(depth: number): Node {
    return {
      oneOf: ["circle", "square", "line"].slice(this.count(0, 1)).map((kind) => ({
        type: "object",
        properties: { kind: { const: kind }, size: this.schema(depth) },
        required: ["kind"],
      })),
    };
  }

  private value(): unknown {
    return this.pick([
      () => this.name(),
      () => this.count(-9, 99),
      () => this.random() * 10,
      () => null,
      () => true,
      () => ({ a: [this.name(), 1] }),
      () => 'quote " slash \\ line\n',
    ])();
  }

  private name(): string {
    return this.pick([
      "id",
      "name",
      "größe",
      "a b",
      'a"b',
      "tags",
      "x",
      "nested",
      "idx",
      "__a",
      "/~",
      "c\\d",
    ]);
  }

  private pattern(): string {
    const anchors = this.pick(["both", "start", "end", "none"]);
    const body = this.alternatives(2);
    const inner = body.includes("|") ? `(?:${body})` : body;
    return `${/both|start/.test(anchors) ? "^" : ""}${inner}${/both|end/.test(anchors) ? "$" : ""}`;
  }

  private alternatives(depth: number): string {
    const one = () => this.several(1, 3, () => this.repeated(depth)).join("");
    return this.chance(0.25) ? `${one()}|${one()}` : one();
  }

  private repeated(depth: number): string {
    const atom =
      depth > 0 && this.chance(0.2)
        ? `(${this.alternatives(depth - 1)})`
        : this.pick([
            "a",
            "Z",
            "7",
            "é",
            "[a-f]",
            "[^x-z]",
            "\\d",
            "\\w",
            "\\s",
            ".",
            "\\.",
            '"',
            "\\\\",
            "[\\d_-]",
            "\\u0041",
            "\\W",
          ]);
    return (
      atom +
      this.pick(["", "", "", "+", "{2}", "{1,3}", "?"]).replace(/^[?]$/, atom.startsWith("(") ? "" : "?")
    );
  }

  private pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.random() * all.length)]!;
  }

  private chance(share: number): boolean {
    return this.random() < share;
  }

  private count(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  private several<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: this.count(least, most) }, make);
  }
}
