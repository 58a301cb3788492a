import { closeSync, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { ioError } from "../../core/io-error.ts";
import { cannotConvert } from "./failure.ts";

/**
 * Calls `use` with an open file. What is no regular file is refused before it is opened: a pipe would block.
 * @throws SpellError not_found, io, model_invalid, and what `use` throws
 */
export function withRegularFile<T>(path: string, use: (descriptor: number, sizeBytes: number) => T): T {
  let descriptor: number | undefined;
  try {
    if (!statSync(path).isFile()) throw cannotConvert("it is not a file", path);
    descriptor = openSync(path, "r");
    return use(descriptor, fstatSync(descriptor).size);
  } catch (error) {
    throw ioError("Cannot convert the model", path, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** @throws SpellError not_found, io, model_invalid */
export function readRegularFile(path: string, longestBytes: number): Buffer {
  return withRegularFile(path, (descriptor, sizeBytes) => {
    if (sizeBytes > longestBytes)
      throw cannotConvert(`a file of ${sizeBytes} bytes is above ${longestBytes}`, path);
    return readFileSync(descriptor);
  });
}
