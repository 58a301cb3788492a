import { ioError } from "../../core/io-error.ts";
import { ownCommand } from "../../core/self.ts";

export interface ChildOptions {
  env: Record<string, string | undefined>;
  signal?: AbortSignal | undefined;
  limitMs: number;
}

export interface ChildEnd {
  printed: string;
  log: string;
  /** It was ended because of its time limit. */
  isLate: boolean;
  signal: string | number | null;
  /** How it ended, for people. */
  end: string;
}

/**
 * Runs a hidden command of this program that may die in native code.
 * @throws what `signal` was aborted with; SpellError io where the program cannot be started
 */
export async function runChild(words: string[], { env, signal, limitMs }: ChildOptions): Promise<ChildEnd> {
  const child = start(words, env, signal);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, limitMs);
  const [printed, log] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearTimeout(timer);
  signal?.throwIfAborted();
  const end = `${child.signalCode ?? `exit code ${child.exitCode}`}`;
  return { printed, log, isLate, signal: child.signalCode, end };
}

function start(words: string[], env: ChildOptions["env"], signal: AbortSignal | undefined) {
  try {
    return Bun.spawn(ownCommand(...words), {
      env: { ...env, GGML_NO_BACKTRACE: "1", BUN_ENABLE_CRASH_REPORTING: "0" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      detached: true, // Ctrl-C on the terminal comes through the signal
      killSignal: "SIGKILL",
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    throw ioError("Cannot start this program once more, to try a model in it", process.execPath, error);
  }
}
