/** What can be imported, and what each kind brings to the store. */
import type { ModelId } from "./layout.ts";
import type { Origin, StoredFile } from "./manifest.ts";

export type Report = (label: string, doneBytes: number, totalBytes: number) => void;

/** A model that is not in the store yet. Its parts have been checked as far as that goes without copying them. */
export interface ModelSource {
  suggestedId: ModelId;
  /** Name of the imported file or directory, without what lies above it. */
  name: string;
  /** Space it will need. */
  sizeBytes: number;
  origin: Origin;
  /** A GGUF file that llama.cpp can try before anything is copied. */
  original?: string;
  /**
   * Writes the model's files into a directory, the first one first.
   * @param id under which it will be stored, which names the files
   * @throws io, model_invalid
   */
  write(
    directory: string,
    id: ModelId,
    report: Report,
    signal: AbortSignal | undefined,
  ): Promise<StoredFile[]>;
}
