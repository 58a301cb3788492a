/**
 * What it is worth to decode tokens that an answer probably repeats beside the next one. The model's weights are noise, so a
 * grammar dictates the answers: texts that are there, each word a token of its own.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { DEFAULT_SPECULATIVE_TOKENS } from "../src/models/llamacpp/sampling.ts";
import { computeThreads } from "../src/models/llamacpp/threads.ts";
import { LocalEngine } from "./local-engine.ts";
import { interleave, median } from "./measure.ts";
import { benchModel, sign } from "./model.ts";
import { llamaProgram } from "./peer/llama-cpp.ts";
import { LlamaServer } from "./peer/llama-server.ts";
import { type Row, row, Unavailable } from "./row.ts";

const CONTEXT_TOKENS = 4096;
const MOST_WORDS = 1200;
const ROUNDS = 3;
/** What llama-server is told to do the same; all else as it comes. */
const SERVER_SPECULATES = ["--spec-type", "ngram-simple"];

interface Task {
  name: string;
  prompt: string;
  answer: string;
  /** Tokens of the answer. */
  words: number;
  /** Least gain over decoding one by one. */
  least: number;
}

/** Writes texts in signs, the same word as the same sign. */
class Words {
  private readonly signs = new Map<string, string>();

  write(text: string): { text: string; words: number } {
    const words = (text.match(/ ?[\p{L}\p{N}_]+|\s+|[^\s\p{L}\p{N}_]/gu) ?? []).slice(0, MOST_WORDS);
    return { text: words.map((word) => this.signOf(word)).join(""), words: words.length };
  }

  private signOf(word: string): string {
    const known = this.signs.get(word);
    if (known !== undefined) return known;
    const made = sign(this.signs.size);
    this.signs.set(word, made);
    return made;
  }
}

function tasks(): Task[] {
  const root = join(import.meta.dir, "..");
  const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
  const words = new Words();
  const task = (name: string, prompt: string, answer: string, least: number): Task => {
    const written = words.write(answer);
    return { name, prompt: words.write(prompt).text, answer: written.text, words: written.words, least };
  };
  const locale = (language: string) => read("node_modules", "zod", "v4", "locales", `${language}.js`);
  const source = read("src", "models", "llamacpp", "batch.ts");
  return [
    task("a name changed in a file", source, source.replaceAll("answering", "request"), 1.2),
    task("a file of messages translated", locale("en"), locale("de"), 1),
    task("nothing repeated", source, read("LICENSE"), 0.97),
  ];
}

/** Answers that repeat much, something and nothing of their prompts, beside the same ones decoded token by token. */
export async function speculation(): Promise<Row[]> {
  const threads = Math.min(computeThreads(), availableParallelism());
  const model = await benchModel();
  const program = await llamaProgram("llama-server");
  const engine = new LocalEngine({ path: model, contextTokens: CONTEXT_TOKENS, threads, sequences: 1 });
  await using server =
    program instanceof Unavailable
      ? undefined
      : await LlamaServer.start(
          program,
          { model, threads, contextTokens: CONTEXT_TOKENS },
          1,
          SERVER_SPECULATES,
        );
  try {
    const rows: Row[] = [];
    for (const task of tasks()) {
      const grammar = `root ::= "${task.answer}"`;
      const speed = async (speculativeTokens: number) => {
        const made = await engine.generate(task.prompt, task.words, { grammar, speculativeTokens });
        if (made.text !== task.answer)
          throw new Error(`the answer is not what the grammar says: ${task.name}`);
        return (task.words * 1000) / made.outputMs;
      };
      const sides: Record<string, () => Promise<number>> = {
        ours: () => speed(DEFAULT_SPECULATIVE_TOKENS),
        single: () => speed(0),
      };
      if (server !== undefined)
        sides.server = async () => {
          const made = await server.complete(task.prompt, task.words, grammar);
          if (made.text !== task.answer) throw new Error(`llama-server answers otherwise: ${task.name}`);
          return (task.words * 1000) / made.predictedMs;
        };
      const speeds = await interleave(ROUNDS, sides);
      const line = (name: string, figure: number | Unavailable, least: number) =>
        row({
          name: `speculation: ${task.name}, ${threads} threads`,
          unit: "tok/s",
          ours: median(speeds.ours!),
          peer: { name, figure },
          target: { of: "ratio", at: "least", value: least },
        });
      rows.push(
        line("the same, token by token", median(speeds.single!), task.least),
        line(
          "llama-server, ngram-simple",
          program instanceof Unavailable ? program : median(speeds.server!),
          1,
        ),
      );
    }
    return rows;
  } finally {
    await engine.dispose();
  }
}
