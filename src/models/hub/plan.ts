/** What a pull fetches, whatever hub it comes from. */
import type { TargetType } from "../convert/floats.ts";
import type { ModelId } from "../store/layout.ts";

export interface Digest {
  /** `git-sha1`: of a git blob, header included, as hubs give it for small files. */
  algorithm: "sha256" | "git-sha1";
  /** Lower case. */
  hex: string;
}

export interface RemoteFile {
  /** Name in the download's directory; below that of `convert` for files that are converted. */
  name: string;
  sizeBytes: number;
  digest: Digest;
  url: string;
}

export interface PullPlan {
  id: ModelId;
  /** Where it comes from, for the manifest: `huggingface:owner/repo@commit`, `ollama:library/name:tag`. */
  source: string;
  files: readonly RemoteFile[];
  /** Safetensors and tokenizer in `directory` are to be converted to GGUF; undefined for GGUF files. */
  convert?: { directory: string; type: TargetType };
  licence?: string;
  /** Goes to the origin of the files' URLs only. */
  token?: string | undefined;
  /** Layers beside the model, by the name of the kind: `template`, `system`, `params`. */
  extras: readonly RemoteFile[];
}

export interface HubOptions {
  /** `https://huggingface.co` */
  base: URL;
  token?: string | undefined;
}
