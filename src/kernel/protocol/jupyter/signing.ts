/** Signatures of Jupyter messages, and the memory that refuses one that came before. */
import { timingSafeEqual } from "node:crypto";

/** Signatures remembered for replay detection. */
const REPLAY_WINDOW = 65_536;

export class Signer {
  private readonly seen = new Set<string>();

  /** @param key its UTF-8 bytes are the key, hexadecimal or not; empty: messages are not signed */
  constructor(private readonly key: string) {}

  /** HMAC-SHA256 over the four parts in lower-case hexadecimal; empty without a key. */
  sign(parts: readonly Uint8Array[]): string {
    if (this.key === "") return "";
    const hmac = new Bun.CryptoHasher("sha256", this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }

  /** Why a message is not to be trusted; undefined: it is, and the same one is refused from now on. */
  refusal(signature: Uint8Array, parts: readonly Uint8Array[]): "wrong signature" | "replayed" | undefined {
    if (this.key === "") return undefined;
    const expected = this.sign(parts);
    const right = Buffer.from(expected);
    if (signature.length !== right.length || !timingSafeEqual(signature, right)) return "wrong signature";
    if (this.seen.has(expected)) return "replayed";
    this.seen.add(expected);
    if (this.seen.size > REPLAY_WINDOW) {
      const [oldest] = this.seen;
      this.seen.delete(oldest!);
    }
    return undefined;
  }
}
