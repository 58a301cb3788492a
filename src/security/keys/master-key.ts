/** The secret under which the stored keys are sealed: from a passphrase, the keychain, or a file beside the store. */
import { randomBytes, scrypt } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf, SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { SEAL_KEY_BYTES, seal, unseal } from "../../core/sealed.ts";
import type { KeyProtection } from "./key-file.ts";
import { type Keychain, keeps } from "./keychain.ts";

export const PASSPHRASE_VARIABLE = "LLMSPELL_KEYS_PASSPHRASE";

const CHECK_TEXT = "llmspell keys";
const SALT_BYTES = 16;
/** 64 MiB and about a quarter of a second for each guess. */
const SCRYPT = { N: 2 ** 16, r: 8, p: 1, maxmem: 128 * 2 ** 20 };

export interface MasterKeyPlaces {
  directory: string;
  passphrase: string | undefined;
  keychain: Keychain;
}

export const masterKeyPath = (directory: string): string => join(directory, "keys.key");

/**
 * A new secret for a new store: the passphrase's where one is set, else one in the keychain when somebody is there who
 * can unlock it, else one in a file that only its owner reads.
 */
export async function makeMasterKey(
  { directory, passphrase, keychain }: MasterKeyPlaces,
  interactive: boolean,
): Promise<{ key: Uint8Array; protection: KeyProtection }> {
  const salt = randomBytes(SALT_BYTES).toString("base64");
  const protectedBy = (kind: KeyProtection["kind"], key: Uint8Array) => ({
    key,
    protection: {
      kind,
      salt,
      check: Buffer.from(seal(key, Buffer.from(CHECK_TEXT), kind)).toString("base64"),
    },
  });
  if (passphrase) return protectedBy("passphrase", await derive(passphrase, salt));
  const key = randomBytes(SEAL_KEY_BYTES);
  if (interactive && (await keeps(keychain, salt, key.toString("base64"))))
    return protectedBy("keychain", key);
  return protectedBy("file", keyOfFile(directory, key));
}

/** @throws SpellError config when the secret is not there or is another one */
export async function findMasterKey(places: MasterKeyPlaces, protection: KeyProtection): Promise<Uint8Array> {
  const key = await READ[protection.kind](places, protection.salt);
  const opens =
    key.length === SEAL_KEY_BYTES &&
    unseal(key, Buffer.from(protection.check, "base64"), protection.kind) !== undefined;
  if (opens) return key;
  throw new SpellError("config", `Cannot open the stored keys: ${WRONG[protection.kind]}`, {
    hint: `Bring back the right one, or move ${join(places.directory, "keys")} away and add the keys again`,
  });
}

const WRONG: Record<KeyProtection["kind"], string> = {
  passphrase: `${PASSPHRASE_VARIABLE} holds another passphrase than they were stored with`,
  keychain: "the keychain holds another secret than they were stored with",
  file: "the key file is another one than they were stored with",
};

const READ: Record<
  KeyProtection["kind"],
  (places: MasterKeyPlaces, salt: string) => Promise<Uint8Array> | Uint8Array
> = {
  passphrase({ passphrase }, salt) {
    if (passphrase) return derive(passphrase, salt);
    throw new SpellError("config", `Cannot open the stored keys: ${PASSPHRASE_VARIABLE} is not set`, {
      hint: "Set it to the passphrase with which the first key was stored",
    });
  },
  async keychain({ keychain }, salt) {
    let secret: string | null;
    try {
      secret = await keychain.get(salt);
    } catch (cause) {
      throw new SpellError("platform", `Cannot open the stored keys: ${messageOf(cause)}`, { cause });
    }
    if (secret !== null) return Buffer.from(secret, "base64");
    throw new SpellError("config", "Cannot open the stored keys: their secret is no more in the keychain");
  },
  file({ directory }) {
    return readKeyFile(masterKeyPath(directory));
  },
};

function readKeyFile(path: string): Uint8Array {
  try {
    return Buffer.from(readFileSync(path, "utf8").trim(), "base64");
  } catch (error) {
    throw ioError("Cannot open the stored keys: no key file", path, error);
  }
}

/** The key in the file; `key` itself, written there, where there is none yet. */
function keyOfFile(directory: string, key: Uint8Array): Uint8Array {
  const path = masterKeyPath(directory);
  let file: number;
  try {
    file = openSync(path, "wx", 0o600);
  } catch (error) {
    // Left by a store that was moved away, or by a process that ended before it stored its first key.
    const found = errnoOf(error) === "EEXIST" ? readKeyFile(path) : undefined;
    if (found?.length === SEAL_KEY_BYTES) return found;
    if (found === undefined) throw ioError("Cannot write the key file", path, error);
    file = openSync(path, "w", 0o600);
  }
  try {
    writeSync(file, `${Buffer.from(key).toString("base64")}\n`);
    fsyncSync(file);
  } catch (error) {
    throw ioError("Cannot write the key file", path, error);
  } finally {
    closeSync(file);
  }
  return key;
}

async function derive(passphrase: string, salt: string): Promise<Uint8Array> {
  const run = promisify(scrypt) as (
    passphrase: string,
    salt: Uint8Array,
    length: number,
    cost: typeof SCRYPT,
  ) => Promise<Buffer>;
  return run(passphrase.normalize("NFC"), Buffer.from(salt, "base64"), SEAL_KEY_BYTES, SCRYPT);
}
