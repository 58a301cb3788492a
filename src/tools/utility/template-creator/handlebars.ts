/**
 * Handlebars templates, strict: a missing variable is an error. The parser is Handlebars' own; its syntax tree is walked
 * here instead of being compiled to JavaScript, so that no template reaches a prototype, runs as code or runs for ever.
 */
import { type AST, parse } from "@handlebars/parser";
import { messageOf } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/nearest.ts";
import { isPlainObject } from "../../../core/values.ts";
import { Budget, Output } from "./budget.ts";
import { HELPERS, isTrue } from "./handlebars-helpers.ts";
import { checkNesting } from "./handlebars-nesting.ts";
import { display, escapeWith, member, missingVariable, templateError } from "./values.ts";

const HTML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#x27;",
  "`": "&#x60;",
  "=": "&#x3D;",
};

/** What a place of the template sees: `this`, `@data`, block parameters, and the frame around it for `../`. */
interface Frame {
  readonly context: unknown;
  readonly data: Readonly<Record<string, unknown>>;
  readonly locals: ReadonlyMap<string, unknown>;
  readonly outer?: Frame | undefined;
}

/** @throws SpellError invalid_argument with `data.line`, limit, timeout */
export function renderHandlebars(template: string, context: unknown, timeoutMs: number): string {
  const out = new Output(new Budget(timeoutMs));
  new Renderer(out).program(parseTemplate(template), {
    context,
    data: { root: context },
    locals: new Map(),
  });
  return out.toString();
}

function parseTemplate(template: string): AST.Program {
  checkNesting(template);
  try {
    return parse(template);
  } catch (error) {
    if (error instanceof RangeError) throw templateError("nested too deep");
    const [place = "", ...rest] = messageOf(error).split("\n");
    const line = /line (\d+)/.exec(place)?.[1];
    throw templateError(rest.at(-1) ?? place, line === undefined ? undefined : Number(line));
  }
}

type Call = Pick<AST.MustacheStatement, "path" | "params" | "hash" | "loc">;

class Renderer {
  private readonly partials = new Map<string, AST.Program>();

  constructor(private readonly out: Output) {}

  program(program: AST.Program | undefined | null, frame: Frame): void {
    if (program === undefined || program === null) return;
    this.out.budget.nested(() => {
      for (const statement of program.body) this.statement(statement, frame);
    });
  }

  private statement(node: AST.Statement, frame: Frame): void {
    switch (node.type) {
      case "ContentStatement":
        this.out.write((node as AST.ContentStatement).value);
        return;
      case "CommentStatement":
        return;
      case "MustacheStatement": {
        const { escaped } = node as AST.MustacheStatement;
        const value = this.call(node as AST.MustacheStatement, frame, true);
        this.out.write(escaped ? escapeWith(value, HTML, /[&<>"'`=]/g) : display(value));
        return;
      }
      case "BlockStatement":
        this.block(node as AST.BlockStatement, frame);
        return;
      case "DecoratorBlock":
        this.inlinePartial(node as AST.DecoratorBlock, frame);
        return;
      case "PartialStatement":
        this.partial(node as AST.PartialStatement, frame);
        return;
      default:
        throw templateError(`'${node.type}' is not available`, node.loc.start.line);
    }
  }

  private block(node: AST.BlockStatement, frame: Frame): void {
    const name = node.path.original;
    const line = node.loc.start.line;
    const argument = () => {
      if (node.params.length !== 1) throw templateError(`'#${name}' takes one value`, line);
      return this.value(node.params[0]!, frame, false);
    };
    switch (name) {
      case "if":
      case "unless": {
        const value = argument();
        const includesZero = value === 0 && this.hash(node.hash, frame).get("includeZero") === true;
        const holds = (isTrue(value) || includesZero) === (name === "if");
        this.program(holds ? node.program : node.inverse, frame);
        return;
      }
      case "with": {
        const value = argument();
        if (isTrue(value)) this.inner(node, frame, value, {}, [value]);
        else this.program(node.inverse, frame);
        return;
      }
      case "raw":
        this.program(node.program, frame);
        return;
      case "each":
        this.each(node, frame, argument());
        return;
      default:
        this.section(node, frame);
    }
  }

  /** `{{#items}}`: a list is gone through, another true value becomes `this`. */
  private section(node: AST.BlockStatement, frame: Frame): void {
    const value = this.call(node, frame, false);
    if (Array.isArray(value) && value.length > 0) this.each(node, frame, value);
    else if (!isTrue(value)) this.program(node.inverse, frame);
    else if (value === true) this.program(node.program, frame);
    else this.inner(node, frame, value, {}, [value]);
  }

  private each(node: AST.BlockStatement, frame: Frame, value: unknown): void {
    const entries: [string | number, unknown][] = Array.isArray(value)
      ? value.map((item, i) => [i, item])
      : isPlainObject(value)
        ? Object.entries(value)
        : [];
    if (entries.length === 0) this.program(node.inverse, frame);
    for (const [index, [key, item]] of entries.entries()) {
      this.out.budget.step();
      const data = { key, index, first: index === 0, last: index === entries.length - 1 };
      this.inner(node, frame, item, data, [item, key]);
    }
  }

  private inner(
    node: AST.BlockStatement,
    outer: Frame,
    context: unknown,
    data: Record<string, unknown>,
    params: readonly unknown[],
  ): void {
    const names = node.program.blockParams ?? [];
    const locals = names.length === 0 ? outer.locals : new Map(outer.locals);
    for (const [i, name] of names.entries()) (locals as Map<string, unknown>).set(name, params[i]);
    this.program(node.program, { context, data: { ...outer.data, ...data }, locals, outer });
  }

  private inlinePartial(node: AST.DecoratorBlock, frame: Frame): void {
    if (node.path.original !== "inline" || node.params.length !== 1)
      throw templateError(`unknown decorator '${node.path.original}'`, node.loc.start.line);
    this.partials.set(display(this.value(node.params[0]!, frame, true)), node.program);
  }

  private partial(node: AST.PartialStatement, frame: Frame): void {
    const name =
      node.name.type === "SubExpression"
        ? display(this.value(node.name, frame, true))
        : String((node.name as AST.PathExpression).original);
    const program = this.partials.get(name);
    const line = node.loc.start.line;
    if (program === undefined) {
      throw templateError(
        `unknown partial '${name}'`,
        line,
        `Define it in the template: {{#*inline "${name}"}}…{{/inline}}`,
      );
    }
    const base = node.params.length === 0 ? frame.context : this.value(node.params[0]!, frame, true);
    const hash = this.hash(node.hash, frame);
    const context =
      hash.size === 0 ? base : { ...(isPlainObject(base) ? base : {}), ...Object.fromEntries(hash) };
    this.program(program, { ...frame, context, outer: frame });
  }

  /** A helper with its arguments, or a variable. */
  private call(node: Call, frame: Frame, isStrict: boolean): unknown {
    const { path, params, loc } = node;
    if (path.type !== "PathExpression") return this.value(path as AST.Expression, frame, isStrict);
    const name = (path as AST.PathExpression).original;
    const helper = (path as AST.PathExpression).depth === 0 ? HELPERS.get(name) : undefined;
    if (
      helper !== undefined &&
      (params.length > 0 || this.resolve(path as AST.PathExpression, frame) === undefined)
    ) {
      const result = helper(...params.map((param) => this.value(param, frame, false)));
      return typeof result === "string" ? this.out.budget.text(result) : result;
    }
    if (params.length > 0 || node.hash?.pairs.length) {
      throw templateError(`unknown helper '${name}'`, loc.start.line, didYouMean(name, HELPERS.keys()));
    }
    return this.value(path as AST.PathExpression, frame, isStrict);
  }

  private value(node: AST.Expression, frame: Frame, isStrict: boolean): unknown {
    switch (node.type) {
      case "StringLiteral":
      case "NumberLiteral":
      case "BooleanLiteral":
        return (node as AST.StringLiteral | AST.NumberLiteral | AST.BooleanLiteral).value;
      case "NullLiteral":
        return null;
      case "UndefinedLiteral":
        return undefined;
      case "SubExpression":
        return this.out.budget.nested(() => this.call(node as AST.SubExpression, frame, isStrict));
      default: {
        const path = node as AST.PathExpression;
        const value = this.resolve(path, frame);
        if (value === undefined && isStrict) {
          throw missingVariable(path.original, path.loc.start.line, "Put it into the context");
        }
        return value;
      }
    }
  }

  private resolve(path: AST.PathExpression, frame: Frame): unknown {
    const [head, ...rest] = path.parts as string[];
    if (path.data) {
      const data = ancestor(frame, path.depth)?.data ?? {};
      return rest.reduce<unknown>(member, member(data, head));
    }
    const isScoped = path.depth > 0 || /^(?:this\b|\.)/.test(path.original);
    if (!isScoped && head !== undefined && frame.locals.has(head))
      return rest.reduce<unknown>(member, frame.locals.get(head));
    return (path.parts as string[]).reduce<unknown>(member, ancestor(frame, path.depth)?.context);
  }

  private hash(hash: AST.Hash | undefined, frame: Frame): Map<string, unknown> {
    return new Map(hash?.pairs.map(({ key, value }) => [key, this.value(value, frame, true)]));
  }
}

function ancestor(frame: Frame | undefined, depth: number): Frame | undefined {
  let found = frame;
  for (let i = 0; i < depth; i++) found = found?.outer;
  return found;
}
