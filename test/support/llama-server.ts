/** A running llama-server: an independent service that speaks OpenAI's and Anthropic's formats. */
export class LlamaServer implements AsyncDisposable {
  private constructor(
    private readonly proc: Bun.Subprocess,
    readonly origin: string,
  ) {}

  /** @param program from `llamaProgram` @param key what clients have to send */
  static async start(
    program: string,
    model: string,
    key: string,
    args: readonly string[],
  ): Promise<LlamaServer> {
    const port = freePort();
    const words = ["-m", model, "--port", String(port), "--api-key", key, "-t", "1", ...args];
    const proc = Bun.spawn([program, ...words], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    const server = new LlamaServer(proc, `http://127.0.0.1:${port}`);
    for (let tries = 0; tries < 300; tries++) {
      if (proc.exitCode !== null) throw new Error(`llama-server ended with ${proc.exitCode}`);
      const ready = await fetch(`http://127.0.0.1:${port}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (ready) return server;
      await Bun.sleep(100);
    }
    await server[Symbol.asyncDispose]();
    throw new Error("llama-server was not ready after 30 s");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proc.kill("SIGKILL");
    await this.proc.exited;
  }
}

function freePort(): number {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}
