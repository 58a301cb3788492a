/** Reading the configuration again while the kernel runs: what changed, and what of it counts at once. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { redact } from "../config/redact.ts";
import type { Config } from "../config/schema.ts";
import { parseToml } from "../config/toml.ts";
import { isTree, joinPath, setPath, splitPath, type Tree } from "../config/tree.ts";
import { SpellError } from "../core/errors.ts";
import { errnoOf, ioError } from "../core/io-error.ts";
import type { ConfigService } from "./services.ts";

export interface ConfigChange {
  /** Dotted. */
  key: string;
  /** Secrets replaced; null: not set. */
  old: unknown;
  new: unknown;
  /** False: it counts when the kernel starts again. */
  live: boolean;
}

/** Sections and keys that are read when they are needed. */
const LIVE =
  /^(health|shutdown|signals|log_rotation|runtime\.log_level|logging\.log_level|kernel\.(idle_timeout|max_clients|max_execution_time_secs|execution\.execution_timeout_secs))\b/;

/** Applies what differs between two states of the files; what flags or scripts have set stays. @throws SpellError config */
export function applyChanges(
  config: ConfigService,
  before: LoadedConfig,
  after: LoadedConfig,
): ConfigChange[] {
  const changes = [...differences(before.config as never, after.config as never, [])];
  if (changes.length > 0)
    config.update((draft) => {
      for (const { keys, value } of changes) setPath(draft as never, keys, value);
    });
  return changes.map(shown);
}

/** What differs between two states of the configuration, secrets replaced. */
export function configurationChanges(before: Config, after: Config): ConfigChange[] {
  return [...differences(before as never, after as never, [])].map(shown);
}

function shown({ keys, was, value }: Difference): ConfigChange {
  return {
    key: joinPath(keys),
    old: redact(was, keys) ?? null,
    new: redact(value, keys) ?? null,
    live: LIVE.test(joinPath(keys)),
  };
}

interface Difference {
  keys: string[];
  was: unknown;
  value: unknown;
}

function* differences(before: Tree, after: Tree, above: readonly string[]): Generator<Difference> {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, value, keys] = [before[key], after[key], [...above, key]];
    if (isTree(was) && isTree(value)) yield* differences(was, value, keys);
    else if (!Bun.deepEquals(was, value)) yield { keys, was, value };
  }
}

/** The keys of `kernel.toml` (spec/kernel.md section 10.1) and what they are called in the configuration. */
const KERNEL_FILE_KEYS: Readonly<Record<string, string>> = {
  log_level: "logging.log_level",
  max_connections: "health.max_connections",
  timeout_secs: "kernel.max_execution_time_secs",
};

/** Puts `kernel.toml` of the data directory, where there is one, over the configuration. @throws SpellError config, io */
export function applyKernelFile(config: ConfigService, dataDirectory: string): void {
  const path = join(dataDirectory, "kernel.toml");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return;
    throw ioError("Cannot read", path, cause);
  }
  const tree = parseToml(text, path);
  const unknown = Object.keys(tree).find((key) => !Object.hasOwn(KERNEL_FILE_KEYS, key));
  if (unknown !== undefined)
    throw new SpellError("config", `Cannot use ${path}: it has no key "${unknown}"`, {
      hint: `Its keys are ${Object.keys(KERNEL_FILE_KEYS).join(", ")}`,
    });
  config.update((draft) => {
    for (const [key, value] of Object.entries(tree))
      setPath(draft as never, splitPath(KERNEL_FILE_KEYS[key]!), value);
  });
}
