/** The environment layer: variables over the file or profile. */

import { didYouMean } from "../core/nearest.ts";
import { applyProviderVariables } from "./env-providers.ts";
import { ENV_VARIABLES, OTHER_VARIABLES } from "./env-table.ts";
import { type Environment, type LayerSink, setFromText } from "./layer.ts";
import { parseText } from "./leaf.ts";
import { setPath, splitPath, type Tree } from "./tree.ts";

/** Writes what the environment says into the raw tree. An empty variable counts as not set. */
export function applyEnvironment(tree: Tree, env: Environment, sink: LayerSink): void {
  for (const variable of ENV_VARIABLES) {
    const text = env[variable.name];
    if (text) setFromText(tree, variable, text, sink);
  }
  applyDebugVariables(tree, env, sink);
  const leftOver = Object.keys(env).filter(
    (name) => name.startsWith("LLMSPELL_") && env[name] && !isKnown(name),
  );
  for (const name of applyProviderVariables(tree, env, leftOver, sink)) {
    const near = didYouMean(name, KNOWN);
    sink.warn(`Environment variable ${name} is unknown and ignored${near === undefined ? "" : `. ${near}`}`);
  }
}

/** `LLMSPELL_DEBUG_OUTPUT=stdout,colored,file:P` and `LLMSPELL_DEBUG_MODULES=+a,-b`. */
function applyDebugVariables(tree: Tree, env: Environment, sink: LayerSink): void {
  const set = (path: string, variable: string, value: unknown) => {
    setPath(tree, splitPath(path), value);
    sink.origin(path, variable);
  };
  const output = entries(env.LLMSPELL_DEBUG_OUTPUT);
  if (output !== undefined) {
    const name = "LLMSPELL_DEBUG_OUTPUT";
    const wrong = output.find((entry) => !["stdout", "colored"].includes(entry) && !/^file:./.test(entry));
    if (wrong !== undefined) {
      sink.fail(
        `Environment variable ${name}: must list stdout, colored or file:PATH: "${wrong}"`,
        "debug.output",
      );
      return;
    }
    set("debug.output.stdout", name, output.includes("stdout"));
    set("debug.output.colored", name, output.includes("colored"));
    const file = output.find((entry) => entry.startsWith("file:"));
    if (file !== undefined) set("debug.output.file.path", name, file.slice("file:".length));
  }
  const modules = entries(env.LLMSPELL_DEBUG_MODULES);
  if (modules !== undefined) {
    const off = (entry: string) => entry.startsWith("-");
    const bare = (entry: string) => entry.replace(/^[+-]/, "");
    const name = "LLMSPELL_DEBUG_MODULES";
    set("debug.module_filters.enabled", name, modules.filter((entry) => !off(entry)).map(bare));
    set("debug.module_filters.disabled", name, modules.filter(off).map(bare));
  }
}

function entries(text: string | undefined): string[] | undefined {
  if (!text) return undefined;
  const parsed = parseText({ type: "array" }, text);
  return Array.isArray(parsed) ? parsed : undefined;
}

const KNOWN: ReadonlySet<string> = new Set([...ENV_VARIABLES, ...OTHER_VARIABLES].map(({ name }) => name));
/** Families that documents of the reference name and that have no key here. */
const FOREIGN_FAMILIES =
  /^LLMSPELL_(API_KEY|TENANT|SERVICE|METRICS|HEALTH|PROFILE|TRACE|LOG|MEMORY|STORAGE|WEB|ENV$)/;

function isKnown(name: string): boolean {
  return KNOWN.has(name) || FOREIGN_FAMILIES.test(name);
}
