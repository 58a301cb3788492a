/** The kernel's side of a call from a script: finds the declaration, checks the arguments, runs the handler. */
import { SpellError } from "../core/errors.ts";
import type { CallTarget } from "../engine/engine.ts";
import type { RunContext, Services } from "../kernel/services.ts";
import { checkArgs } from "./check.ts";
import type { CallContext, FunctionDecl, GlobalDecl } from "./declare.ts";

type Handler = (ctx: CallContext<unknown>, ...args: unknown[]) => unknown;

interface Called {
  readonly decl: FunctionDecl;
  /** As messages say it: `Tool.execute`, `AgentObject:execute`. */
  readonly call: string;
}

export class Dispatcher {
  /** Functions by global or class name, aliases included. */
  private readonly tables = new Map<string, Map<string, Called>>();

  constructor(
    globals: readonly GlobalDecl[],
    private readonly services: Services,
  ) {
    for (const global of globals) {
      this.add(`${global.name}.`, global.name, global.functions, global.index);
      for (const cls of global.classes ?? []) this.add(`${cls.name}:`, cls.name, cls.methods);
    }
  }

  private add(
    prefix: string,
    name: string,
    functions: Record<string, FunctionDecl>,
    index?: FunctionDecl,
  ): void {
    const table = new Map<string, Called>();
    const set = (fn: string, decl: FunctionDecl) => table.set(fn, { decl, call: prefix + fn });
    for (const [fn, decl] of Object.entries(functions)) set(fn, decl);
    for (const decl of Object.values(functions)) for (const alias of decl.aliases ?? []) set(alias, decl);
    if (index !== undefined) set(INDEX, index);
    this.tables.set(name, table);
  }

  /** Runs a wait or post call. A method's target names the class and carries the object. */
  call(target: CallTarget, args: readonly unknown[], run: RunContext): unknown {
    const called = this.tables.get(target.global)?.get(target.fn);
    if (called === undefined || (called.decl.crossing !== "wait" && called.decl.crossing !== "post")) {
      throw new SpellError(
        "internal",
        `Cannot call ${target.global}.${target.fn}: no such function is declared`,
      );
    }
    const { decl, call } = called;
    const ctx: CallContext<unknown> = { services: this.services, run, self: target.object };
    return (decl.handler as Handler)(ctx, ...checkArgs(call, decl.params, args));
  }
}

/** The name under which a global's `index` function is called. */
export const INDEX = "__index";
