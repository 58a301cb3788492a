import type { Budget } from "../budget.ts";
import { member } from "../values.ts";

export type Macro = (args: ReadonlyMap<string, unknown>, scope: Scope) => unknown;

/** The variables that a place of the template sees. */
export class Scope {
  private readonly own = new Map<string, unknown>();

  constructor(
    readonly context: unknown,
    readonly budget: Budget,
    readonly macros: Map<string, Macro>,
    private readonly parent?: Scope,
  ) {}

  child(): Scope {
    return new Scope(this.context, this.budget, this.macros, this);
  }

  /** A scope that sees only what is set in it: the body of a macro. */
  isolated(): Scope {
    return new Scope({}, this.budget, this.macros);
  }

  get(name: string): unknown {
    if (this.own.has(name)) return this.own.get(name);
    if (this.parent !== undefined) return this.parent.get(name);
    return name === "__tera_context" ? this.context : member(this.context, name);
  }

  set(name: string, value: unknown): void {
    this.own.set(name, value);
  }

  setGlobal(name: string, value: unknown): void {
    if (this.parent === undefined) this.own.set(name, value);
    else this.parent.setGlobal(name, value);
  }
}
