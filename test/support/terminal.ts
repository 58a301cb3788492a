import { EXECUTABLE, type Sandbox } from "./cli.ts";

/** The executable on a pseudo-terminal, with somebody at the keys. */
export class Terminal {
  /** Everything shown so far. */
  screen = "";
  private answered = 0;
  private readonly closed = Promise.withResolvers<void>();
  private readonly waiting = new Set<() => void>();
  private readonly process: Bun.Subprocess;

  constructor(
    box: Sandbox,
    args: readonly string[],
    { program = EXECUTABLE, env = {} }: { program?: string; env?: Record<string, string> } = {},
  ) {
    this.process = Bun.spawn([program, ...args], {
      cwd: box.cwd,
      env: { ...box.env, ...env },
      terminal: {
        cols: 200,
        data: (_, data) => this.receive(data),
        exit: () => this.closed.resolve(),
      },
    });
  }

  private receive(data: Uint8Array): void {
    this.screen += new TextDecoder().decode(data);
    for (const check of this.waiting) check();
  }

  /** Waits for the question to appear after the last answer, then types the next. */
  async answer(question: string, keys: string): Promise<void> {
    await this.shown(question);
    this.answered = this.screen.length;
    this.process.terminal!.write(keys);
  }

  private shown(text: string): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!this.screen.slice(this.answered).includes(text)) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** The exit code, once everything that was printed is on the screen. */
  async exited(): Promise<number> {
    const code = await this.process.exited;
    await this.closed.promise;
    return code;
  }
}
