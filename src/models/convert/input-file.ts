import { readFileSync } from "node:fs";
import { withRegularFile } from "../../core/regular-file.ts";
import { cannotConvert } from "./failure.ts";

/** @throws SpellError not_found, io, model_invalid, and what `use` throws */
export function withInputFile<T>(path: string, use: (descriptor: number, sizeBytes: number) => T): T {
  const refused = () => cannotConvert("it is not a file", path);
  return withRegularFile(path, "Cannot convert the model", refused, use);
}

/** @throws SpellError not_found, io, model_invalid */
export function readInputFile(path: string, longestBytes: number): Buffer {
  return withInputFile(path, (descriptor, sizeBytes) => {
    if (sizeBytes > longestBytes)
      throw cannotConvert(`a file of ${sizeBytes} bytes is above ${longestBytes}`, path);
    return readFileSync(descriptor);
  });
}
