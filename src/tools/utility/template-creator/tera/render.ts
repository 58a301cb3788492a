/** Tera templates: a template becomes functions that write its parts. Nothing is read from anywhere: no include, no extends. */

import { isPlainObject } from "../../../../core/values.ts";
import { Budget, Output } from "../budget.ts";
import { display, isTruthy, SafeText, templateError } from "../values.ts";
import { applyFilter, type Expression, parseExpression, required } from "./expression.ts";
import { escapeHtml } from "./filters.ts";
import { Reader } from "./reader.ts";
import { type Macro, Scope } from "./scope.ts";
import { tokenize } from "./tokens.ts";

type Part = (scope: Scope, out: Output) => Flow | undefined;
type Flow = "break" | "continue";

const ELSEWHERE = new Set(["include", "extends", "import"]);

/** @throws SpellError invalid_argument with `data.line`, limit, timeout */
export function renderTera(template: string, context: unknown, timeoutMs: number): string {
  const budget = new Budget(timeoutMs);
  const parser = new Parser(new Reader(tokenize(template)));
  const body = parser.template();
  const out = new Output(budget);
  body(new Scope(context, budget, parser.macros), out);
  return out.toString();
}

class Parser {
  readonly macros = new Map<string, Macro>();

  constructor(private readonly reader: Reader) {}

  template(): Part {
    const body = this.body([]);
    if (this.reader.token.kind !== "end") throw this.reader.unexpected();
    return body;
  }

  /** Parts up to a tag that `ends` names; that tag's `{%` and name are taken. */
  private body(ends: readonly string[]): Part {
    return this.reader.nested(() => {
      const parts: Part[] = [];
      for (;;) {
        const { kind, text } = this.reader.token;
        if (kind === "text") {
          this.reader.advance();
          parts.push((_scope, out) => void out.write(text));
        } else if (kind === "open" && text === "{{") parts.push(this.print());
        else if (kind === "open") {
          const tag = this.reader.next.text;
          if (ends.includes(tag)) return sequence(parts);
          parts.push(this.tag());
        } else {
          if (ends.length > 0) throw this.reader.unexpected(ends.map((end) => `'${end}'`).join(" or "));
          return sequence(parts);
        }
      }
    });
  }

  private print(): Part {
    const { line } = this.reader.advance();
    const value = parseExpression(this.reader);
    this.reader.expect("}}");
    return (scope, out) => void out.write(escapeHtml(required(value, scope, line)));
  }

  private tag(): Part {
    const { line } = this.reader.advance();
    const tag = this.reader.name();
    switch (tag) {
      case "if":
        return this.condition();
      case "for":
        return this.loop();
      case "set":
      case "set_global":
        return this.assignment(tag === "set_global");
      case "break":
      case "continue":
        this.close();
        return () => tag;
      case "filter":
        return this.filtered(line);
      case "macro":
        return this.macro(line);
      case "block": {
        const name = this.reader.name();
        this.close();
        const body = this.body(["endblock"]);
        this.end("endblock", name);
        return body;
      }
      default:
        throw templateError(
          ELSEWHERE.has(tag) ? `'${tag}' is not available: a template stands alone` : `unknown tag '${tag}'`,
          line,
        );
    }
  }

  private condition(): Part {
    const branches: [Expression, Part][] = [];
    let otherwise: Part | undefined;
    const branch = () => {
      const test = parseExpression(this.reader);
      this.close();
      branches.push([test, this.body(["elif", "else", "endif"])]);
    };
    branch();
    for (;;) {
      this.reader.advance();
      if (this.reader.takeName("elif")) branch();
      else if (this.reader.takeName("else")) {
        this.close();
        otherwise = this.body(["endif"]);
      } else break;
    }
    this.reader.name();
    this.close();
    return (scope, out) => {
      const taken = branches.find(([test]) => isTruthy(test(scope)))?.[1] ?? otherwise;
      return taken?.(scope, out);
    };
  }

  private loop(): Part {
    const names = [this.reader.name()];
    if (this.reader.take(",")) names.push(this.reader.name());
    if (!this.reader.takeName("in")) throw this.reader.unexpected("'in'");
    const { line } = this.reader.token;
    const items = parseExpression(this.reader);
    this.close();
    const body = this.body(["else", "endfor"]);
    let empty: Part | undefined;
    this.reader.advance();
    if (this.reader.takeName("else")) {
      this.close();
      empty = this.body(["endfor"]);
      this.reader.advance();
    }
    this.reader.name();
    this.close();
    return (scope, out) => {
      const entries = entriesOf(required(items, scope, line), names.length === 2, line);
      if (entries.length === 0) return empty?.(scope, out);
      for (const [index, entry] of entries.entries()) {
        out.budget.step();
        const inner = scope.child();
        for (const [i, name] of names.entries()) inner.set(name, entry[i]);
        const isLast = index === entries.length - 1;
        inner.set("loop", { index: index + 1, index0: index, first: index === 0, last: isLast });
        if (body(inner, out) === "break") break;
      }
      return undefined;
    };
  }

  private assignment(isGlobal: boolean): Part {
    const name = this.reader.name();
    this.reader.expect("=");
    const { line } = this.reader.token;
    const value = parseExpression(this.reader);
    this.close();
    return (scope) => {
      const result = required(value, scope, line);
      if (isGlobal) scope.setGlobal(name, result);
      else scope.set(name, result);
      return undefined;
    };
  }

  private filtered(line: number): Part {
    const names = [this.reader.name()];
    while (this.reader.take("|")) names.push(this.reader.name());
    this.close();
    const body = this.body(["endfilter"]);
    this.end("endfilter");
    return (scope, out) => {
      const inner = new Output(out.budget);
      body(scope, inner);
      const text = inner.toString();
      const value = names.reduce<Expression>(
        (v, name) => applyFilter(name, v, () => new Map(), line),
        () => text,
      );
      out.write(display(value(scope)));
      return undefined;
    };
  }

  private macro(line: number): Part {
    const name = this.reader.name();
    const params = new Map<string, Expression | undefined>();
    this.reader.expect("(");
    while (!this.reader.take(")")) {
      const param = this.reader.name();
      params.set(param, this.reader.take("=") ? parseExpression(this.reader) : undefined);
      if (!this.reader.take(",") && this.reader.token.text !== ")") throw this.reader.unexpected();
    }
    this.close();
    const body = this.body(["endmacro"]);
    this.end("endmacro", name);
    this.macros.set(name, (args, scope) =>
      scope.budget.nested(() => {
        const inner = scope.isolated();
        for (const [param, initial] of params) {
          const value = args.has(param) ? args.get(param) : initial?.(inner);
          if (value === undefined) throw templateError(`macro '${name}' needs the argument '${param}'`, line);
          inner.set(param, value);
        }
        const out = new Output(scope.budget);
        body(inner, out);
        return new SafeText(out.toString());
      }),
    );
    return () => undefined;
  }

  private close(): void {
    this.reader.expect("%}");
  }

  private end(tag: string, name?: string): void {
    this.reader.advance();
    if (!this.reader.takeName(tag)) throw this.reader.unexpected(`'${tag}'`);
    if (name !== undefined) this.reader.takeName(name);
    this.close();
  }
}

function sequence(parts: readonly Part[]): Part {
  return (scope, out) => {
    for (const part of parts) {
      const flow = part(scope, out);
      if (flow !== undefined) return flow;
    }
    return undefined;
  };
}

/** What a loop goes over: `[item]` each, or `[key, value]` for objects. */
function entriesOf(value: unknown, hasTwoNames: boolean, line: number): unknown[][] {
  if (isPlainObject(value) && hasTwoNames) return Object.entries(value);
  if (Array.isArray(value) && !hasTwoNames) return value.map((item) => [item]);
  if (typeof value === "string" && !hasTwoNames) return [...value].map((char) => [char]);
  throw templateError(
    hasTwoNames ? "'for key, value in' needs an object" : "'for … in' needs a list",
    line,
    hasTwoNames ? undefined : "Write `for key, value in` for an object",
  );
}
