/** A running `llmspell serve` of the built executable. */
import type { RunOptions, Sandbox } from "./cli.ts";

export interface Served extends AsyncDisposable {
  /** What clients call their base URL. */
  url: string;
  port: number;
  pid: number;
  signal(name: NodeJS.Signals): void;
  /** Exit code and what stood on standard error. */
  ended: Promise<{ code: number; stderr: string; stdout: string }>;
}

/** Starts the server on a free port and waits until it is ready. @throws Error with its standard error where it ends first */
export async function serve(
  box: Sandbox,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Served> {
  const proc = box.start(["serve", "--port", "0", "--output", "json", ...args], options);
  const stderr = new Response(proc.stderr).text();
  const reader = proc.stdout.getReader();
  const decoder = new TextDecoder();
  let stdout = "";
  while (!stdout.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the server ended before it was ready: ${stdout}${await stderr}`);
    stdout += decoder.decode(value, { stream: true });
  }
  const { url, port } = JSON.parse(stdout) as { url: string; port: number };
  const rest = (async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      stdout += decoder.decode(next.value, { stream: true });
    return { code: await proc.exited, stderr: await stderr, stdout };
  })();
  return {
    url,
    port,
    pid: proc.pid,
    signal: (name) => proc.kill(name),
    ended: rest,
    async [Symbol.asyncDispose]() {
      proc.kill("SIGKILL");
      await rest;
    },
  };
}
