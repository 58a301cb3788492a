import { type FileHandle, open } from "node:fs/promises";
import { writeAll } from "../../security/replace-file.ts";
import { cannotConvert } from "./failure.ts";
import { decode, encode, LARGEST, type TargetType } from "./floats.ts";
import type { PlannedTensor } from "./plan.ts";

const CHUNK_BYTES = 4 << 20; // a multiple of every value's size

/**
 * Reads a tensor in pieces and writes it as another type.
 * @param written called with the bytes of each piece that was written; what it throws ends the copy
 * @throws SpellError model_invalid: a value that is not finite or too large for the type, or the file has shrunk
 */
export async function copyTensor(
  target: FileHandle,
  { source, factor = 1 }: PlannedTensor,
  type: TargetType,
  written: (bytes: number) => void,
): Promise<void> {
  await using file = await open(source.path);
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, source.bytes));
  for (let done = 0; done < source.bytes; ) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, source.bytes - done));
    await readAll(file, wanted, source.offset + done, source.path);
    const values = decode(wanted, source.dtype);
    if (factor !== 1) for (let i = 0; i < values.length; i++) values[i]! *= factor;
    refuseBeyond(values, type, source.name, source.path);
    const bytes = encode(values, type);
    await writeAll(target, bytes);
    done += wanted.length;
    written(bytes.length);
  }
}

/** Negated comparison: it holds for what is not a number as well. */
function refuseBeyond(values: Float32Array, type: TargetType, name: string, path: string): void {
  const largest = LARGEST[type];
  for (const value of values)
    if (!(Math.abs(value) <= largest))
      throw cannotConvert(`tensor "${name}" has a value that is no finite ${type} number: ${value}`, path);
}

async function readAll(file: FileHandle, into: Uint8Array, offset: number, path: string): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, offset + filled);
    if (bytesRead === 0) throw cannotConvert("the file became shorter while it was read", path);
    filled += bytesRead;
  }
}
