/** Bytes under a key: AES-256-GCM, so that whoever changes a bit or moves it elsewhere is found out. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

export const SEAL_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

/** @param place what the bytes belong to; they open with the same text only @returns nonce, tag, ciphertext */
export function seal(key: Uint8Array, bytes: Uint8Array, place: string): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(place));
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** @returns undefined for another key, another place or changed bytes */
export function unseal(key: Uint8Array, sealed: Uint8Array, place: string): Uint8Array | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(place));
  decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    // The only thing that can fail here is the authentication.
    return undefined;
  }
}
