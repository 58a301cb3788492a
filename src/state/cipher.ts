/** Encryption of stored state: AES-256-GCM, for the scopes that the configuration names. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { SpellError } from "../core/errors.ts";
import { NOTE_PREFIX } from "./backend.ts";
import { parseStorageKey } from "./keys.ts";

const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface StateCipher {
  /** Undefined for a record that is stored in the clear. */
  encrypt(storageKey: string, content: Uint8Array): Uint8Array | undefined;
  /** @throws SpellError config (no key, or another), io (damaged, or of another record) */
  decrypt(storageKey: string, sealed: Uint8Array): Uint8Array;
}

/** Encrypts nothing; says what is missing where something is encrypted. */
export const NO_CIPHER: StateCipher = {
  encrypt: () => undefined,
  decrypt: (storageKey) => {
    throw new SpellError("config", `Cannot read state: it is encrypted, and no key is set: "${storageKey}"`, {
      data: { key: storageKey },
      hint: "Set LLMSPELL_STATE_KEY, or runtime.state_persistence.encryption with enabled and key_file",
    });
  },
};

export class AesCipher implements StateCipher {
  private readonly id: Buffer;

  /**
   * @param key 32 bytes
   * @param scopes `*`, kinds (`agent`) or scopes (`user:bob`): whose records are encrypted
   */
  constructor(
    private readonly key: Uint8Array,
    private readonly scopes: readonly string[],
  ) {
    this.id = createHash("sha256")
      .update("llmspell state key")
      .update(key)
      .digest()
      .subarray(0, KEY_ID_BYTES);
  }

  encrypt(storageKey: string, content: Uint8Array): Uint8Array | undefined {
    if (!this.covers(storageKey)) return undefined;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.key, nonce);
    cipher.setAAD(Buffer.from(storageKey));
    const sealed = [cipher.update(content), cipher.final()];
    return Buffer.concat([this.id, nonce, ...sealed, cipher.getAuthTag()]);
  }

  decrypt(storageKey: string, sealed: Uint8Array): Uint8Array {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
    const from = KEY_ID_BYTES + NONCE_BYTES;
    const to = bytes.length - TAG_BYTES;
    if (to < from) throw damaged(storageKey);
    if (!bytes.subarray(0, KEY_ID_BYTES).equals(this.id)) throw anotherKey(storageKey);
    try {
      const decipher = createDecipheriv("aes-256-gcm", this.key, bytes.subarray(KEY_ID_BYTES, from));
      decipher.setAAD(Buffer.from(storageKey));
      decipher.setAuthTag(bytes.subarray(to));
      return Buffer.concat([decipher.update(bytes.subarray(from, to)), decipher.final()]);
    } catch (cause) {
      throw damaged(storageKey, cause);
    }
  }

  private covers(storageKey: string): boolean {
    // The program must read its notes before it has a use for a key.
    if (storageKey.startsWith(NOTE_PREFIX)) return false;
    if (this.scopes.includes("*")) return true;
    const { scope } = parseStorageKey(storageKey);
    return this.scopes.includes(scope) || this.scopes.includes(scope.split(":", 1)[0]!);
  }
}

function anotherKey(storageKey: string): SpellError {
  return new SpellError("config", `Cannot read state: it was encrypted with another key: "${storageKey}"`, {
    data: { key: storageKey },
    hint: "Set the key with which it was saved; nothing was changed",
  });
}

function damaged(storageKey: string, cause?: unknown): SpellError {
  return new SpellError("io", `Cannot read state: the encrypted value is damaged: "${storageKey}"`, {
    data: { key: storageKey },
    hint: "`llmspell state check` tells what else is damaged",
    cause,
  });
}
