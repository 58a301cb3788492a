/** What llama.cpp's tokenizers take for granted (src/llama-vocab.cpp of v0.5.0), checked so that it becomes an error. */
import type { Fail, Metadata, MetadataArray } from "./gguf-metadata.ts";
import { STRING_TYPE } from "./gguf-types.ts";

const I32 = 5;
const F32 = 6;

interface Kind {
  /** The token that is meant where the file names none. */
  begin?: number;
  end?: number;
  addsBegin: boolean;
  addsEnd: boolean;
}

/** By `tokenizer.ggml.model`; where it depends on more, what llama.cpp does unless the file says otherwise is left out. */
const KINDS: Readonly<Record<string, Kind>> = {
  llama: { begin: 1, end: 2, addsBegin: true, addsEnd: false },
  bert: { begin: 101, addsBegin: true, addsEnd: false },
  gpt2: { begin: 11, end: 11, addsBegin: false, addsEnd: false },
  t5: { end: 1, addsBegin: false, addsEnd: true },
  rwkv: { addsBegin: false, addsEnd: false },
};

export function checkVocabulary(metadata: Metadata, fail: Fail): void {
  const tokens = arrayOf(metadata, "tokens", [STRING_TYPE], fail);
  if (tokens === undefined) return;
  if (tokens.length === 0) throw fail("its vocabulary is empty");
  for (const [key, types] of [
    ["scores", [F32, I32]],
    ["token_type", [I32]],
  ] as const) {
    const values = arrayOf(metadata, key, types, fail);
    if (values !== undefined && values.length < tokens.length)
      throw fail(`"tokenizer.ggml.${key}" has ${values.length} values for ${tokens.length} tokens`);
  }
  arrayOf(metadata, "merges", [STRING_TYPE], fail);
  checkAdded(metadata, tokens.length, fail);
}

/** A token that llama.cpp puts around each text must be there: it aborts otherwise. */
function checkAdded(metadata: Metadata, count: number, fail: Fail): void {
  const model = metadata.get("tokenizer.ggml.model");
  const kind = KINDS[String(model)];
  if (kind === undefined) return;
  const check = (name: "bos" | "eos", adds: boolean, fallback: number | undefined) => {
    const flag = metadata.get(`tokenizer.ggml.add_${name}_token`);
    if (!(typeof flag === "boolean" ? flag : adds)) return;
    const named = metadata.get(`tokenizer.ggml.${name}_token_id`);
    const isThere = (id: unknown) => typeof id === "number" && id >= 0 && id < count;
    if (!isThere(named) && !isThere(fallback))
      throw fail(`texts are to have a "${name}" token, and the vocabulary of ${count} has none`);
  };
  check("bos", kind.addsBegin, kind.begin);
  if (model !== "bert") check("eos", kind.addsEnd, kind.end);
}

function arrayOf(
  metadata: Metadata,
  key: string,
  types: readonly number[],
  fail: Fail,
): MetadataArray | undefined {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  if (value === undefined) return undefined;
  if (typeof value !== "object" || !types.includes(value.type))
    throw fail(`"tokenizer.ggml.${key}" is no array of the right type`);
  return value;
}
