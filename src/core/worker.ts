declare const LLMSPELL_COMPILED: boolean | undefined;
declare const LLMSPELL_WORKER_ROOT: string;

/** True inside the executable, false under `bun test` and other development runs. */
export const isCompiled = typeof LLMSPELL_COMPILED !== "undefined";

/**
 * Where a worker's entry file is. Inside the executable it is an absolute embedded path: a relative one that is not
 * embedded would be loaded from the user's current directory.
 * @param entry path below the project root without extension, listed in `build.ts`
 */
export function workerUrl(entry: string): string | URL {
  if (isCompiled) return `${LLMSPELL_WORKER_ROOT}${entry}.js`;
  return new URL(`../../${entry}.ts`, import.meta.url);
}
