/** Runs the built executable as a user would: from an empty directory, with a home of its own, nothing else in the environment. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

export const EXECUTABLE = resolve("dist/llmspell");

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
  stdoutBytes: Uint8Array;
}

export interface RunOptions {
  /** In place of the one in `dist/`. */
  executable?: string;
  env?: Record<string, string>;
  cwd?: string;
  /** Text, nothing at all, or a pipe in which nothing comes. */
  stdin?: string | "closed" | "open";
  /** Ends the program by SIGKILL and fails the test's expectations; a guard against hangs, not a measure. */
  timeoutMs?: number;
}

/** A directory of its own for one test: `home`, `cache`, `tmp` and the working directory `cwd`. Removed by `dispose`. */
export class Sandbox implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "llmspell-test-"));
  readonly cwd = join(this.root, "cwd");
  readonly home = join(this.root, "home");
  readonly tmp = join(this.root, "tmp");

  constructor() {
    for (const directory of [this.cwd, this.home, this.tmp]) mkdirSync(directory);
  }

  get env(): Record<string, string> {
    return { PATH: process.env.PATH ?? "", HOME: this.home, TMPDIR: this.tmp, TZ: "UTC", LANG: "C.UTF-8" };
  }

  /** Writes a file below the working directory and gives its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.cwd, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  start(args: readonly string[], options: RunOptions = {}) {
    return Bun.spawn([options.executable ?? EXECUTABLE, ...args], {
      cwd: options.cwd ?? this.cwd,
      env: { ...this.env, ...options.env },
      stdin: stdinOf(options.stdin),
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const proc = this.start(args, options);
    const guard = setTimeout(() => proc.kill("SIGKILL"), options.timeoutMs ?? 60_000);
    const [out, stderr, code] = await Promise.all([
      new Response(proc.stdout).bytes(),
      new Response(proc.stderr).text(),
      proc.exited,
    ]);
    clearTimeout(guard);
    return { code, stdout: new TextDecoder().decode(out), stderr, stdoutBytes: out };
  }

  /** Runs a Lua script given as text. */
  async lua(source: string | Uint8Array, options: RunOptions & { args?: string[] } = {}): Promise<Finished> {
    this.write("script.lua", source);
    return this.run([...(options.args ?? []), "run", "script.lua"], options);
  }

  /** Where another process removes a file meanwhile, Bun's `rmSync` ends without a word and leaves the rest. */
  [Symbol.dispose](): void {
    for (let tries = 0; existsSync(this.root) && tries < 10; tries++)
      rmSync(this.root, { recursive: true, force: true });
  }
}

function stdinOf(stdin: RunOptions["stdin"]): "ignore" | "pipe" | Uint8Array {
  if (stdin === undefined || stdin === "closed") return "ignore";
  return stdin === "open" ? "pipe" : new TextEncoder().encode(stdin);
}
