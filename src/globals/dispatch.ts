/** The kernel's side of a call from a script: finds the declaration, checks the arguments, runs the handler. */
import { SpellError } from "../core/errors.ts";
import type { CallTarget } from "../engine/engine.ts";
import type { RunContext, Services } from "../kernel/services.ts";
import { checkArgs } from "./check.ts";
import type { CallContext, FunctionDecl, GlobalDecl } from "./declare.ts";

type Handler = (ctx: CallContext<unknown>, ...args: unknown[]) => unknown;

export class Dispatcher {
  /** Functions by global or class name, aliases included. */
  private readonly tables = new Map<string, Map<string, FunctionDecl>>();

  constructor(
    globals: readonly GlobalDecl[],
    private readonly services: Services,
  ) {
    for (const global of globals) {
      this.add(global.name, global.functions, global.index);
      for (const cls of global.classes ?? []) this.add(cls.name, cls.methods);
    }
  }

  private add(name: string, functions: Record<string, FunctionDecl>, index?: FunctionDecl): void {
    const table = new Map(Object.entries(functions));
    for (const decl of Object.values(functions))
      for (const alias of decl.aliases ?? []) table.set(alias, decl);
    if (index !== undefined) table.set(INDEX, index);
    this.tables.set(name, table);
  }

  /** Runs a wait or post call. A method's target names the class and carries the object. */
  call(target: CallTarget, args: readonly unknown[], run: RunContext): unknown {
    const decl = this.tables.get(target.global)?.get(target.fn);
    const call = `${target.global}${target.object === undefined ? "." : ":"}${target.fn}`;
    if (decl === undefined || (decl.crossing !== "wait" && decl.crossing !== "post")) {
      throw new SpellError("internal", `Cannot call ${call}: no such function is declared`);
    }
    const ctx: CallContext<unknown> = { services: this.services, run, self: target.object };
    return (decl.handler as Handler)(ctx, ...checkArgs(call, decl.params, args));
  }
}

/** The name under which a global's `index` function is called. */
export const INDEX = "__index";
