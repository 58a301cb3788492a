/** Archives in the ustar format: plain files only, of any size, read where they stand. */
import type { FileHandle } from "node:fs/promises";

export interface TarEntry {
  name: string;
  sizeBytes: number;
  /** Where its bytes begin in the archive. */
  offset: number;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;
const TYPE_AT = 156;
const MAGIC_AT = 257;
const LARGEST_OCTAL = 0o77777777777;
const MOST_ENTRIES = 1000;

export const paddingOf = (sizeBytes: number): number => (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
/** The two empty blocks that end an archive. */
export const TAR_END = new Uint8Array(2 * BLOCK);

/** @param name ASCII, at most 100 characters */
export function tarHeader(name: string, sizeBytes: number): Uint8Array {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, NAME_BYTES, "ascii");
  header.write("0000644\0", 100, "ascii");
  header.write("0000000\0".repeat(2), 108, "ascii");
  if (sizeBytes <= LARGEST_OCTAL) header.write(`${octal(sizeBytes, 11)}\0`, SIZE_AT, "ascii");
  else {
    header[SIZE_AT] = 0x80; // base 256, as GNU tar and bsdtar write it
    header.writeBigUInt64BE(BigInt(sizeBytes), SIZE_AT + 4);
  }
  header.write(`${octal(0, 11)}\0`, 136, "ascii");
  header.write("        ", CHECKSUM_AT, "ascii");
  header.write("0", TYPE_AT, "ascii");
  header.write("ustar\x0000", MAGIC_AT, "ascii");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, CHECKSUM_AT, "ascii");
  return header;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");

export function looksLikeTar(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(MAGIC_AT, MAGIC_AT + 5)).toString("latin1") === "ustar";
}

/**
 * The entries of an archive, each checked to lie within the file.
 * @param fail makes the error for a broken rule
 */
export async function readTar(
  file: FileHandle,
  sizeBytes: number,
  fail: (rule: string) => Error,
  mostEntries = MOST_ENTRIES,
): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const header = Buffer.alloc(BLOCK);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(header, 0, BLOCK, at);
    if (bytesRead < BLOCK) throw fail("the archive is truncated");
    if (header.every((byte) => byte === 0)) return entries;
    const entry = parseHeader(header, at + BLOCK, fail);
    if (entry.sizeBytes > sizeBytes - entry.offset)
      throw fail(`the archive is truncated within ${entry.name}`);
    entries.push(entry);
    if (entries.length > mostEntries) throw fail(`it has more than ${mostEntries} entries`);
    at = entry.offset + entry.sizeBytes + paddingOf(entry.sizeBytes);
  }
}

function parseHeader(header: Buffer, offset: number, fail: (rule: string) => Error): TarEntry {
  const text = (at: number, length: number) =>
    header.toString("latin1", at, at + length).replace(/\0.*$/s, "");
  const stored = Number.parseInt(text(CHECKSUM_AT, 8).trim(), 8);
  let sum = 8 * 0x20;
  for (const [i, byte] of header.entries()) if (i < CHECKSUM_AT || i >= CHECKSUM_AT + 8) sum += byte;
  if (!looksLikeTar(header) || stored !== sum) throw fail("a header of the archive is damaged");
  const name = `${text(345, 155) === "" ? "" : `${text(345, 155)}/`}${text(0, NAME_BYTES)}`;
  const type = text(TYPE_AT, 1);
  if (type !== "0" && type !== "") throw fail(`${JSON.stringify(name)} is no plain file`);
  const wide = header[SIZE_AT]! & 0x80;
  const sizeBytes = wide
    ? Number(header.readBigUInt64BE(SIZE_AT + 4))
    : Number.parseInt(text(SIZE_AT, 12).trim() || "0", 8);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw fail(`the size of ${JSON.stringify(name)} is damaged`);
  return { name, sizeBytes, offset };
}
