import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { SpellError } from "../core/errors.ts";
import { isCompiled } from "../core/worker.ts";
import { type ExtractedSet, extractLibraries } from "./extract.ts";
import { GPU_LIBRARY } from "./library-set.ts";
import { placesFor } from "./places.ts";

let found: Promise<ExtractedSet> | undefined;

/**
 * The directory with llama.cpp's libraries and our shim: extracted from the executable at first use, `build/native` in
 * development. Memoised for the process.
 * @throws SpellError platform
 */
export function llamaLibraries(): Promise<ExtractedSet> {
  found ??= (isCompiled ? extractEmbedded() : builtLibraries()).catch((error) => {
    found = undefined;
    throw error;
  });
  return found;
}

/**
 * To be called when the libraries are loaded: a temporary set goes away at once (loaded libraries stay mapped), where
 * the system can remove files in use.
 */
export async function librariesLoaded(set: ExtractedSet): Promise<void> {
  if (!set.temporary || process.platform === "win32") return;
  if ((await readdir(set.directory)).some((name) => GPU_LIBRARY.test(name))) return; // loaded when they are wanted
  found = undefined;
  await rm(set.directory, { recursive: true, force: true });
}

async function extractEmbedded(): Promise<ExtractedSet> {
  const { files, hash } = await import("native:llama");
  const set = await extractLibraries(files, hash, placesFor());
  if (set.temporary) {
    const { rmSync } = await import("node:fs");
    process.once("exit", () => rmSync(set.directory, { recursive: true, force: true }));
  }
  return set;
}

async function builtLibraries(): Promise<ExtractedSet> {
  const directory = join(import.meta.dir, "../../build/native", `${process.platform}-${process.arch}`);
  if (!existsSync(directory))
    throw new SpellError("platform", `Cannot load llama.cpp: its libraries are not built: ${directory}`, {
      hint: 'Run "bun run build" first',
    });
  return { directory, temporary: false };
}
