import type { Load } from "./llama-batched-bench.ts";

const START_LIMIT_MS = 60_000;

interface Completion {
  content: string;
  tokens_predicted: number;
  timings: { predicted_ms: number };
}

/** llama.cpp's server on a free port of the loopback interface. */
export class LlamaServer implements AsyncDisposable {
  private constructor(
    private readonly child: Bun.Subprocess,
    readonly url: string,
  ) {}

  static async start(
    path: string,
    load: Pick<Load, "model" | "threads" | "contextTokens">,
    slots: number,
    more: readonly string[] = [],
  ): Promise<LlamaServer> {
    const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = probe;
    probe.stop(true);
    const child = Bun.spawn(
      [
        path,
        ...["-m", load.model, "-t", String(load.threads), "-c", String(load.contextTokens)],
        ...["-b", "2048", "-ub", "512", "-np", String(slots), "--host", "127.0.0.1", "--port", String(port)],
        ...more,
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
    const server = new LlamaServer(child, `http://127.0.0.1:${port}`);
    const limit = performance.now() + START_LIMIT_MS;
    while (!(await server.isReady())) {
      if (child.exitCode !== null || performance.now() > limit) {
        await server[Symbol.asyncDispose]();
        throw new Error(`llama-server did not start: exit code ${child.exitCode}`);
      }
      await Bun.sleep(100);
    }
    return server;
  }

  private async isReady(): Promise<boolean> {
    return fetch(`${this.url}/health`).then(
      (response) => response.ok,
      () => false,
    );
  }

  /** A greedy answer of exactly so many tokens. */
  async complete(
    prompt: string,
    tokens: number,
    grammar?: string,
  ): Promise<{ predictedMs: number; text: string }> {
    const response = await fetch(`${this.url}/completion`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        prompt,
        n_predict: tokens,
        temperature: 0,
        ignore_eos: true,
        cache_prompt: false,
        ...(grammar === undefined ? {} : { grammar }),
      }),
    });
    const answer = (await response.json()) as Partial<Completion>;
    if (answer.tokens_predicted !== tokens)
      throw new Error(`llama-server made ${answer.tokens_predicted} tokens of ${tokens}`);
    return { predictedMs: answer.timings!.predicted_ms, text: answer.content! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }
}
