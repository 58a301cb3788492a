/** Kernels of the built executable in a sandbox; none outlives its test. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection } from "../../src/kernel/connection-file.ts";
import { connectKernel, type RemoteKernel } from "../../src/kernel/remote-client.ts";
import { type RunOptions, Sandbox } from "./cli.ts";

export interface Started {
  id: string;
  pid: number;
  port: number;
  connection_file: string;
  log_file: string | null;
  pid_file: string | null;
  monitoring_port?: number;
}

/** Waits until it holds; a test's own time limit ends the wait. */
export async function until<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const value = await look();
    if (value) return value as NonNullable<T>;
    await Bun.sleep(10);
  }
}

export function isRunning(pid: number): boolean {
  try {
    // a process that has ended and that nobody has asked about is none
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

export class KernelSandbox extends Sandbox {
  private readonly pids: number[] = [];

  override get env(): Record<string, string> {
    return { ...super.env, XDG_RUNTIME_DIR: this.tmp };
  }

  get data(): string {
    return join(this.home, ".llmspell");
  }

  /** A daemon on free ports. */
  async daemon(args: readonly string[] = [], options: RunOptions = {}): Promise<Started> {
    const words = ["--output", "json", "kernel", "start", "--daemon", "--port", "0", ...args];
    const { code, stdout, stderr } = await this.run(words, options);
    if (code !== 0) throw new Error(`kernel start: ${code}: ${stderr}`);
    const started = JSON.parse(stdout) as Started;
    this.pids.push(started.pid);
    return started;
  }

  /** One in the foreground, which is a child of the test: its exit code can be seen. */
  async foreground(args: readonly string[] = [], options: RunOptions = {}) {
    const words = ["--output", "json", "kernel", "start", "--port", "0", ...args];
    const process = this.start(words, options);
    this.pids.push(process.pid);
    let text = "";
    const decoder = new TextDecoder();
    const reader = process.stdout.getReader();
    while (!text.includes("\n")) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`kernel start: ${await new Response(process.stderr).text()}`);
      text += decoder.decode(value, { stream: true });
    }
    return { process, started: JSON.parse(text) as Started };
  }

  connection({
    connection_file,
  }: Started): Connection & { pid: number; token: string; websocket_port: number } {
    return JSON.parse(readFileSync(connection_file, "utf8"));
  }

  connect(started: Started): Promise<RemoteKernel> {
    const { websocket_port: port, token } = this.connection(started);
    return connectKernel({ host: "127.0.0.1", port, token });
  }

  logOf({ log_file }: Started): string {
    return readFileSync(log_file!, "utf8");
  }

  override [Symbol.dispose](): void {
    for (const pid of this.pids) if (isRunning(pid)) process.kill(pid, "SIGKILL");
    super[Symbol.dispose]();
  }
}

/** A piece of Lua as a client sends it. */
export function code(text: string) {
  const args = { script: "cell", positional: [], named: {} };
  return { type: "execute", code: text, name: "cell", args, language: "lua", stream: false } as const;
}
