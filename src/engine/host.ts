/** What a script's standard library needs of the kernel's side: input lines, the environment, child processes. */
import { scriptReading } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import type { ReadingKind } from "../core/tape.ts";
import type { EngineHost } from "./engine.ts";
import type { SpawnResult } from "./lua/environment.ts";

export function systemCall(
  host: EngineHost,
  operation: string,
  argument: unknown,
  signal: AbortSignal,
): unknown {
  switch (operation) {
    case "input":
      return host.input("");
    case "getenv":
      return host.environment === undefined
        ? process.env[argument as string]
        : host.environment(argument as string);
    case "reading":
      return scriptReading(argument as ReadingKind);
    case "spawn":
      return spawn(host, argument as SpawnRequest, signal);
    default:
      throw new SpellError("internal", `Cannot serve the script: unknown operation: ${operation}`);
  }
}

interface SpawnRequest {
  command: string;
  input?: string | Uint8Array;
  /** Give standard output back instead of passing it on. */
  capture?: boolean;
}

async function spawn(host: EngineHost, request: SpawnRequest, signal: AbortSignal): Promise<SpawnResult> {
  const shell = process.platform === "win32" ? ["cmd.exe", "/d", "/s", "/c"] : ["/bin/sh", "-c"];
  const input = request.input === undefined ? "ignore" : new Blob([request.input as string]);
  const child = Bun.spawn([...shell, request.command], {
    stdin: input,
    stdout: "pipe",
    stderr: "pipe",
    // A group of its own: a shell's children are to end with it.
    detached: true,
  });
  const end = () => endGroup(child);
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  const chunks: Uint8Array[] = [];
  const pass = async (stream: ReadableStream<Uint8Array>, to: (chunk: Uint8Array) => void) => {
    for await (const chunk of stream) to(chunk);
  };
  await Promise.all([
    pass(child.stdout, (chunk) => (request.capture ? chunks.push(chunk) : host.output("stdout", chunk))),
    pass(child.stderr, (chunk) => host.output("stderr", chunk)),
    child.exited,
  ]);
  signal.removeEventListener("abort", end);
  const killedBy = child.signalCode === null ? null : String(child.signalCode);
  return { code: child.exitCode, signal: killedBy, output: Buffer.concat(chunks) };
}

const KILL_AFTER_MS = 500;

function endGroup(child: Bun.Subprocess): void {
  signalGroup(child, "SIGTERM");
  const kill = setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS);
  child.exited.then(() => clearTimeout(kill));
}

function signalGroup(child: Bun.Subprocess, signal: NodeJS.Signals): void {
  if (process.platform === "win32") {
    child.kill();
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
