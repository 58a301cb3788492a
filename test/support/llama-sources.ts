import { existsSync } from "node:fs";
import { join } from "node:path";
import { llamaSources } from "../../native/sources.ts";

/** The path of a file of llama.cpp's release, such as `models/ggml-vocab-gpt-2.gguf`. */
export function releaseFile(path: string): string {
  const file = join(llamaSources(), path);
  if (!existsSync(file)) throw new Error(`llama.cpp's release has no such file: ${path}`);
  return file;
}
