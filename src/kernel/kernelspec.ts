/** The kernelspec: how Jupyter learns that this kernel exists and how it is started (spec/kernel.md section 4). */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../core/errors.ts";
import { ioError } from "../core/io-error.ts";
import { homeDirectory } from "../core/paths.ts";

const NAME = "llmspell";

export type KernelspecPlace =
  | { type: "user" }
  | { type: "sys-prefix" }
  | { type: "prefix"; directory: string };

export interface Kernelspec {
  /** The directory with `kernel.json`, which Jupyter searches for. */
  directory: string;
  argv: string[];
}

type Env = Record<string, string | undefined>;

/**
 * Writes the kernelspec in place of one that is there.
 * @param program the words that run this program
 * @param flags global flags that the kernel is to be started with
 * @throws SpellError usage, io
 */
export function installKernelspec(
  place: KernelspecPlace,
  env: Env,
  program: readonly string[],
  flags: readonly string[],
): Kernelspec {
  const directory = join(dataDirectoryOf(place, env), "kernels", NAME);
  // a notebook may stand open for days: the server that started the kernel says when it ends
  const words = ["kernel", "start", "--connection-file", "{connection_file}", "--idle-timeout", "0"];
  const argv = [...program, ...flags, ...words];
  const document = {
    argv,
    display_name: "LLMSpell",
    language: "lua",
    interrupt_mode: "message",
    metadata: { debugger: false },
  };
  const path = join(directory, "kernel.json");
  const aside = join(directory, `.kernel.json.${process.pid}`);
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(aside, `${JSON.stringify(document, null, 2)}\n`);
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw ioError("Cannot install the kernelspec", path, cause);
  }
  return { directory, argv };
}

/** As jupyter_core finds it (docs.jupyter.org/en/latest/use/jupyter-directories.html). */
function dataDirectoryOf(place: KernelspecPlace, env: Env): string {
  if (place.type === "prefix") return join(place.directory, "share", "jupyter");
  if (place.type === "sys-prefix") {
    const prefix = env.VIRTUAL_ENV || env.CONDA_PREFIX;
    if (prefix) return join(prefix, "share", "jupyter");
    throw new SpellError("usage", "Cannot install into the Python environment: none is active", {
      hint: "Activate one (VIRTUAL_ENV or CONDA_PREFIX), or name its directory with --prefix",
    });
  }
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  const home = homeDirectory(env);
  if (process.platform === "darwin") return join(home, "Library", "Jupyter");
  if (process.platform === "win32") return join(env.APPDATA || join(home, "AppData", "Roaming"), "jupyter");
  return join(env.XDG_DATA_HOME || join(home, ".local", "share"), "jupyter");
}
