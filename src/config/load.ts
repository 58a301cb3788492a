/** Puts the configuration together: one source, the environment over it, then checks. Spec/cli.md section 3. */
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { dataDirectory } from "../core/paths.ts";
import { adviseOn } from "./advice.ts";
import { decode } from "./decode.ts";
import { type ConfigFile, discoverFile, readNamedFile } from "./discover.ts";
import { applyEnvironment } from "./environment.ts";
import type { Environment } from "./layer.ts";
import { ROOT } from "./node.ts";
import { providerType } from "./provider-types.ts";
import { checkRules } from "./rules.ts";
import { type Config, providerEntries } from "./schema.ts";
import { moveSpellings, replaceWords } from "./spellings.ts";
import { joinPath, splitPath, type Tree } from "./tree.ts";
import { removeUntrusted } from "./trust-rule.ts";
import { isTrusted } from "./trust-store.ts";

export interface LoadOptions {
  /** `--profile`: wins over everything else. */
  profile?: string;
  /** `--config`. */
  configPath?: string;
  env: Environment;
  cwd: string;
  /** The user's home directory. */
  home: string;
}

export interface ConfigWarning {
  /** The key it is about. */
  path?: string;
  message: string;
}

export interface ConfigProblem {
  path: string;
  /** The whole text, with the field and what is wrong. */
  message: string;
}

export interface LoadedConfig {
  config: Config;
  /** `defaults`, `profile NAME`, or the path of the file. */
  source: string;
  /** Every key that was set, dotted, with who set it: the source, or the name of an environment variable. */
  explicit: ReadonlyMap<string, string>;
  warnings: readonly ConfigWarning[];
  /** Keys of a file found in the current directory that count only once the file is trusted. */
  ignoredUntrusted: readonly string[];
}

export interface Source {
  label: string;
  text?: string;
  /** Where the text is a file on disk. */
  file?: ConfigFile;
}

/** @throws config: missing file, TOML syntax, unknown profile, wrong value in file or environment */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { problems, ...loaded } = await examine(await selectSource(options), options);
  if (problems.length > 0) {
    throw new SpellError("config", problems[0]!.message, {
      data: { problems },
      hint:
        problems.length === 1
          ? "`llmspell config validate` shows all problems and warnings"
          : `${problems.length - 1} more: \`llmspell config validate\` shows all of them`,
    });
  }
  return loaded;
}

export async function selectSource(options: LoadOptions): Promise<Source> {
  const { env, cwd, home, configPath } = options;
  const profile = options.profile ?? (configPath === undefined ? env.LLMSPELL_PROFILE : undefined);
  if (profile) {
    const { profileText } = await import("./profiles.ts");
    const { name, text } = profileText(profile);
    return { label: `profile ${name}`, text };
  }
  const named = configPath ?? env.LLMSPELL_CONFIG;
  const file = named
    ? readNamedFile(named, cwd, configPath === undefined ? "LLMSPELL_CONFIG" : "--config")
    : discoverFile(env, cwd, home);
  return file === undefined ? { label: "defaults" } : { label: file.path, text: file.text, file };
}

/** The configuration of a source with everything that is wrong with it. @throws config for TOML that does not parse */
export async function examine(
  source: Source,
  { env, cwd, home }: LoadOptions,
): Promise<LoadedConfig & { problems: ConfigProblem[] }> {
  const warnings: ConfigWarning[] = [];
  const problems: ConfigProblem[] = [];
  const origins = new Map<string, string>();
  const explicit = new Map<string, string>();
  const warn = (message: string, path?: string) => {
    warnings.push(path === undefined ? { message } : { path, message });
  };

  const toml = source.text === undefined ? undefined : await import("./toml.ts");
  const tree: Tree = toml === undefined ? {} : toml.parseToml(source.text!, source.label);
  moveSpellings(tree);
  const ignoredUntrusted = distrust(tree, source.file, dataDirectory(env));
  if (ignoredUntrusted.length > 0) {
    warn(
      `Ignored in ${source.label}, because the file was found and not named: ${ignoredUntrusted.join(", ")}. ` +
        `Read the file, then run \`llmspell config trust ${source.label}\` to use it whole`,
    );
  }
  applyEnvironment(tree, env, {
    warn,
    fail: (message, path) => problems.push({ path, message }),
    origin: (path, variable) => origins.set(path, variable),
  });
  replaceWords(tree, (path, message) => warn(message, path));

  const problem = (path: string, reason: string) => {
    const variable = origins.get(path);
    const line = variable === undefined ? toml?.lineOfKey(source.text!, splitPath(path)) : undefined;
    const where = line === undefined ? "" : ` (${source.label}:${line})`;
    const by = variable === undefined ? "" : `Environment variable ${variable}: `;
    problems.push({
      path,
      message: `Configuration validation failed in field '${path}': ${by}${reason}${where}`,
    });
  };
  const config = decode(ROOT, tree, [], {
    set(keys) {
      const path = joinPath(keys);
      explicit.set(path, origins.get(path) ?? source.label);
    },
    problem: (keys, reason) => problem(joinPath(keys), reason),
    unknown(keys, known) {
      const hint = didYouMean(keys.at(-1)!, known);
      warn(
        `Unknown key ${joinPath(keys)} is ignored${hint === undefined ? "" : `. ${hint}`}`,
        joinPath(keys),
      );
    },
    expand(text, keys) {
      const path = joinPath(keys);
      const expanded = text.replace(/^~(?=$|[/\\])/, home);
      if (origins.has(path)) return expanded;
      return expanded.replace(/\$\{([A-Za-z_]\w*)\}/g, (_, name: string) => {
        const value = name === "HOME" ? (env.HOME ?? home) : env[name];
        if (value === undefined) warn(`Environment variable ${name} is not set; it counts as empty`, path);
        return value ?? "";
      });
    },
  }) as Config;
  // Values that did not decode are missing: rules would stumble over them.
  if (problems.length === 0) {
    completeProviders(config);
    checkRules(config, { problem });
    adviseOn(config, env, cwd, { warn, explicit: (path) => isSet(explicit, path) });
  }
  return { config, source: source.label, explicit, warnings, ignoredUntrusted, problems };
}

function distrust(tree: Tree, file: ConfigFile | undefined, dataDir: string): string[] {
  if (file === undefined || !file.stranger || isTrusted(dataDir, file.realPath, file.text)) return [];
  return removeUntrusted(tree);
}

/** Fills in what depends on a provider's name and type. */
export function completeProviders(config: Config): void {
  for (const [name, provider] of providerEntries(config)) {
    provider.name ??= name;
    for (const [key, value] of Object.entries(providerType(provider.provider_type)?.defaults ?? {}))
      provider[key] ??= value;
  }
}

/** Whether a key, or any key below a table, is among the set ones. */
export function isSet(explicit: ReadonlyMap<string, string>, path: string): boolean {
  if (explicit.has(path)) return true;
  for (const key of explicit.keys()) if (key.startsWith(`${path}.`)) return true;
  return false;
}
