import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type LoadedConfig, type LoadOptions, loadConfig } from "../../../src/config/load.ts";
import { getPath, splitPath } from "../../../src/config/tree.ts";
import { SpellError } from "../../../src/core/errors.ts";

/** A home and a working directory of their own, and loading from them. */
export class Place implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "llmspell-config-"));
  readonly cwd = join(this.root, "work");
  readonly home = join(this.root, "home");
  readonly env: Record<string, string> = { HOME: this.home, LLMSPELL_HOME: join(this.home, ".llmspell") };

  constructor() {
    mkdirSync(this.cwd);
    mkdirSync(this.home);
  }

  /** Writes a file below the root and gives its path. */
  write(path: string, content: string): string {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  options(extra: Partial<LoadOptions> = {}): LoadOptions {
    return { cwd: this.cwd, home: this.home, ...extra, env: { ...this.env, ...extra.env } };
  }

  load(extra: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
    return loadConfig(this.options(extra));
  }

  /** Loads a TOML text as a file the user named. */
  toml(text: string, env: Record<string, string> = {}): Promise<LoadedConfig> {
    return this.load({ configPath: this.write("work/named.toml", text), env });
  }

  /** The text of the failure that loading this TOML gives. */
  async failure(text: string, env: Record<string, string> = {}): Promise<string> {
    const error = await this.toml(text, env).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof SpellError) || error.code !== "config")
      throw new Error(`No config failure: ${error}`);
    return error.message;
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

export function valueAt(loaded: LoadedConfig, path: string): unknown {
  return getPath(loaded.config as never, splitPath(path));
}

export const messages = (loaded: LoadedConfig): string[] => loaded.warnings.map(({ message }) => message);
