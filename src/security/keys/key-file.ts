/** `<data directory>/keys`: the keys, each sealed, as one JSON document that is replaced as a whole. */
import { mkdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { SpellError } from "../../core/errors.ts";
import { FileLock } from "../../core/file-lock.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { Anchor } from "../anchor.ts";
import { replaceFile } from "../replace-file.ts";

const MaybeTime = Type.Union([Type.String(), Type.Null()]);

const Entry = Type.Object({
  key_id: Type.String(),
  service: Type.String(),
  created_at: Type.String(),
  last_used: MaybeTime,
  expires_at: MaybeTime,
  usage_count: Type.Integer({ minimum: 0 }),
  /** Base64 of `seal`, bound to service and key id. */
  sealed: Type.String(),
});

const AuditEntry = Type.Object({
  at: Type.String(),
  action: Type.String(),
  service: Type.String(),
  key_id: Type.String(),
});

const Protection = Type.Object({
  kind: Type.Union([Type.Literal("file"), Type.Literal("keychain"), Type.Literal("passphrase")]),
  /** Base64; names the entry in the keychain, salts the passphrase. */
  salt: Type.String(),
  /** A known text, sealed: tells a wrong key from a damaged entry. */
  check: Type.String(),
});

const Document = Type.Object({
  version: Type.Literal(1),
  protection: Protection,
  keys: Type.Array(Entry),
  audit: Type.Array(AuditEntry),
});

export type StoredKey = Static<typeof Entry>;
export type AuditRecord = Static<typeof AuditEntry>;
export type KeyProtection = Static<typeof Protection>;
export type KeyDocument = Static<typeof Document>;

/** How long a change waits for those of other processes. */
const LOCK_PATIENCE_MS = 30_000;

export class KeyFile {
  readonly path: string;

  constructor(private readonly directory: string) {
    this.path = join(directory, "keys");
  }

  /** Undefined where no key was ever stored. @throws SpellError io for a damaged file, which stays as it is */
  read(): KeyDocument | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw ioError("Cannot read the key store", this.path, error);
    }
    return this.parse(text);
  }

  private parse(text: string): KeyDocument {
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch {
      throw this.damaged();
    }
    if (!Value.Check(Document, document)) throw this.damaged();
    return document;
  }

  private damaged(): SpellError {
    return new SpellError("io", `Cannot read the key store: it is damaged: ${this.path}`, {
      hint: "Put back a copy of it, or move it away and add the keys again",
      data: { path: this.path },
    });
  }

  /** One change at a time, of all processes. `change` gets what is stored and says what shall be. */
  async update<T>(
    change: (stored: KeyDocument | undefined) => Promise<{ document?: KeyDocument; result: T }>,
  ): Promise<T> {
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw ioError("Cannot make the data directory", this.directory, error);
    }
    using _lock = await this.lock();
    const { document, result } = await change(this.read());
    if (document !== undefined) await this.write(document);
    return result;
  }

  private async lock(): Promise<FileLock> {
    const path = `${this.path}.lock`;
    const deadlineMs = performance.now() + LOCK_PATIENCE_MS;
    for (;;) {
      const lock = tryTake(path);
      if (lock !== undefined) return lock;
      if (performance.now() > deadlineMs)
        throw new SpellError(
          "limit",
          `Cannot change the key store: another process keeps it busy: ${this.path}`,
        );
      await Bun.sleep(5 + Math.random() * 20);
    }
  }

  private async write(document: KeyDocument): Promise<void> {
    try {
      using anchor = Anchor.of(join(realpathSync(dirname(this.path)), "keys"));
      await replaceFile(anchor, [Buffer.from(`${JSON.stringify(document, null, 1)}\n`)], 0o600);
    } catch (error) {
      throw ioError("Cannot write the key store", this.path, error);
    }
  }
}

function tryTake(path: string): FileLock | undefined {
  try {
    return FileLock.tryTake(path);
  } catch (error) {
    throw ioError("Cannot lock the key store", path, error);
  }
}
