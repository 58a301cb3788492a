/** What stands for the program `ollama`: `serve` on the address of OLLAMA_HOST, until it is ended. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeOllama } from "./server.ts";

/**
 * Puts a program `ollama` into a directory.
 * @param fails ends at once with this text instead of serving
 */
export function installFakeOllama(directory: string, fails?: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "ollama");
  const serve = `exec '${process.execPath}' run '${import.meta.path}'`;
  const fail = `echo "${fails}" >&2; exit 1`;
  writeFileSync(path, `#!/bin/sh\n[ "$1" = serve ] || exit 2\n${fails === undefined ? serve : fail}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  await using server = await FakeOllama.start();
  return server.port;
}

if (import.meta.main) {
  const port = Number(process.env.OLLAMA_HOST?.split(":").at(-1));
  await FakeOllama.start({ port, models: { "llama3:latest": {} } });
  process.on("SIGTERM", () => process.exit(0));
}
