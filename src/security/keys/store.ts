/** API keys at rest, under the names of their providers. */
import { randomUUID } from "node:crypto";
import { maskSecret } from "../../config/redact.ts";
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { didYouMean } from "../../core/nearest.ts";
import { seal, unseal } from "../../core/sealed.ts";
import { type AuditRecord, type KeyDocument, KeyFile, type StoredKey } from "./key-file.ts";
import { type Keychain, systemKeychain } from "./keychain.ts";
import { findMasterKey, type MasterKeyPlaces, makeMasterKey, PASSPHRASE_VARIABLE } from "./master-key.ts";

/** Times in ISO 8601. */
export interface KeyInfo {
  keyId: string;
  provider: string;
  createdAt: string;
  lastUsed: string | null;
  expiresAt: string | null;
  /** False once it has expired. */
  isActive: boolean;
  /** Processes that have used it. */
  usageCount: number;
  /** Where the secret is that opens it. */
  source: "file" | "keychain" | "passphrase";
}

export interface KeyStore {
  /** All keys by provider. Needs no secret. @throws SpellError io */
  list(): KeyInfo[];
  find(provider: string): KeyInfo | undefined;
  /** The keys as `sk-…last4`, by provider; without those that cannot be opened. */
  masked(): Promise<Record<string, string>>;
  /** @throws SpellError not_found, config (expired, or its secret is missing) */
  reveal(provider: string): Promise<string>;
  /** Stores a key, in place of the provider's old one. @throws SpellError invalid_argument, config, io */
  add(provider: string, key: string, options?: AddOptions): Promise<{ info: KeyInfo; replaced: boolean }>;
  /** As `add`, for a provider that has a key. @throws SpellError not_found */
  rotate(provider: string, key: string, options?: AddOptions): Promise<KeyInfo>;
  /** @throws SpellError not_found */
  remove(provider: string): Promise<void>;
  /** What was done with keys, the newest first. */
  audit(limit: number): AuditRecord[];
}

export interface AddOptions {
  /** From now. */
  expiresInDays?: number;
  /** Somebody is there who can unlock the keychain. */
  interactive?: boolean;
}

export interface KeyStoreOptions {
  dataDirectory: string;
  env: Record<string, string | undefined>;
  log: Log;
  keychain?: Keychain;
}

const DAY_MS = 86_400_000;
const LONGEST_DAYS = 36_500;
const LONGEST_KEY = 8192;
const AUDIT_KEPT = 500;

/** Opens nothing before the first call. */
export function openKeyStore({
  dataDirectory,
  env,
  log,
  keychain = systemKeychain,
}: KeyStoreOptions): KeyStore {
  const passphrase = env[PASSPHRASE_VARIABLE];
  return new SealedKeyStore(
    new KeyFile(dataDirectory),
    { directory: dataDirectory, passphrase, keychain },
    log,
  );
}

class SealedKeyStore implements KeyStore {
  private readonly used = new Set<string>();

  constructor(
    private readonly file: KeyFile,
    private readonly places: MasterKeyPlaces,
    private readonly log: Log,
  ) {}

  list(): KeyInfo[] {
    const document = this.file.read();
    return (document?.keys ?? []).map((stored) => infoOf(stored, document!));
  }

  find(provider: string): KeyInfo | undefined {
    const name = provider.toLowerCase();
    return this.list().find((info) => info.provider === name);
  }

  async masked(): Promise<Record<string, string>> {
    const document = this.file.read();
    if (document === undefined) return {};
    const master = await findMasterKey(this.places, document.protection);
    return Object.fromEntries(
      document.keys.flatMap((stored) => {
        const key = open(master, stored);
        return key === undefined ? [] : [[stored.service, maskSecret(key)]];
      }),
    );
  }

  async reveal(provider: string): Promise<string> {
    const document = this.file.read();
    const stored = document?.keys.find(({ service }) => service === provider.toLowerCase());
    if (stored === undefined) throw missing(provider, document);
    if (isExpired(stored))
      throw new SpellError(
        "config",
        `Cannot use the stored key of ${provider}: it expired on ${stored.expires_at}`,
        {
          hint: `Store a new one with \`llmspell keys rotate ${provider} -\``,
        },
      );
    const key = open(await findMasterKey(this.places, document!.protection), stored);
    if (key === undefined)
      throw new SpellError("io", `Cannot use the stored key of ${provider}: it is damaged`, {
        hint: `Store it again with \`llmspell keys add ${provider} -\``,
      });
    await this.countUse(stored);
    return key;
  }

  /** Once for each process. A store that cannot be written does not stand in the way of using a key. */
  private async countUse({ key_id: id }: StoredKey): Promise<void> {
    if (this.used.has(id)) return;
    this.used.add(id);
    try {
      await this.file.update(async (stored) => {
        const key = stored?.keys.find(({ key_id }) => key_id === id);
        if (key === undefined) return { result: undefined };
        const now = new Date().toISOString();
        const counted = { ...key, usage_count: key.usage_count + 1, last_used: now };
        const keys = stored!.keys.map((other) => (other === key ? counted : other));
        return { document: recorded({ ...stored!, keys }, "use", key), result: undefined };
      });
    } catch (error) {
      this.log.debug("security", "the use of a stored key could not be recorded", { reason: String(error) });
    }
  }

  async add(provider: string, key: string, options: AddOptions = {}) {
    return this.put(provider, key, options, "add");
  }

  async rotate(provider: string, key: string, options: AddOptions = {}): Promise<KeyInfo> {
    return (await this.put(provider, key, options, "rotate")).info;
  }

  private async put(
    provider: string,
    key: string,
    options: AddOptions,
    action: "add" | "rotate",
  ): Promise<{ info: KeyInfo; replaced: boolean }> {
    const service = checkedProvider(provider);
    checkKey(key);
    const expiresAt = expiry(options.expiresInDays);
    return this.file.update(async (stored) => {
      const old = stored?.keys.find((entry) => entry.service === service);
      if (action === "rotate" && old === undefined) throw missing(service, stored);
      const { master, document } = await this.unlocked(stored, options.interactive === true);
      const entry: StoredKey = {
        key_id: randomUUID(),
        service,
        created_at: new Date().toISOString(),
        last_used: null,
        expires_at: expiresAt,
        usage_count: 0,
        sealed: "",
      };
      entry.sealed = Buffer.from(seal(master, Buffer.from(key), placeOf(entry))).toString("base64");
      const keys = [...document.keys.filter((other) => other !== old), entry].sort((a, b) =>
        a.service < b.service ? -1 : 1,
      );
      const changed = recorded({ ...document, keys }, action, entry);
      return { document: changed, result: { info: infoOf(entry, changed), replaced: old !== undefined } };
    });
  }

  private async unlocked(
    stored: KeyDocument | undefined,
    interactive: boolean,
  ): Promise<{ master: Uint8Array; document: KeyDocument }> {
    // With no key in it a store may change how it is protected.
    if (stored !== undefined && stored.keys.length > 0)
      return { master: await findMasterKey(this.places, stored.protection), document: stored };
    const { key, protection } = await makeMasterKey(this.places, interactive);
    return { master: key, document: { version: 1, protection, keys: [], audit: stored?.audit ?? [] } };
  }

  async remove(provider: string): Promise<void> {
    await this.file.update(async (stored) => {
      const old = stored?.keys.find(({ service }) => service === provider.toLowerCase());
      if (old === undefined) throw missing(provider, stored);
      const keys = stored!.keys.filter((other) => other !== old);
      return { document: recorded({ ...stored!, keys }, "remove", old), result: undefined };
    });
  }

  audit(limit: number): AuditRecord[] {
    return (this.file.read()?.audit ?? []).toReversed().slice(0, limit);
  }
}

const placeOf = ({ service, key_id }: StoredKey): string => `${service}\0${key_id}`;

function open(master: Uint8Array, stored: StoredKey): string | undefined {
  const bytes = unseal(master, Buffer.from(stored.sealed, "base64"), placeOf(stored));
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

const isExpired = ({ expires_at }: StoredKey): boolean =>
  expires_at !== null && Date.parse(expires_at) <= Date.now();

function infoOf(stored: StoredKey, { protection }: KeyDocument): KeyInfo {
  return {
    keyId: stored.key_id,
    provider: stored.service,
    createdAt: stored.created_at,
    lastUsed: stored.last_used,
    expiresAt: stored.expires_at,
    isActive: !isExpired(stored),
    usageCount: stored.usage_count,
    source: protection.kind,
  };
}

function recorded(document: KeyDocument, action: string, { service, key_id }: StoredKey): KeyDocument {
  const entry = { at: new Date().toISOString(), action, service, key_id };
  return { ...document, audit: [...document.audit, entry].slice(-AUDIT_KEPT) };
}

function checkedProvider(provider: string): string {
  const name = provider.toLowerCase();
  if (/^[a-z0-9][a-z0-9_.-]{0,63}$/.test(name)) return name;
  throw new SpellError(
    "invalid_argument",
    `Cannot store a key: the provider's name must be letters, digits, ".", "_" and "-", at most 64: "${provider.slice(0, 80)}"`,
    { hint: "The provider comes first, then the key" },
  );
}

/** The key itself stands in no message. */
function checkKey(key: string): void {
  const problem =
    key === ""
      ? "it is empty"
      : key.length > LONGEST_KEY
        ? `it is longer than ${LONGEST_KEY} characters`
        : /[\s\p{Cc}]/u.test(key)
          ? "it must not contain spaces, line ends or control characters"
          : undefined;
  if (problem !== undefined) throw new SpellError("invalid_argument", `Cannot store the key: ${problem}`);
}

function expiry(days: number | undefined): string | null {
  if (days === undefined) return null;
  if (!Number.isInteger(days) || days < 1 || days > LONGEST_DAYS)
    throw new SpellError(
      "invalid_argument",
      `Cannot store the key: the days until it expires must be between 1 and ${LONGEST_DAYS}: ${days}`,
    );
  return new Date(Date.now() + days * DAY_MS).toISOString();
}

function missing(provider: string, stored: KeyDocument | undefined): SpellError {
  const names = stored?.keys.map(({ service }) => service) ?? [];
  return new SpellError("not_found", `No stored key for provider: "${provider}"`, {
    hint:
      didYouMean(provider, names) ??
      (names.length === 0
        ? "Store one with `llmspell keys add PROVIDER -`"
        : `There are keys for: ${names.join(", ")}`),
    data: { provider },
  });
}
