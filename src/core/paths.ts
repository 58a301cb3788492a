import { homedir } from "node:os";
import { join } from "node:path";

/** Where all data of a user lives: `LLMSPELL_HOME`, else `~/.llmspell`. Nothing is created here. */
export function dataDirectory(env: Record<string, string | undefined> = process.env): string {
  return env.LLMSPELL_HOME || join(homeDirectory(env), ".llmspell");
}

export function homeDirectory(env: Record<string, string | undefined> = process.env): string {
  return env.HOME || env.USERPROFILE || homedir();
}
