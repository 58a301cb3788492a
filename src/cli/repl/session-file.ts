/** Session files: the JSON of spec/kernel.md section 8.2. */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import { documentValue, parseJson } from "../../core/json.ts";
import type { ReplSession } from "./session.ts";
import { listVariables, setVariable, variableAsJson } from "./variables.ts";

interface SessionFile {
  working_dir: string;
  /** Values by name. */
  variables: Record<string, unknown>;
  history: string[];
  breakpoints: [];
  debug_context: null;
}

/** Functions and what else JSON cannot say is left out. @throws SpellError io */
export async function saveSession(
  session: ReplSession,
  path: string,
  shown: string,
): Promise<{ variables: number; leftOut: string[] }> {
  const variables: [string, unknown][] = [];
  const leftOut: string[] = [];
  for (const { name } of await listVariables(session)) {
    const json = await variableAsJson(session, name);
    if (json === undefined) leftOut.push(name);
    else variables.push([name, documentValue(parseJson(json))]);
  }
  const file: SessionFile = {
    working_dir: session.directory,
    variables: Object.fromEntries(variables),
    history: session.history,
    breakpoints: [],
    debug_context: null,
  };
  const aside = `${path}.${crypto.randomUUID()}`;
  try {
    writeFileSync(aside, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw ioError("Cannot save the session to", shown, error);
  }
  return { variables: variables.length, leftOut };
}

/** @returns how many variables were set @throws SpellError not_found, io, invalid_argument */
export async function loadSession(session: ReplSession, path: string, shown: string): Promise<number> {
  const { working_dir, variables, history } = readSession(path, shown);
  const values = Object.entries(variables);
  for (const [name, value] of values) await setVariable(session, name, JSON.stringify(documentValue(value)));
  session.history.splice(0, Number.POSITIVE_INFINITY, ...history.slice(-session.historySize));
  if (statSync(working_dir, { throwIfNoEntry: false })?.isDirectory()) session.directory = working_dir;
  return values.length;
}

function readSession(path: string, shown: string): SessionFile {
  const file = parseJson(readText(path, shown));
  if (isSession(file)) return file;
  throw new SpellError("invalid_argument", `Cannot load the session from '${shown}': it is none`, {
    hint: "`.save FILE` writes one",
  });
}

function readText(path: string, shown: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw ioError("Cannot load the session from", shown, error);
  }
}

function isSession(file: unknown): file is SessionFile {
  if (typeof file !== "object" || file === null) return false;
  const { working_dir, variables, history } = file as Partial<SessionFile>;
  return (
    typeof working_dir === "string" &&
    typeof variables === "object" &&
    variables !== null &&
    Array.isArray(history) &&
    history.every((input) => typeof input === "string")
  );
}
