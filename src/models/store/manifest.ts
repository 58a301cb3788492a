/** `model.json` beside a stored model: what it is made of and where it came from. */
import { readFile } from "node:fs/promises";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { ioError } from "../../core/io-error.ts";

export const StoredFile = Type.Object({
  /** Without a directory. */
  name: Type.String(),
  sizeBytes: Type.Integer({ minimum: 0 }),
  sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
});
export type StoredFile = Static<typeof StoredFile>;

/** What is known of a model besides its files. */
export const Origin = Type.Object({
  /** `huggingface:owner/repo@commit`, `ollama:library/name:tag`; absent for a file of the user's. */
  source: Type.Optional(Type.String()),
  licence: Type.Optional(Type.String()),
  /** Ollama's layers, as text. llama.cpp takes template and parameters from the GGUF file itself. */
  template: Type.Optional(Type.String()),
  system: Type.Optional(Type.String()),
  params: Type.Optional(Type.String()),
});
export type Origin = Static<typeof Origin>;

export const Manifest = Type.Evaluate(
  Type.Intersect([
    Origin,
    Type.Object({
      /** Of the first file, hex. */
      sha256: Type.String(),
      /** Of all files. */
      sizeBytes: Type.Integer({ minimum: 0 }),
      /** Name of the imported file, without its directory. */
      sourceName: Type.String(),
      /** ISO 8601. */
      importedAt: Type.String(),
      /** Absent in manifests of one file. */
      files: Type.Optional(Type.Array(StoredFile)),
    }),
  ]),
);
export type Manifest = Static<typeof Manifest>;

export const MANIFEST = "model.json";

/** @param files the model's, the first one first */
export function makeManifest(files: readonly StoredFile[], sourceName: string, origin: Origin): Manifest {
  return {
    sha256: files[0]!.sha256,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    sourceName,
    importedAt: new Date().toISOString(),
    ...(files.length > 1 ? { files: [...files] } : {}),
    ...origin,
  };
}

/** Undefined for a model that was put there by hand, and for a file that is no manifest. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return Value.Check(Manifest, value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw ioError("Cannot read", path, error);
  }
}
