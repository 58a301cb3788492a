/** Reads what `writeSafetensors` and others write, all of it at once: the tests' own reader, which shares nothing with src. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Matrix {
  rows: number;
  columns: number;
  values: Float64Array;
}

export interface TestCheckpoint {
  config: Record<string, unknown>;
  names: readonly string[];
  /** A vector is a matrix of one row. */
  tensor(name: string): Matrix;
}

export function readTestCheckpoint(directory: string): TestCheckpoint {
  const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  const file = readFileSync(join(directory, "model.safetensors"));
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes));
  const made = new Map<string, Matrix>();
  const read = (name: string): Matrix => {
    const { dtype, shape, data_offsets: offsets } = header[name];
    const [begin, end] = offsets.map((offset: number) => 8 + headerBytes + offset);
    const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
    const size = (end - begin) / (rows * columns);
    const values = Float64Array.from({ length: rows * columns }, (_, i) => {
      const at = begin + i * size;
      if (dtype === "F32") return file.readFloatLE(at);
      const half = new Uint16Array([file.readUInt16LE(at)]).buffer;
      if (dtype === "F16") return new Float16Array(half)[0]!;
      return new Float32Array(new Uint32Array([file.readUInt16LE(at) << 16]).buffer)[0]!;
    });
    return { rows, columns, values };
  };
  return {
    config,
    names: Object.keys(header).filter((name) => name !== "__metadata__"),
    tensor: (name) => {
      if (!made.has(name)) made.set(name, read(name));
      return made.get(name)!;
    },
  };
}
