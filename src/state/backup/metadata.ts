/** What a `.meta` file says of its backup: spec/agents-workflows-rag.md section 9.5. */
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { SpellError } from "../../core/errors.ts";

const Count = Type.Integer({ minimum: 0 });
const closed = { additionalProperties: false } as const;

export const BACKUP_ID = /^backup_\d+_[0-9a-f]+$/;

const Metadata = Type.Object(
  {
    id: Type.String({ pattern: BACKUP_ID.source }),
    /** ISO 8601. */
    created_at: Type.String(),
    backup_type: Type.Union([Type.Literal("Full"), Type.Literal("Incremental")]),
    parent_id: Type.Union([Type.String({ pattern: BACKUP_ID.source }), Type.Null()]),
    /** Of the state that was saved. */
    schema_version: Type.String(),
    description: Type.Union([Type.String(), Type.Null()]),
    checksums: Type.Object(
      {
        /** Of the `.backup` file. */
        sha256: Type.String(),
        /** Of this document without this line. */
        meta: Type.String(),
      },
      closed,
    ),
    compression: Type.Object(
      {
        algorithm: Type.Union([Type.Literal("none"), Type.Literal("zstd")]),
        level: Count,
        /** Bytes before and after. */
        original_size: Count,
        compressed_size: Count,
      },
      closed,
    ),
    encryption: Type.Union([Type.Object({ algorithm: Type.Literal("AES-256-GCM") }, closed), Type.Null()]),
    stats: Type.Object(
      {
        /** Entries in this file; of an incremental backup, those that were written since its parent. */
        total_entries: Count,
        /** Entries that are gone since the parent. */
        removed_entries: Count,
        /** Entries of the state after this backup is applied to its parents. */
        state_entries: Count,
        /** Bytes of the `.backup` file. */
        total_size: Count,
        duration_ms: Count,
        scopes_backed_up: Type.Array(Type.String()),
      },
      closed,
    ),
  },
  closed,
);

export type BackupMetadata = Static<typeof Metadata>;
export type UnsignedMetadata = Omit<BackupMetadata, "checksums"> & { checksums: { sha256: string } };

const sha256 = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");

/** The text of a `.meta` file, which has one form only: so every changed byte shows. */
export function metadataText(unsigned: UnsignedMetadata): string {
  const checksums = { sha256: unsigned.checksums.sha256, meta: sha256(JSON.stringify(unsigned)) };
  return `${JSON.stringify({ ...unsigned, checksums }, null, 2)}\n`;
}

/** @throws SpellError io for text that is damaged in any byte */
export function readMetadata(text: string, path: string): BackupMetadata {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw damagedMetadata(path);
  }
  if (!Value.Check(Metadata, parsed)) throw damagedMetadata(path);
  const { sha256 } = parsed.checksums;
  if (metadataText({ ...parsed, checksums: { sha256 } }) !== text) throw damagedMetadata(path);
  return parsed;
}

const damagedMetadata = (path: string): SpellError =>
  new SpellError("io", `Cannot read the backup: its description is damaged: ${path}`, {
    data: { path },
    hint: "Use another backup; `llmspell backup list` shows them",
  });

export const isIncremental = ({ backup_type }: BackupMetadata): boolean => backup_type === "Incremental";
