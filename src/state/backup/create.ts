/** Writes backups. */
import { SpellError } from "../../core/errors.ts";
import type { StateRecord } from "../backend.ts";
import type { StateCipher } from "../cipher.ts";
import { parseStorageKey } from "../keys.ts";
import { assertChecksum, chainOf, stateOf } from "./chain.ts";
import { writeBackup } from "./directory.ts";
import type { UnsignedMetadata } from "./metadata.ts";
import type { BackupInfo } from "./service.ts";
import { type SnapshotEntry, type SnapshotFormat, SnapshotWriter } from "./snapshot-file.ts";

export interface Base {
  /** The newest member of the chain. */
  parent: BackupInfo;
  /** By key: what tells a record from one that was written later. */
  marks: Map<string, string>;
}

/**
 * What an incremental backup can build on: the newest backup, whole and young enough. Undefined: a full one is due.
 * @param limits age of the chain's full backup, and members that a chain may have
 */
export async function baseOf(
  newest: BackupInfo | undefined,
  cipher: StateCipher,
  { fullEveryMs, maxLength }: { fullEveryMs: number; maxLength: number },
  nowMs: number,
): Promise<Base | undefined> {
  if (newest === undefined) return undefined;
  try {
    const chain = chainOf(newest);
    const ageMs = nowMs - Date.parse(chain[0]!.metadata.created_at);
    if (ageMs > fullEveryMs || chain.length >= maxLength) return undefined;
    for (const member of chain) await assertChecksum(member);
    return { parent: newest, marks: await stateOf(chain, cipher, markOf) };
  } catch (error) {
    // A damaged chain, or one under another key, is nothing to build on.
    if (error instanceof SpellError) return undefined;
    throw error;
  }
}

function markOf({ data, lastModified, schemaVersion }: SnapshotEntry): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${lastModified} ${schemaVersion} `).update(data);
  return hash.digest("base64");
}

export interface Snapshot {
  id: string;
  nowMs: number;
  records: readonly StateRecord[];
  schemaVersion: string;
  /** Undefined: the backup is full. */
  base: Base | undefined;
  description: string | undefined;
  compressionLevel: number | undefined;
  cipher: StateCipher | undefined;
  signal: AbortSignal | undefined;
  onProgress: (done: number, total: number) => void;
}

const PROGRESS_EVERY = 10_000;

export function writeSnapshot(path: string, snapshot: Snapshot): Promise<BackupInfo> {
  return writeBackup(path, async (file) => {
    const startedMs = performance.now();
    const { id, nowMs, base, compressionLevel, cipher, records } = snapshot;
    const format: SnapshotFormat = { id, compressionLevel, cipher };
    const writer = await SnapshotWriter.begin(file, format, nowMs);
    const scopes = new Set<string>();
    let entries = 0;
    for (const [i, record] of records.entries()) {
      snapshot.signal?.throwIfAborted();
      if (i % PROGRESS_EVERY === 0) snapshot.onProgress(i, records.length);
      scopes.add(parseStorageKey(record.key).scope);
      const entry = entryOf(record);
      if (base !== undefined) {
        const isSame = base.marks.get(record.key) === markOf(entry);
        base.marks.delete(record.key);
        if (isSame) continue;
      }
      entries++;
      await writer.entry(entry);
    }
    const gone = base === undefined ? [] : [...base.marks.keys()];
    for (const key of gone) await writer.removed(key);
    const { sha256, sizeBytes, originalBytes } = await writer.end();
    return {
      id,
      created_at: new Date(nowMs).toISOString(),
      backup_type: base === undefined ? "Full" : "Incremental",
      parent_id: base?.parent.metadata.id ?? null,
      schema_version: snapshot.schemaVersion,
      description: snapshot.description ?? null,
      checksums: { sha256 },
      compression: {
        algorithm: compressionLevel === undefined ? "none" : "zstd",
        level: compressionLevel ?? 0,
        original_size: originalBytes,
        compressed_size: sizeBytes,
      },
      encryption: cipher === undefined ? null : { algorithm: "AES-256-GCM" },
      stats: {
        total_entries: entries,
        removed_entries: gone.length,
        state_entries: records.length,
        total_size: sizeBytes,
        duration_ms: Math.round(performance.now() - startedMs),
        scopes_backed_up: [...scopes].sort(),
      },
    } satisfies UnsignedMetadata;
  });
}

const entryOf = (record: StateRecord): SnapshotEntry => ({
  key: record.key,
  data: record.value,
  version: record.version,
  lastModified: record.timestampMs,
  schemaVersion: record.schemaVersion,
});
