/** Where the key of encrypted state comes from: LLMSPELL_STATE_KEY, a file, or the keychain of the operating system. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import { FileLock } from "../core/file-lock.ts";
import { ioError } from "../core/io-error.ts";
import { dataDirectory } from "../core/paths.ts";
import { systemKeychain } from "../security/keys/keychain.ts";
import { AesCipher, NO_CIPHER, type StateCipher } from "./cipher.ts";

const KEY_BYTES = 32;
/** In the keychain: one for all data directories of a user. */
const KEY_NAME = "state-key";
const LOCK_PATIENCE_MS = 30_000;
const HINT = "Make one with: openssl rand -base64 32";

type Encryption = Config["runtime"]["state_persistence"]["encryption"];

/**
 * Without encryption but with a key, what was encrypted before can still be read.
 * @throws SpellError config
 */
export async function stateCipher(
  settings: Encryption,
  env: Record<string, string | undefined>,
): Promise<StateCipher> {
  const { enabled, scopes } = settings;
  const key = await findKey(settings, env);
  if (key !== undefined) return new AesCipher(key, enabled ? scopes : []);
  if (!enabled) return NO_CIPHER;
  throw new SpellError("config", "Cannot encrypt state: no key is set", {
    data: { path: "runtime.state_persistence.encryption" },
    hint: `Set LLMSPELL_STATE_KEY, key_file or keychain. ${HINT}`,
  });
}

async function findKey(
  settings: Encryption,
  env: Record<string, string | undefined>,
): Promise<Uint8Array | undefined> {
  if (env.LLMSPELL_STATE_KEY) return parseKey(env.LLMSPELL_STATE_KEY, "LLMSPELL_STATE_KEY");
  if (settings.key_file !== undefined) return keyOfFile(settings.key_file);
  return settings.keychain ? keyOfKeychain(settings.enabled, env) : undefined;
}

async function keyOfFile(path: string): Promise<Uint8Array> {
  const bytes = await Bun.file(path)
    .bytes()
    .catch((error: unknown) => {
      throw ioError("Cannot read the key of encrypted state", path, error);
    });
  return bytes.length === KEY_BYTES ? bytes : parseKey(new TextDecoder().decode(bytes), path);
}

/** @param make whether a key is made and kept where there is none */
async function keyOfKeychain(
  make: boolean,
  env: Record<string, string | undefined>,
): Promise<Uint8Array | undefined> {
  try {
    const known = await systemKeychain.get(KEY_NAME);
    if (known !== null || !make) return known === null ? undefined : parseKey(known, "the keychain");
    return parseKey(await madeKey(env), "the keychain");
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    throw new SpellError(
      "config",
      `Cannot read the key of encrypted state: the keychain cannot be used: ${messageOf(cause)}`,
      { hint: "Set LLMSPELL_STATE_KEY or key_file instead", cause },
    );
  }
}

/** Processes that begin at the same time must not make a key each: what one of them encrypts would be lost. */
async function madeKey(env: Record<string, string | undefined>): Promise<string> {
  const directory = dataDirectory(env);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  using _lock = await FileLock.take(join(directory, `${KEY_NAME}.lock`), LOCK_PATIENCE_MS);
  const known = await systemKeychain.get(KEY_NAME);
  if (known !== null) return known;
  await systemKeychain.set(KEY_NAME, randomBytes(KEY_BYTES).toString("base64"));
  const kept = await systemKeychain.get(KEY_NAME);
  if (kept === null) throw new Error("it does not keep what it is given");
  return kept;
}

/** 64 hexadecimal digits or base64 of 32 bytes. */
function parseKey(text: string, source: string): Uint8Array {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return Buffer.from(trimmed, "hex");
  const bytes = Buffer.from(trimmed, "base64");
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed) && bytes.length === KEY_BYTES) return bytes;
  throw new SpellError(
    "config",
    `Cannot read the key of encrypted state: it must be 32 bytes in base64 or hexadecimal: ${source}`,
    { hint: HINT },
  );
}
