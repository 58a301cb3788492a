/** A model file to be damaged where its structure is. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { between, pick } from "./soak.ts";

export type Random = () => number;

const ALIGNMENT = 32;

/** Numbers that break careless arithmetic. */
const ODD = [
  0n,
  1n,
  2n,
  7n,
  255n,
  1n << 16n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 40n,
  1n << 62n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** The header of a damaged file, and how long the file is: what follows the header is undamaged or nothing. */
export interface Damaged {
  header: Buffer;
  sizeBytes: number;
}

export class Original {
  private readonly bytes: Buffer;
  private readonly headerBytes: number;
  /** Ends of keys of metadata and names of tensors: what follows them is a type, a count or a length. */
  private readonly marks: readonly number[];

  constructor(path: string) {
    this.bytes = readFileSync(path);
    const { tensors } = readGguf(path);
    const padded = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    const dataBytes = [...tensors.values()].reduce((sum, { bytes }) => sum + padded(bytes), 0);
    this.headerBytes = this.bytes.length - dataBytes;
    const text = this.bytes.toString("latin1", 0, this.headerBytes);
    const names =
      /(general|tokenizer|llama|qwen2|gemma|phi3|t5|bert|blk|enc|dec|cls|token_embd|position_embd|output)[\w.]*/g;
    this.marks = [...text.matchAll(names)].map((found) => found.index + found[0].length);
  }

  /** One to three damages, mostly one; sometimes the file is cut short besides. */
  damaged(random: Random): Damaged {
    const header = Buffer.from(this.bytes.subarray(0, this.headerBytes));
    for (let n = random() < 0.7 ? 1 : between(random, 2, 4); n > 0; n--) this.damage(header, random);
    const isCut = random() < 0.1;
    const sizeBytes = isCut ? between(random, 0, this.bytes.length) : this.bytes.length;
    return { header: header.subarray(0, Math.min(sizeBytes, header.length)), sizeBytes };
  }

  /** The whole damaged file. */
  whole({ header, sizeBytes }: Damaged): Buffer {
    return Buffer.concat([header, this.bytes.subarray(header.length, sizeBytes)]);
  }

  private damage(copy: Buffer, random: Random): void {
    const mark = Math.min(pick(random, this.marks), copy.length - 40);
    const near = mark + between(random, 0, 28);
    switch (between(random, 0, 7)) {
      case 0:
        copy[between(random, 0, copy.length)] = between(random, 0, 256);
        break;
      case 1:
        copy[between(random, 0, 24)]! ^= 1 << between(random, 0, 8);
        break;
      case 2:
        copy.writeUInt32LE(between(random, 0, 14), mark); // another type
        break;
      case 3:
        copy.writeBigUInt64LE(pick(random, ODD), near);
        break;
      case 4:
        copy.writeUInt32LE(Number(pick(random, ODD) & 0xffffffffn), near);
        break;
      case 5:
        copy[near]! ^= 1 << between(random, 0, 8);
        break;
      default: {
        const from = between(random, 0, copy.length - 64);
        copy.copyWithin(between(random, 24, copy.length - 64), from, from + between(random, 1, 64));
      }
    }
  }
}

/** Writes the header alone and makes the file as long as it was: its weights take no space on the disk. */
export function writeSparse(path: string, { header, sizeBytes }: Damaged): void {
  writeFileSync(path, header);
  truncateSync(path, sizeBytes);
}
