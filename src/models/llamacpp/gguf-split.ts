/** Models in several files, `NAME-00001-of-00003.gguf` and following, as llama.cpp's gguf-split writes them. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { type GgufFile, invalidModel, readGgufFile } from "./gguf-file.ts";
import type { Metadata } from "./gguf-metadata.ts";
import type { TensorInfo } from "./gguf-tensors.ts";

const PART_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/** The paths of all parts of a model by the path of any of them; the path alone where its name is not that of a part. */
function partPaths(path: string): string[] {
  const [, name, , count] = PART_NAME.exec(basename(path)) ?? [];
  if (name === undefined || Number(count) < 2) return [path];
  return Array.from({ length: Number(count) }, (_, i) =>
    join(dirname(path), `${name}-${String(i + 1).padStart(5, "0")}-of-${count}.gguf`),
  );
}

/** All files of a model, the first part first. @throws SpellError not_found (a part), model_invalid */
export function readParts(path: string): GgufFile[] {
  const first = readGgufFile(path);
  const count = numberOf(first.metadata, "split.count");
  if (count === undefined || count <= 1) return [first];
  const paths = partPaths(path);
  if (paths.length !== count)
    throw invalidModel(
      path,
      `it says that it is one of ${count} parts, and its name says otherwise`,
      `Give the parts the names that they had: NAME-00001-of-${String(count).padStart(5, "0")}.gguf and following`,
    );
  if (paths[0] !== path)
    throw invalidModel(
      path,
      "it is a part of a model, and not the first",
      `Name the first part: ${paths[0]}`,
    );
  const missing = paths.filter((part) => !existsSync(part));
  if (missing.length > 0)
    throw new SpellError("not_found", `Cannot open the model: a part of it is missing: ${missing[0]}`, {
      data: { path, missing },
      hint: `Put all ${count} parts beside each other`,
    });
  const files = [first, ...paths.slice(1).map(readGgufFile)];
  checkNumbers(files, count);
  return files;
}

function checkNumbers(files: readonly GgufFile[], count: number): void {
  files.forEach(({ path, metadata }, i) => {
    const number = numberOf(metadata, "split.no");
    if (number !== i)
      throw invalidModel(path, `it says to be part ${(number ?? 0) + 1} where its name says ${i + 1}`);
    // llama.cpp reads these of the first part only
    for (const [key, expected] of [
      ["split.count", count],
      ["split.tensors.count", numberOf(files[0]!.metadata, "split.tensors.count")],
    ] as const) {
      const value = numberOf(metadata, key) ?? expected;
      if (value !== expected)
        throw invalidModel(path, `its "${key}" differs from that of the first part: ${value}`);
    }
  });
  const tensors = files.reduce((sum, file) => sum + file.tensors.size, 0);
  const expected = numberOf(files[0]!.metadata, "split.tensors.count");
  if (tensors !== expected)
    throw invalidModel(files[0]!.path, `its parts have ${tensors} tensors where ${expected} are expected`);
}

/** The tensors of all parts by name. */
export function tensorsOf(files: readonly GgufFile[]): Map<string, TensorInfo> {
  const all = new Map<string, TensorInfo>();
  for (const { path, tensors } of files)
    for (const [name, tensor] of tensors) {
      if (all.has(name)) throw invalidModel(path, `the tensor "${name}" is in another part too`);
      all.set(name, tensor);
    }
  return all;
}

function numberOf(metadata: Metadata, key: string): number | undefined {
  const value = metadata.get(key);
  return typeof value === "number" ? value : undefined;
}
