/** Encryption of stored state: AES-256-GCM, for the scopes that the configuration names. */
import { createHash } from "node:crypto";
import { SpellError } from "../core/errors.ts";
import { seal, unseal } from "../core/sealed.ts";
import { NOTE_PREFIX } from "./backend.ts";
import { parseStorageKey } from "./keys.ts";

const KEY_ID_BYTES = 4;

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
    return Buffer.concat([this.id, seal(this.key, content, storageKey)]);
  }

  decrypt(storageKey: string, sealed: Uint8Array): Uint8Array {
    if (sealed.length < KEY_ID_BYTES) throw damaged(storageKey);
    if (!this.id.equals(sealed.subarray(0, KEY_ID_BYTES))) throw anotherKey(storageKey);
    const content = unseal(this.key, sealed.subarray(KEY_ID_BYTES), storageKey);
    if (content === undefined) throw damaged(storageKey);
    return content;
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

function damaged(storageKey: string): SpellError {
  return new SpellError("io", `Cannot read state: the encrypted value is damaged: "${storageKey}"`, {
    data: { key: storageKey },
    hint: "`llmspell state check` tells what else is damaged",
  });
}
