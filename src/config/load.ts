/** Puts the configuration together: one source, the environment over it, then checks. Spec/cli.md section 3. */
import { SpellError } from "../core/errors.ts";
import { dataDirectory } from "../core/paths.ts";
import { adviseOn } from "./advice.ts";
import { decode } from "./decode.ts";
import { type ConfigFile, discoverFile, readNamedFile } from "./discover.ts";
import { applyEnvironment } from "./environment.ts";
import type { Environment } from "./layer.ts";
import { ROOT } from "./node.ts";
import { providerType } from "./provider-types.ts";
import { type ConfigProblem, type ConfigWarning, Report } from "./report.ts";
import { checkRules } from "./rules.ts";
import { type Config, providerEntries } from "./schema.ts";
import { moveSpellings, replaceWords } from "./spellings.ts";
import { splitPath, type Tree } from "./tree.ts";
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
): Promise<LoadedConfig & { problems: readonly ConfigProblem[] }> {
  const { label, text, file } = source;
  const toml = text === undefined ? undefined : await import("./toml.ts");
  const tree: Tree = toml === undefined ? {} : toml.parseToml(text!, label);
  const report = new Report({
    source: label,
    env,
    home,
    lineOf: (path) => toml?.lineOfKey(text!, splitPath(path)),
  });

  moveSpellings(tree);
  const ignoredUntrusted = file === undefined ? [] : distrust(tree, file, dataDirectory(env), report);
  applyEnvironment(tree, env, report);
  replaceWords(tree, report);
  const config = decode(ROOT, tree, [], report) as Config;
  // Values that did not decode are missing: rules would stumble over them.
  if (report.problems.length === 0) {
    completeProviders(config);
    checkRules(config, report);
    adviseOn(config, env, cwd, report);
  }
  const { keysSet: explicit, warnings, problems } = report;
  return { config, source: label, explicit, warnings, ignoredUntrusted, problems };
}

function distrust(tree: Tree, file: ConfigFile, dataDir: string, report: Report): string[] {
  if (!file.stranger || isTrusted(dataDir, file.realPath, file.text)) return [];
  const removed = removeUntrusted(tree);
  if (removed.length > 0) {
    report.warn(
      `Ignored in ${file.path}, because the file was found and not named: ${removed.join(", ")}. ` +
        `Read the file, then run \`llmspell config trust ${file.path}\` to use it whole`,
    );
  }
  return removed;
}

/** Fills in what depends on a provider's name and type. */
export function completeProviders(config: Config): void {
  for (const [name, provider] of providerEntries(config)) {
    provider.name ??= name;
    for (const [key, value] of Object.entries(providerType(provider.provider_type)?.defaults ?? {}))
      provider[key] ??= value;
  }
}
