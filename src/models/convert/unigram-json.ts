/** A unigram vocabulary from Hugging Face's `tokenizer.json`. */
import { cannotConvert } from "./failure.ts";
import { isObject, type JsonObject, readJsonObject } from "./json-file.ts";
import { type Piece, TOKEN_TYPES, type Unigram } from "./unigram.ts";

/** @throws SpellError not_found, io, model_invalid: damaged, or with parts that llama.cpp's tokenizer does not have */
export function readUnigramJson(path: string): Unigram {
  const fail = (rule: string) => cannotConvert(rule, path);
  const { model, normalizer, pre_tokenizer: splitter } = readJsonObject(path);
  if (!isObject(model) || (model.type ?? "Unigram") !== "Unigram" || !Array.isArray(model.vocab))
    throw fail("it has no Unigram model");
  if (model.byte_fallback === true)
    throw fail("it falls back to bytes, which llama.cpp's unigram tokenizer does not");
  const unknown = model.unk_id;
  const pieces = model.vocab.map((entry: unknown, id): Piece => {
    const [text, score] = Array.isArray(entry) ? entry : [];
    if (typeof text !== "string" || typeof score !== "number" || !Number.isFinite(score))
      throw fail(`piece ${id} is not a text and a score: ${JSON.stringify(entry).slice(0, 80)}`);
    return { text, score, type: id === unknown ? TOKEN_TYPES.unknown : TOKEN_TYPES.normal };
  });
  if (!Number.isInteger(unknown) || pieces[unknown as number] === undefined)
    throw fail("its unknown token is not one of its pieces");
  return { pieces, ...normalization(normalizer, fail), ...spaces(normalizer, splitter, fail) };
}

function normalization(normalizer: unknown, fail: (rule: string) => Error): Pick<Unigram, "charsmap"> {
  let charsmap: Uint8Array | undefined;
  for (const step of stepsOf(normalizer, "normalizers")) {
    if (step.type === "Precompiled" && typeof step.precompiled_charsmap === "string") {
      if (charsmap !== undefined) throw fail("it normalises twice");
      charsmap = Buffer.from(step.precompiled_charsmap, "base64");
    } else if (step.type !== "Strip" && !isSpaceMerger(step))
      throw fail(`it normalises by ${String(step.type)}, which llama.cpp's unigram tokenizer does not`);
  }
  return { charsmap };
}

function spaces(
  normalizer: unknown,
  splitter: unknown,
  fail: (rule: string) => Error,
): Pick<Unigram, "addsSpace" | "mergesSpaces"> {
  let mergesSpaces = stepsOf(normalizer, "normalizers").some(isSpaceMerger);
  let addsSpace: boolean | undefined;
  for (const step of stepsOf(splitter, "pretokenizers")) {
    if (step.type === "WhitespaceSplit") mergesSpaces = true;
    else if (step.type === "Metaspace" && (step.replacement ?? "▁") === "▁")
      addsSpace = (step.prepend_scheme ?? "always") !== "never" && step.add_prefix_space !== false;
    else throw fail(`it splits by ${String(step.type)}, which llama.cpp's unigram tokenizer does not`);
  }
  if (addsSpace === undefined) throw fail("it does not write spaces as ▁ (Metaspace)");
  return { addsSpace, mergesSpaces };
}

function isSpaceMerger({ type, pattern }: JsonObject): boolean {
  return type === "Replace" && isObject(pattern) && pattern.Regex === " {2,}";
}

/** A step, or those of a sequence. */
function stepsOf(step: unknown, member: string): JsonObject[] {
  if (!isObject(step)) return [];
  const parts = step[member];
  return step.type === "Sequence" && Array.isArray(parts) ? parts.filter(isObject) : [step];
}
