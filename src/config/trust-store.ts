/**
 * Which configuration files the user trusts: one small file for each, named by the hash of its path and content. So a
 * changed file is a stranger again, and processes that trust at the same time do not meet.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

function recordPath(dataDirectory: string, path: string, content: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${path}\0${content}`).digest("hex");
  return join(dataDirectory, "trusted", `${hash}.json`);
}

/** @param path the absolute, resolved path */
export function isTrusted(dataDirectory: string, path: string, content: string): boolean {
  return existsSync(recordPath(dataDirectory, path, content));
}

export async function trust(dataDirectory: string, path: string, content: string): Promise<void> {
  const record = recordPath(dataDirectory, path, content);
  const directory = join(dataDirectory, "trusted");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const temporary = `${record}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify({ path, trusted_at: new Date().toISOString() })}\n`, {
    mode: 0o600,
  });
  await rename(temporary, record);
}

/** @returns whether the file was trusted */
export async function untrust(dataDirectory: string, path: string, content: string): Promise<boolean> {
  const record = recordPath(dataDirectory, path, content);
  const present = existsSync(record);
  await rm(record, { force: true });
  return present;
}
