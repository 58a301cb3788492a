/**
 * Which configuration files the user trusts: one small file for each, named by the hash of its path and content. So a
 * changed file is a stranger again, and processes that trust at the same time do not meet.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ioError } from "../core/io-error.ts";

function recordPath(dataDirectory: string, path: string, content: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${path}\0${content}`).digest("hex");
  return join(dataDirectory, "trusted", `${hash}.json`);
}

/** @param path the absolute path, links resolved */
export function isTrusted(dataDirectory: string, path: string, content: string): boolean {
  return existsSync(recordPath(dataDirectory, path, content));
}

/** @throws io where the data directory cannot be written */
export async function trust(dataDirectory: string, path: string, content: string): Promise<void> {
  const record = recordPath(dataDirectory, path, content);
  try {
    await write(record, { path, trusted_at: new Date().toISOString() });
  } catch (cause) {
    throw ioError("Cannot remember that the file is trusted in", dataDirectory, cause);
  }
}

async function write(record: string, content: object): Promise<void> {
  const directory = dirname(record);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const temporary = `${record}.${crypto.randomUUID()}`;
  try {
    await writeFile(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600 });
    await rename(temporary, record);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the failure itself is told
    throw error;
  }
}

/** @returns whether the file was trusted */
export async function untrust(dataDirectory: string, path: string, content: string): Promise<boolean> {
  const record = recordPath(dataDirectory, path, content);
  const present = existsSync(record);
  await rm(record, { force: true });
  return present;
}
