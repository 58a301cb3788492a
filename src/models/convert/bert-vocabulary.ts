/** A WordPiece vocabulary (`tokenizer.json`, or `vocab.txt` with `tokenizer_config.json`) in llama.cpp's form. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { addedTokens } from "./added-tokens.ts";
import { refuseEqualTokens } from "./distinct-tokens.ts";
import { cannotConvert } from "./failure.ts";
import { type Entry, flag, ints, text, texts, uint } from "./gguf-writer.ts";
import { readInputFile } from "./input-file.ts";
import { isObject, readJsonObject } from "./json-file.ts";
import { TOKEN_TYPES } from "./unigram.ts";

interface WordPiece {
  /** By token number; holes are allowed. */
  tokens: string[];
  lowercase: boolean;
  stripAccents: boolean;
}

const LONGEST_BYTES = 64 << 20;
/** Names of llama.cpp's keys, which spell it so, and the tokens that BERT has for them. */
const MARKS = {
  unknown_token_id: "[UNK]",
  seperator_token_id: "[SEP]",
  padding_token_id: "[PAD]",
  cls_token_id: "[CLS]",
  bos_token_id: "[CLS]",
  mask_token_id: "[MASK]",
} as const;
const REQUIRED_MARKS = ["[UNK]", "[SEP]", "[CLS]"];

/**
 * @param size tokens of the model, which may be more than the tokenizer has
 * @throws SpellError model_invalid where there is no tokenizer or one that llama.cpp cannot run
 */
export function bertVocabulary(directory: string, size: number): Entry[] {
  const { tokens, lowercase, stripAccents } = readWordPiece(directory);
  if (tokens.length > size)
    throw cannotConvert(`its tokenizer has ${tokens.length} tokens and the model ${size}`, directory);
  const marks = new Set<string>(Object.values(MARKS));
  const special = new Map(addedTokens(directory, size).map(({ id, text }) => [id, text]));
  const all = Array.from({ length: size }, (_, id) => special.get(id) ?? tokens[id]);
  for (const mark of REQUIRED_MARKS)
    if (!all.includes(mark)) throw cannotConvert(`its vocabulary has no ${mark}`, directory);

  const isControl = (token: string, id: number) => special.has(id) || marks.has(token);
  const types = all.map((token, id) => {
    if (token === undefined) return TOKEN_TYPES.unused;
    return isControl(token, id) ? TOKEN_TYPES.control : TOKEN_TYPES.normal;
  });
  const written = all.map((token, id) => {
    if (token === undefined) return `[PAD${id}]`;
    if (isControl(token, id)) return token;
    return token.startsWith("##") ? token.slice(2) : `▁${token}`; // llama.cpp marks beginnings, WordPiece the rest
  });
  refuseEqualTokens(written, directory);
  return [
    text("tokenizer.ggml.model", "bert"),
    text("tokenizer.ggml.pre", "default"),
    texts("tokenizer.ggml.tokens", written),
    ints("tokenizer.ggml.token_type", types),
    ...Object.entries(MARKS).flatMap(([key, mark]) =>
      all.includes(mark) ? [uint(`tokenizer.ggml.${key}`, all.indexOf(mark))] : [],
    ),
    flag("tokenizer.ggml.normalizer.lowercase", lowercase),
    flag("tokenizer.ggml.normalizer.strip_accents", stripAccents),
  ];
}

function readWordPiece(directory: string): WordPiece {
  const json = join(directory, "tokenizer.json");
  if (existsSync(json)) return fromTokenizer(json);
  const list = join(directory, "vocab.txt");
  if (existsSync(list)) return fromList(list, join(directory, "tokenizer_config.json"));
  throw cannotConvert(
    "it has no tokenizer",
    directory,
    "Put tokenizer.json or vocab.txt of the same model into the directory",
  );
}

function fromTokenizer(path: string): WordPiece {
  const { model, normalizer, pre_tokenizer: splitter } = readJsonObject(path);
  if (!isObject(model) || (model.type ?? "WordPiece") !== "WordPiece" || !isObject(model.vocab))
    throw cannotConvert("it has no WordPiece model", path);
  if ((model.continuing_subword_prefix ?? "##") !== "##")
    throw cannotConvert("its pieces within words do not begin with ##", path);
  for (const [part, type] of [
    [normalizer, "BertNormalizer"],
    [splitter, "BertPreTokenizer"],
  ] as const)
    if (!isObject(part) || part.type !== type)
      throw cannotConvert(`it has no ${type}, which is what llama.cpp does`, path);

  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= 1 << 24 || (id as number) in tokens)
      throw cannotConvert(`token "${token}" has a number that is wrong or taken: ${String(id)}`, path);
    tokens[id as number] = token;
  }
  const { lowercase, strip_accents: strip } = normalizer as Record<string, unknown>;
  return { tokens, lowercase: lowercase !== false, stripAccents: (strip ?? lowercase) !== false };
}

function fromList(path: string, configPath: string): WordPiece {
  const tokens = readInputFile(path, LONGEST_BYTES).toString().replace(/\n$/, "").split(/\r?\n/);
  if (new Set(tokens).size < tokens.length) throw cannotConvert("a token occurs twice in it", path);
  const config = existsSync(configPath) ? readJsonObject(configPath) : {};
  const { do_lower_case: lowercase, strip_accents: strip } = config;
  return { tokens, lowercase: lowercase !== false, stripAccents: (strip ?? lowercase) !== false };
}
