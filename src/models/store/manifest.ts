/** `model.json` beside a stored model: what it is made of and where it came from. */
import { type Static, Type } from "typebox";
import { readChecked } from "./checked-json.ts";

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

/** Undefined for a model that was put there by hand, and for what is no manifest. */
export const readManifest = (path: string): Manifest | undefined => readChecked(Manifest, path);
