import { availableParallelism } from "node:os";
import { computeThreads } from "../src/models/llamacpp/threads.ts";
import { LocalEngine } from "./local-engine.ts";
import { interleave, median } from "./measure.ts";
import { benchModel } from "./model.ts";
import { batchedBench, type Load } from "./peer/llama-batched-bench.ts";
import { llamaProgram } from "./peer/llama-cpp.ts";
import { LlamaServer } from "./peer/llama-server.ts";
import { installNodeLlamaCpp, runNodeLlamaCpp } from "./peer/node-llama-cpp.ts";
import { type Row, row, Unavailable } from "./row.ts";

const LOAD = { promptTokens: 128, generatedTokens: 128 };
const AGENTS = 8;
const CONTEXT_TOKENS = 4096;
const ROUNDS = 5;

/** Prompts of equal length, each with a beginning of its own. */
function prompts(engine: LocalEngine): Promise<string[]> {
  return Promise.all(Array.from({ length: AGENTS }, (_, i) => engine.textOf(LOAD.promptTokens, i + 1)));
}

/** Tokens a second, prompts and answers together, from the first request to the last answer. */
async function together(answers: readonly (() => Promise<unknown>)[]): Promise<number> {
  const startedMs = performance.now();
  await Promise.all(answers.map((answer) => answer()));
  const tokens = answers.length * (LOAD.promptTokens + LOAD.generatedTokens);
  return (tokens * 1000) / (performance.now() - startedMs);
}

/** Eight agents at once on one model, and one alone, beside programs that do the same. */
export async function concurrent(): Promise<Row[]> {
  const threads = Math.min(computeThreads(), availableParallelism());
  const load: Load = { model: await benchModel(), threads, contextTokens: CONTEXT_TOKENS, ...LOAD };
  const batched = await llamaProgram("llama-batched-bench");
  const serverProgram = await llamaProgram("llama-server");
  const node = await installNodeLlamaCpp();
  const engine = new LocalEngine({
    path: load.model,
    contextTokens: CONTEXT_TOKENS,
    threads,
    sequences: AGENTS,
  });
  await using server =
    serverProgram instanceof Unavailable ? undefined : await LlamaServer.start(serverProgram, load, AGENTS);
  try {
    const texts = await prompts(engine);
    const ours = (text: string) => () => engine.generate(text, LOAD.generatedTokens);
    const theirs = (text: string) => () => server!.complete(text, LOAD.generatedTokens);
    const sides: Record<string, () => Promise<number>> = {
      ours: () => together(texts.map(ours)),
      alone: () => together([ours(texts[0]!)]),
    };
    if (!(batched instanceof Unavailable)) {
      sides.batched = () => batchedBench(batched, load, AGENTS);
      sides.batchedInOneRoom = () => batchedBench(batched, load, AGENTS, true);
    }
    if (server !== undefined) sides.server = () => together(texts.map(theirs));
    if (!(node instanceof Unavailable)) {
      sides.node = () => runNodeLlamaCpp(node, load, AGENTS);
      sides.nodeAlone = () => runNodeLlamaCpp(node, load, 1);
    }
    const speeds = await interleave(ROUNDS, sides);
    const line = (
      agents: number,
      side: string,
      peer: { name: string; key: string; missing: unknown },
      least: number,
    ) =>
      row({
        name: `concurrent: ${agents} × (${LOAD.promptTokens} + ${LOAD.generatedTokens}), ${threads} threads`,
        unit: "tok/s",
        ours: median(speeds[side]!),
        peer: {
          name: peer.name,
          figure: peer.missing instanceof Unavailable ? peer.missing : median(speeds[peer.key]!),
        },
        target: { of: "ratio", at: "least", value: least },
      });
    return [
      line(AGENTS, "ours", { name: "llama-batched-bench", key: "batched", missing: batched }, 0.95),
      line(
        AGENTS,
        "ours",
        { name: "llama-batched-bench -kvu", key: "batchedInOneRoom", missing: batched },
        0.95,
      ),
      line(AGENTS, "ours", { name: "llama-server", key: "server", missing: serverProgram }, 1),
      line(AGENTS, "ours", { name: "node-llama-cpp", key: "node", missing: node }, 1),
      line(1, "alone", { name: "node-llama-cpp", key: "nodeAlone", missing: node }, 1),
    ];
  } finally {
    await engine.dispose();
  }
}
