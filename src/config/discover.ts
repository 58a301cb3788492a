/** Which file a configuration comes from: spec/cli.md section 3. */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, SpellError } from "../core/errors.ts";
import { dataDirectory } from "../core/paths.ts";
import type { Environment } from "./layer.ts";

const LARGEST_FILE_BYTES = 1_000_000;

export interface ConfigFile {
  /** As it is shown: what the user gave, or an absolute path. */
  path: string;
  /** Absolute, links resolved. */
  realPath: string;
  text: string;
  /** Found in the current directory, not named by the user: subject to the trust rule. */
  stranger: boolean;
}

/** A file the user named. @throws config when it is missing or unreadable */
export function readNamedFile(path: string, cwd: string, namedBy: string): ConfigFile {
  const absolute = resolve(cwd, path);
  if (!existsSync(absolute)) {
    throw new SpellError("config", `Configuration error: file not found: ${path}`, {
      data: { path },
      hint: `The file was given by ${namedBy}; correct the path, or leave it out to use the default configuration`,
    });
  }
  if (!isFile(absolute)) throw new SpellError("config", `Configuration error: not a regular file: ${path}`);
  return { ...readConfigFile(absolute), path, stranger: false };
}

/** The first configuration file in the order of precedence. */
export function discoverFile(env: Environment, cwd: string, home: string): ConfigFile | undefined {
  const [first, ...others] = ownFiles(env, home);
  for (const path of [first!, ...strangerFiles(cwd), ...others]) {
    if (!isFile(path)) continue;
    const file = readConfigFile(path);
    const own = [first!, ...others].some((own) => isFile(own) && realpathSync(own) === file.realPath);
    return { ...file, stranger: !own };
  }
  return undefined;
}

/** Files that only the user writes. */
export function ownFiles(env: Environment, home: string): string[] {
  const files = [
    join(dataDirectory(env), "config.toml"),
    join(home, ".llmspell.toml"),
    join(home, ".config", "llmspell.toml"),
  ];
  if (env.XDG_CONFIG_HOME) files.push(join(env.XDG_CONFIG_HOME, "llmspell", "config.toml"));
  return files;
}

export function strangerFiles(cwd: string): string[] {
  return ["llmspell.toml", ".llmspell.toml", "config/llmspell.toml", ".config/llmspell.toml"].map((name) =>
    join(cwd, name),
  );
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function readConfigFile(path: string): Omit<ConfigFile, "stranger"> {
  const sizeBytes = statSync(path).size;
  if (sizeBytes > LARGEST_FILE_BYTES) {
    throw new SpellError("config", `Configuration error: file is larger than 1 MB: ${path}`, {
      data: { path, sizeBytes },
    });
  }
  try {
    return { path, realPath: realpathSync(path), text: readFileSync(path, "utf8") };
  } catch (cause) {
    throw new SpellError("config", `Configuration error: cannot read ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
