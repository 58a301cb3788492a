import { closeSync, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { errnoOf, ioError } from "./io-error.ts";

/**
 * Calls `use` with an open file. What is no regular file is refused before it is opened: a pipe would block.
 * @param action what failures of the system are said to have prevented: `Cannot open the model`
 * @throws SpellError not_found, io; what `refused` makes where it is something else, and what `use` throws
 */
export function withRegularFile<T>(
  path: string,
  action: string,
  refused: (rule: string) => Error,
  use: (descriptor: number, sizeBytes: number) => T,
): T {
  let descriptor: number | undefined;
  try {
    if (!statSync(path).isFile()) throw refused("it is not a file");
    descriptor = openSync(path, "r");
    return use(descriptor, fstatSync(descriptor).size);
  } catch (error) {
    throw errnoOf(error) === undefined ? error : ioError(action, path, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The whole of a small file. @throws as `withRegularFile`; what `refused` makes where it is longer */
export function readRegularFile(
  path: string,
  action: string,
  refused: (rule: string) => Error,
  longestBytes: number,
): Buffer {
  return withRegularFile(path, action, refused, (descriptor, sizeBytes) => {
    if (sizeBytes > longestBytes) throw refused(`a file of ${sizeBytes} bytes is above ${longestBytes}`);
    return readFileSync(descriptor);
  });
}
