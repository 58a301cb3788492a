/** `model install-ollama`: fetches Ollama's own installer and runs it. Whoever calls this has asked the user. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { printableLine } from "../../core/printable.ts";
import { fetchChecked } from "../../security/network/fetch.ts";
import type { NetworkRules } from "../../security/network/rules.ts";
import { ollamaProgram } from "./settings.ts";

export const INSTALLER_URL = "https://ollama.com/install.sh";
const MAX_INSTALLER_BYTES = 4 << 20;
const MAX_REDIRECTS = 5;
const FETCH_MS = 60_000;
const MORE = "Install it by hand: https://ollama.com/download";

export interface InstallOptions {
  url: string;
  rules: NetworkRules;
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
  signal: AbortSignal | undefined;
  /** A line of what the installer says. */
  onLine: (line: string) => void;
}

/**
 * @returns where the program lies; undefined where the installer put it elsewhere than in the search path
 * @throws already_exists, platform (Windows), network, timeout, provider (the installer failed), interrupted
 */
export async function installOllama(options: InstallOptions): Promise<string | undefined> {
  const { env, platform, url } = options;
  const there = ollamaProgram(env);
  if (there !== undefined)
    throw new SpellError("already_exists", `Cannot install Ollama: it is installed: ${there}`, {
      data: { path: there },
      hint: "Start it with `ollama serve`, or set auto_start = true in [providers.ollama]",
    });
  if (platform !== "linux" && platform !== "darwin")
    throw new SpellError("platform", `Cannot install Ollama: its installer does not run on ${platform}`, {
      hint: platform === "win32" ? `Run \`winget install Ollama.Ollama\`, or: ${MORE}` : MORE,
    });
  const script = await fetchInstaller(options);
  const directory = await mkdtemp(join(tmpdir(), "llmspell-ollama-"));
  try {
    const file = join(directory, "install.sh");
    await writeFile(file, script, { mode: 0o700 });
    await run(file, url, options);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return ollamaProgram(env);
}

async function fetchInstaller({ url, rules, env, signal }: InstallOptions): Promise<string> {
  const limit = AbortSignal.timeout(FETCH_MS);
  const both = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  const refuse = (rule: string) =>
    new SpellError("network", `Cannot fetch Ollama's installer: ${rule}: ${url}`, { hint: MORE });
  try {
    const { response } = await fetchChecked(new URL(url), {
      rules,
      env,
      headers: { "Accept-Encoding": "identity", "User-Agent": "llmspell" },
      maxRedirects: MAX_REDIRECTS,
      signal: both,
      isTaped: false,
    });
    if (!response.ok) throw refuse(`the server answers with status ${response.status}`);
    const text = await response.text();
    if (text.length > MAX_INSTALLER_BYTES || !text.startsWith("#!")) throw refuse("the answer is no script");
    return text;
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.aborted) throw refuse(`no answer within ${FETCH_MS / 1000} s`);
    throw error instanceof SpellError ? error : refuse("the connection was cut");
  }
}

/** Its questions for a password go to the terminal, past its output. */
async function run(file: string, url: string, { env, signal, onLine }: InstallOptions): Promise<void> {
  const child = Bun.spawn(["sh", file], { env: { ...env }, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const stop = () => child.kill("SIGTERM");
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const [, last, code] = await Promise.all([
      eachLine(child.stdout, onLine),
      eachLine(child.stderr, onLine),
      child.exited,
    ]);
    signal?.throwIfAborted();
    if (code === 0) return;
    const reason = last === "" ? "" : `: ${last}`;
    throw new SpellError(
      "provider",
      `Cannot install Ollama: its installer ended with code ${code}${reason}`,
      {
        data: { url, exitCode: code },
        hint: MORE,
      },
    );
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** @returns the last line that is not empty */
async function eachLine(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let held = "";
  let last = "";
  const tell = (line: string) => {
    const text = printableLine(line.trimEnd());
    if (text.trim() === "") return;
    last = text;
    onLine(text);
  };
  for await (const chunk of stream) {
    const lines = (held + decoder.decode(chunk, { stream: true })).split(/[\n\r]/);
    held = lines.pop()!;
    lines.forEach(tell);
  }
  tell(held + decoder.decode());
  return last;
}
