/** A backup and those it builds on, read as one state. */
import { dirname, join } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { StateCipher } from "../cipher.ts";
import { readBackup } from "./directory.ts";
import type { BackupInfo } from "./service.ts";
import { checksumOf, readSnapshot, type SnapshotEntry } from "./snapshot-file.ts";

/** Longer than retention lets one grow: a cycle, or somebody's joke. */
const LONGEST_CHAIN = 10_000;

/**
 * Oldest first; the last is the backup itself. Parents lie beside their children.
 * @throws SpellError io for a parent that is missing or damaged
 */
export function chainOf(backup: BackupInfo): BackupInfo[] {
  const chain = [backup];
  for (let first = backup; first.metadata.parent_id !== null; first = chain[0]!) {
    const parent = first.metadata.parent_id;
    try {
      chain.unshift(readBackup(join(dirname(backup.path), `${parent}.backup`)));
    } catch (cause) {
      throw new SpellError(
        "io",
        `Cannot use backup ${backup.metadata.id}: ${parent}, on which it builds, is missing or damaged`,
        {
          data: { backup: backup.metadata.id, parent },
          hint: "Use another backup; `llmspell backup list` shows them",
          cause,
        },
      );
    }
    if (chain.length > LONGEST_CHAIN || chain[0]!.metadata.id !== parent)
      throw new SpellError("io", `Cannot use backup ${backup.metadata.id}: it builds on itself`);
  }
  if (chain[0]!.metadata.backup_type !== "Full")
    throw new SpellError("io", `Cannot use backup ${backup.metadata.id}: it builds on no full backup`);
  return chain;
}

export interface ContentProblems {
  checksum: string[];
  integrity: string[];
}

/** What is wrong with one file. @throws SpellError config where it cannot be decrypted */
export async function contentProblems(
  { metadata, path }: BackupInfo,
  cipher: StateCipher,
): Promise<ContentProblems> {
  const problems: ContentProblems = { checksum: [], integrity: [] };
  try {
    if ((await checksumOf(path)) !== metadata.checksums.sha256)
      problems.checksum.push(alteredText(metadata.id));
    let entries = 0;
    let removed = 0;
    for await (const items of readSnapshot(path, metadata.id, cipher))
      for (const { type } of items) type === "entry" ? entries++ : removed++;
    const { total_entries, removed_entries } = metadata.stats;
    if (entries !== total_entries || removed !== removed_entries)
      problems.integrity.push(
        `${metadata.id} holds ${entries} entries and ${removed} deletions, not ${total_entries} and ${removed_entries}`,
      );
  } catch (error) {
    if (!(error instanceof SpellError) || error.code === "config") throw error;
    problems.integrity.push(messageOf(error));
  }
  return problems;
}

/** @throws SpellError io where one byte of the file is another than was written */
export async function assertChecksum({ metadata, path }: BackupInfo): Promise<void> {
  if ((await checksumOf(path)) === metadata.checksums.sha256) return;
  throw new SpellError("io", `Cannot use the backup: ${alteredText(metadata.id)}`, {
    data: { backup: metadata.id, path },
    hint: "Nothing was changed. Use another backup; `llmspell backup list` shows them",
  });
}

const alteredText = (id: string): string =>
  `The checksum of ${id} does not match: the file was altered or is damaged`;

/**
 * The state that a chain describes.
 * @param keep what of an entry is needed, so that no more is held
 * @throws SpellError io (damaged), config (another key)
 */
export async function stateOf<T>(
  chain: readonly BackupInfo[],
  cipher: StateCipher,
  keep: (entry: SnapshotEntry) => T,
): Promise<Map<string, T>> {
  const state = new Map<string, T>();
  for (const { path, metadata } of chain)
    for await (const items of readSnapshot(path, metadata.id, cipher))
      for (const item of items) {
        if (item.type === "removed") state.delete(item.key);
        else state.set(item.entry.key, keep(item.entry));
      }
  const { id, stats } = chain.at(-1)!.metadata;
  if (state.size === stats.state_entries) return state;
  throw new SpellError("io", `Cannot use backup ${id}: it does not give the state it was made of`, {
    data: { backup: id, entries: state.size, expected: stats.state_entries },
  });
}
