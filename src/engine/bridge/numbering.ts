/** Numbers for declared functions and classes, the same on both threads: they follow the order of declaration. */
import type { ClassDecl, FunctionDecl, GlobalDecl } from "../../globals/declare.ts";

export interface NumberedFunction {
  readonly number: number;
  /** The global's or class's name. */
  readonly owner: string;
  readonly name: string;
  readonly decl: FunctionDecl;
}

export interface NumberedClass {
  readonly number: number;
  readonly decl: ClassDecl;
  /** By name, aliases included. */
  readonly methods: ReadonlyMap<string, NumberedFunction>;
}

export interface NumberedGlobal {
  readonly decl: GlobalDecl;
  /** By name, aliases included. */
  readonly functions: ReadonlyMap<string, NumberedFunction>;
  readonly index: NumberedFunction | undefined;
}

export interface Numbering {
  readonly functions: readonly NumberedFunction[];
  readonly classes: readonly NumberedClass[];
  readonly globals: readonly NumberedGlobal[];
}

/** The name under which a global's `index` function crosses. */
const INDEX = "__index";

export function numberDeclarations(declared: readonly GlobalDecl[]): Numbering {
  const functions: NumberedFunction[] = [];
  const classes: NumberedClass[] = [];
  const add = (owner: string, name: string, decl: FunctionDecl): NumberedFunction => {
    const numbered = { number: functions.length, owner, name, decl };
    functions.push(numbered);
    return numbered;
  };
  const addAll = (owner: string, table: Record<string, FunctionDecl>): Map<string, NumberedFunction> => {
    const byName = new Map<string, NumberedFunction>();
    for (const [name, decl] of Object.entries(table)) {
      const numbered = add(owner, name, decl);
      for (const known of [name, ...(decl.aliases ?? [])]) byName.set(known, numbered);
    }
    return byName;
  };
  const globals = declared.map((decl) => {
    const own = addAll(decl.name, decl.functions);
    for (const cls of decl.classes ?? [])
      classes.push({ number: classes.length, decl: cls, methods: addAll(cls.name, cls.methods) });
    return { decl, functions: own, index: decl.index && add(decl.name, INDEX, decl.index) };
  });
  return { functions, classes, globals };
}
