/** The operating system's keychain, for the one secret that opens the key file. */

export interface Keychain {
  /** Null where it holds none. Rejects where there is no keychain or it stays locked. */
  get(name: string): Promise<string | null>;
  set(name: string, value: string): Promise<void>;
}

const SERVICE = "llmspell";
/** A keychain may ask its owner to unlock it; after this nobody is there. */
const PATIENCE_MS = 30_000;

/** Keychain of macOS, libsecret of Linux desktops, Credential Manager of Windows. */
export const systemKeychain: Keychain = {
  get: (name) => inTime(Bun.secrets.get({ service: SERVICE, name })),
  set: (name, value) => inTime(Bun.secrets.set({ service: SERVICE, name, value })),
};

async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("the keychain does not answer")), PATIENCE_MS);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the keychain keeps what it is given; false where there is none. */
export async function keeps(keychain: Keychain, name: string, value: string): Promise<boolean> {
  try {
    await keychain.set(name, value);
    return (await keychain.get(name)) === value;
  } catch {
    // No keychain, a locked one, one that nobody answers for: the same to the caller, who has another place.
    return false;
  }
}
