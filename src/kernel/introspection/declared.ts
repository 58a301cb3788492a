/** What the declarations of the globals know of a name. */
import type { ClassDecl, FunctionDecl } from "../../globals/declare.ts";
import { functionLines } from "../../globals/describe.ts";
import { globals } from "../../globals/index.ts";

function visible(functions: Record<string, FunctionDecl>): [string, FunctionDecl][] {
  return Object.entries(functions).filter(([, fn]) => !fn.internal);
}

function namesOf(functions: Record<string, FunctionDecl>): string[] {
  return visible(functions).flatMap(([name, fn]) => [name, ...(fn.aliases ?? [])]);
}

const classes = (): readonly ClassDecl[] => globals.flatMap((global) => global.classes ?? []);

export function globalNames(): string[] {
  return globals.map(({ name }) => name);
}

/** The functions of a global; undefined for a name that is none. */
export function functionNames(global: string): string[] | undefined {
  const found = globals.find(({ name }) => name === global);
  return found === undefined ? undefined : namesOf(found.functions);
}

/** The methods of every class: after a colon where nothing is known of the object. */
export function methodNames(): string[] {
  return classes().flatMap(({ methods }) => namesOf(methods));
}

/** Markdown about a global, or a function of one. */
export function describeDeclared(path: readonly string[]): string | undefined {
  const [global, name] = path;
  const found = globals.find((g) => g.name === global);
  if (found === undefined || path.length > 2) return undefined;
  if (name !== undefined) return describeFunction(`${found.name}.`, found.functions, name);
  const list = namesOf(found.functions).map((fn) => `- \`${found.name}.${fn}\``);
  return [found.doc, ...(list.length === 0 ? [] : ["", ...list])].join("\n");
}

/** Markdown about a method, of every class that has one of this name. */
export function describeMethod(name: string): string | undefined {
  const found = classes().flatMap((cls) => {
    const variable = cls.name.charAt(0).toLowerCase() + cls.name.slice(1);
    return describeFunction(`${variable}:`, cls.methods, name) ?? [];
  });
  return found.length === 0 ? undefined : found.join("\n\n");
}

function describeFunction(
  owner: string,
  functions: Record<string, FunctionDecl>,
  name: string,
): string | undefined {
  const found = visible(functions).find(([own, fn]) => own === name || fn.aliases?.includes(name));
  return found === undefined ? undefined : functionLines(owner, found[0], found[1]).join("\n");
}
