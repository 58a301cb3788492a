// node node-llama-cpp.mjs '<load as JSON>': tokens a second, prompts and answers together, on node-llama-cpp.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { directory, load, sequences } = JSON.parse(process.argv[2]);
const entry = createRequire(join(directory, "package.json")).resolve("node-llama-cpp");
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry).href);
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  maxThreads: load.threads,
  logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath: load.model });
const context = await model.createContext({
  contextSize: load.contextTokens / sequences,
  sequences,
  threads: load.threads,
  batchSize: 2048,
});
const all = Array.from({ length: sequences }, () => context.getSequence());
const prompt = (i) => [
  model.tokens.bos,
  ...model.tokenize("b".repeat(i + 1) + "a".repeat(load.promptTokens)).slice(0, load.promptTokens - 1),
];

async function answer(sequence, i) {
  await sequence.clearHistory();
  let made = 0;
  for await (const _ of sequence.evaluate(prompt(i), { temperature: 0 }))
    if (++made === load.generatedTokens) break;
  if (made !== load.generatedTokens) throw new Error(`made ${made} tokens of ${load.generatedTokens}`);
}

await answer(all[0], 0); // warms caches
const startedMs = performance.now();
await Promise.all(all.map(answer));
const seconds = (performance.now() - startedMs) / 1000;
console.log(JSON.stringify({ speed: (sequences * (load.promptTokens + load.generatedTokens)) / seconds }));
process.exit(0);
