/** Gives a written T5 directory a larger vocabulary, which cuts most texts in several ways, and a character map. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { precompiledCharsmap } from "./charsmap.ts";
import { readTestCheckpoint } from "./checkpoint.ts";
import { uniform } from "./random.ts";
import { writeSafetensors } from "./safetensors.ts";
import { type Piece, sentencePieceModel } from "./sentencepiece.ts";

const SENTINELS = ["<extra_id_2>", "<extra_id_1>", "<extra_id_0>"];
/** Tokens that the model has rows for and the tokenizer knows nothing of, as published T5 models have. */
const UNNAMED = 5;
const SOURCE =
  "the house of a translator is an international question, and nothing else is in it: où, größe, 漢字, 12345?!";

const CHARSMAP = precompiledCharsmap({
  "\t": " ",
  "\n": " ",
  "\u00a0": " ",
  "\u3000": " ",
  ﬁ: "fi",
  ａ: "a",
  Ｂ: "B",
  "①": "1",
  "…": "...",
  "e\u0301": "é",
});

/** Seeded pieces: every character, and random cuts of the words of the source, with and without a space in front. */
export const PIECES: readonly Piece[] = makePieces();

function makePieces(): Piece[] {
  const random = uniform(7);
  const texts = new Set([
    "▁",
    ..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:?!'é",
    ...SOURCE,
  ]);
  texts.delete(" ");
  const words = SOURCE.split(/\W+/u).filter((word) => word !== "");
  for (let i = 0; i < 600; i++) {
    const word = words[Math.floor(random() * words.length)]!;
    const start = Math.floor(random() * word.length);
    const end = start + 1 + Math.floor(random() * (word.length - start));
    texts.add((start === 0 && random() < 0.5 ? "▁" : "") + word.slice(start, end));
    if (random() < 0.5) texts.add(`▁${word.slice(0, end)}`);
  }
  const marks = ["<pad>", "</s>", "<unk>"].map((text, id) => ({ text, score: 0, type: id === 2 ? 2 : 3 }));
  const score = () => Math.fround(-2 - 9 * random());
  return [...marks, ...[...texts].map((text) => ({ text, score: score(), type: 1 }))];
}

/** @param kind which of the two forms of the tokenizer is left */
export function giveVocabulary(directory: string, kind: "tokenizer.json" | "spiece.model"): void {
  const { config, names, tensor } = readTestCheckpoint(directory);
  const size = PIECES.length + SENTINELS.length + UNNAMED;
  const write = (name: string, value: unknown) => writeFileSync(join(directory, name), JSON.stringify(value));
  write("config.json", { ...config, vocab_size: size });
  const tensors = names.map((name) => {
    const { rows, columns, values } = tensor(name);
    const isVocabulary = name === "shared.weight" || name === "lm_head.weight";
    const shape = isVocabulary ? [size, columns] : rows === 1 ? [columns] : [rows, columns];
    const resized = isVocabulary ? new Float32Array(size * columns) : Float32Array.from(values);
    return { name, shape, type: "F32" as const, values: resized };
  });
  writeSafetensors(join(directory, "model.safetensors"), tensors);

  const tokenizer = tokenizerJson(JSON.parse(readFileSync(join(directory, "tokenizer.json"), "utf8")));
  write("tokenizer.json", tokenizer);
  if (kind === "tokenizer.json") {
    rmSync(join(directory, "spiece.model"));
    return;
  }
  const charsmap = Buffer.concat([Buffer.from([(2 << 3) | 2]), varint(CHARSMAP.length), CHARSMAP]);
  const normalizer = Buffer.concat([Buffer.from([(3 << 3) | 2]), varint(charsmap.length), charsmap]);
  writeFileSync(join(directory, "spiece.model"), Buffer.concat([sentencePieceModel(PIECES), normalizer]));
  rmSync(join(directory, "tokenizer.json"));
  write("added_tokens.json", Object.fromEntries(SENTINELS.map((text, i) => [text, PIECES.length + i])));
}

/** As the published ones of T5 are: split at white space, then ▁ in front of each word. */
export function tokenizerJson(base: Record<string, unknown>): Record<string, unknown> {
  const added = base.added_tokens as Record<string, unknown>[];
  const sentinels = SENTINELS.map((content, i) => ({ ...added[0], id: PIECES.length + i, content }));
  const vocab = PIECES.map(({ text, score }) => [text, score]);
  return {
    ...base,
    added_tokens: [...added, ...sentinels],
    normalizer: {
      type: "Precompiled",
      precompiled_charsmap: Buffer.from(CHARSMAP).toString("base64"),
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "WhitespaceSplit" },
        { type: "Metaspace", replacement: "▁", add_prefix_space: true, prepend_scheme: "always" },
      ],
    },
    model: { type: "Unigram", unk_id: 2, vocab: [...vocab, ...SENTINELS.map((text) => [text, 0])] },
  };
}

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest]);
    out.push((rest % 128) | 128);
  }
}
