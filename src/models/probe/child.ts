/** The child process of `probe.ts`: uses a model file as later calls will, and says how that went. */
import { writeSync } from "node:fs";
import { type ErrorJson, errorToJson } from "../../core/errors.ts";
import { librariesLoaded, llamaLibraries } from "../../ffi/library.ts";
import { loadLlama } from "../../ffi/llama/library.ts";
import { abilitiesOf } from "../llamacpp/abilities.ts";
import { readGguf } from "../llamacpp/gguf.ts";
import { Loaded } from "../llamacpp/loaded.ts";
import { memoryNeeded } from "../llamacpp/memory.ts";
import { type ModelSpec, REQUEST_WORDS } from "../llamacpp/protocol.ts";
import { Turns } from "../llamacpp/turns.ts";
import { TEMPLATE_STAGE } from "./stage.ts";

/** The one line that the child prints. A child that prints none has met its end in native code. */
export type ProbeOutcome = { ok: true } | { ok: false; error: ErrorJson };

/** What a template, a vocabulary and a graph may take beside the model. */
const SPARE_BYTES = 1 << 30;
const CONTEXT_TOKENS = 64;
const OUTPUT_TOKENS = 4;

/** Prints a `ProbeOutcome` and gives the exit code. */
export async function answerProbe(path: string): Promise<number> {
  let outcome: ProbeOutcome = { ok: true };
  try {
    await tryModel(path);
  } catch (error) {
    outcome = { ok: false, error: errorToJson(error) };
  }
  writeSync(1, `${JSON.stringify(outcome)}\n`);
  return 0;
}

async function tryModel(path: string): Promise<void> {
  const libraries = await llamaLibraries();
  const library = loadLlama(libraries.directory);
  await librariesLoaded(libraries);
  library.fn.spell_no_core_dump();

  const words = new Int32Array(new SharedArrayBuffer(REQUEST_WORDS * 4));
  const header = readGguf(path);
  const spec = specOf(path);
  library.fn.spell_end_beyond(memoryNeeded(header, spec).totalBytes + header.sizeBytes + SPARE_BYTES);
  using loaded = Loaded.load(library, spec, words, new Turns(), header);
  const abilities = abilitiesOf(header);
  if (abilities.generates) await tryGenerating(loaded, words);
  if (abilities.ranks) await loaded.embedder.rank({ query: "Hello", documents: ["Hello"] }, words);
  else if (abilities.embeds && !abilities.generates)
    await loaded.embedder.embed({ texts: ["Hello"], normalize: true }, words);
}

async function tryGenerating(loaded: Loaded, words: Int32Array): Promise<void> {
  const sampling = { temperature: 0 };
  const request = { sampling, maxTokens: OUTPUT_TOKENS, stops: [], reusePrefix: false };
  await loaded.generator.generate({ ...request, prompt: { text: "Hello" } }, { words, emit: () => {} });
  writeSync(2, `${TEMPLATE_STAGE}\n`);
  loaded.prompt({ chat: { messages: [{ role: "user", content: "Hello" }] } }).chat?.dispose();
}

const specOf = (path: string): ModelSpec => ({
  path,
  contextTokens: CONTEXT_TOKENS,
  threads: 0,
  gpuLayers: 0,
  batchTokens: CONTEXT_TOKENS,
  ubatchTokens: CONTEXT_TOKENS,
  flashAttention: "auto",
});
