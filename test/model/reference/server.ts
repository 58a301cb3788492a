/** llama.cpp's own llama-server, asked for the tokens that tests compare with. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const KERNELS = /^libggml-cpu-(\w+)\.so$/;
/** A token is clear where it is so many times further ahead of the next likely one than kernels differ about that. */
const CLEAR = 2;
const PORT = 18_097;
const ADDRESS = `http://127.0.0.1:${PORT}`;

export interface Completion {
  tokens: number[];
  /** So many of the tokens do not depend on how a processor rounds. */
  sure: number;
}

export interface Question {
  model: string;
  prompt: string;
  options: readonly string[];
  body: Record<string, unknown>;
}

/**
 * The likeliest tokens by each of the library's sets of kernels that this processor can run, one after another: they are sure
 * as far as all agree and each is clear.
 * @param program llama-server, with the libraries beside it
 */
export async function completions(program: string, questions: readonly Question[]): Promise<Completion[]> {
  const sets = readdirSync(dirname(program)).flatMap((name) => KERNELS.exec(name)?.[1] ?? []);
  const all: Answer[][] = [];
  for (const kernels of sets) {
    const answers = await withKernels(program, kernels, questions);
    if (answers !== undefined) all.push(answers);
    console.error(`${kernels}: ${answers === undefined ? "not for this processor" : "done"}`);
  }
  return questions.map((_, i) => {
    const answers = all.map((one) => one[i]!);
    const { tokens } = answers[0]!;
    const differing = tokens.findIndex((token, at) => answers.some((other) => other.tokens[at] !== token));
    const agreed = differing < 0 ? tokens.length : differing;
    const unclear = tokens.slice(0, agreed).findIndex((_, at) => {
      const margins = answers.flatMap((one) => one.margins.get(at) ?? []);
      const least = Math.min(...margins);
      return least < CLEAR * (Math.max(...margins) - least);
    });
    console.error(`question ${i}: kernels agree on ${agreed} tokens, the first unclear one is ${unclear}`);
    return { tokens, sure: unclear < 0 ? agreed : unclear };
  });
}

interface Answer {
  tokens: number[];
  /** By place: how far ahead of the next likely token, in nats. Not of tokens that end within a character. */
  margins: Map<number, number>;
}

/** Undefined where the processor cannot run them. */
async function withKernels(program: string, kernels: string, questions: readonly Question[]) {
  const directory = mkdtempSync(join(tmpdir(), "llmspell-kernels-"));
  try {
    for (const name of readdirSync(dirname(program)))
      if ((KERNELS.exec(name)?.[1] ?? kernels) === kernels)
        symlinkSync(join(dirname(program), name), join(directory, name));
    // It looks for kernels beside the file that runs, links followed.
    const copy = join(directory, "llama-server-copy");
    copyFileSync(program, copy);
    const answers: Answer[] = [];
    let server: { of: string; process: LlamaServer } | undefined;
    try {
      for (const { model, options, prompt, body } of questions) {
        const of = [model, ...options].join(" ");
        if (server?.of !== of) {
          await server?.process.stop();
          const process = await LlamaServer.start(copy, model, options);
          if (process === undefined) return undefined;
          server = { of, process };
        }
        answers.push(await server.process.ask(prompt, body));
      }
    } finally {
      await server?.process.stop();
    }
    return answers;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

class LlamaServer {
  private constructor(private readonly child: Bun.Subprocess) {}

  /** Undefined where it does not start. */
  static async start(program: string, model: string, options: readonly string[]) {
    const command = [program, "-m", model, "-t", "1", "-np", "1", "--port", String(PORT), "--no-webui"];
    const env = { ...Bun.env, LD_LIBRARY_PATH: dirname(program) };
    const child = Bun.spawn([...command, ...options], { stdout: "ignore", stderr: "ignore", env });
    while (!(await fetch(`${ADDRESS}/health`).catch(() => undefined))?.ok) {
      if (child.exitCode !== null || child.signalCode !== null) return undefined;
      await Bun.sleep(20);
    }
    return new LlamaServer(child);
  }

  async ask(prompt: string, body: Record<string, unknown>): Promise<Answer> {
    const response = await fetch(`${ADDRESS}/completion`, {
      method: "POST",
      body: JSON.stringify({
        prompt,
        temperature: 0,
        repeat_penalty: 1,
        cache_prompt: false,
        return_tokens: true,
        n_probs: 2,
        ...body,
      }),
    });
    return answerOf((await response.json()) as Response);
  }

  async stop(): Promise<void> {
    this.child.kill();
    await this.child.exited;
  }
}

interface Response {
  tokens: number[];
  /** Without those tokens that end within a character. */
  completion_probabilities: { id: number; top_logprobs: { logprob: number }[] }[];
}

function answerOf({ tokens, completion_probabilities: probabilities }: Response): Answer {
  const margins = new Map<number, number>();
  let next = 0;
  for (const [at, token] of tokens.entries()) {
    const known = probabilities[next];
    if (known?.id !== token) continue;
    next++;
    const [first, second] = known.top_logprobs;
    margins.set(at, first!.logprob - second!.logprob);
  }
  return { tokens, margins };
}
