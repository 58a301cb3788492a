import { readRegularFile, withRegularFile } from "../../core/regular-file.ts";
import { cannotConvert } from "./failure.ts";

const ACTION = "Cannot convert the model";

/** @throws SpellError not_found, io, model_invalid, and what `use` throws */
export function withInputFile<T>(path: string, use: (descriptor: number, sizeBytes: number) => T): T {
  return withRegularFile(path, ACTION, (rule) => cannotConvert(rule, path), use);
}

/** @throws SpellError not_found, io, model_invalid */
export function readInputFile(path: string, longestBytes: number): Buffer {
  return readRegularFile(path, ACTION, (rule) => cannotConvert(rule, path), longestBytes);
}
