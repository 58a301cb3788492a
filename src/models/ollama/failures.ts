/** What a server answers instead of what was asked for, in words that say what to do. */
import { SpellError } from "../../core/errors.ts";
import { printableLine } from "../../core/printable.ts";
import { Passing, retryAfterMs } from "../../core/retry.ts";
import { type OllamaSettings, ollamaProgram } from "./settings.ts";

/** One request, for messages. */
export interface Asking {
  /** Begins each message: `Cannot call model llama3.2`. */
  what: string;
  model?: string;
  /** Address of the server, without secrets. */
  server: string;
}

const LONGEST_TEXT = 500;
const PROXY_HINT = "A proxy or another program may answer in its place; check base_url of the provider";

const fail = (
  { what, model, server }: Asking,
  code: ConstructorParameters<typeof SpellError>[0],
  rule: string,
  hint: string | undefined,
  data: Record<string, unknown> = {},
): SpellError =>
  new SpellError(code, `${what}: ${rule}`, {
    data: { provider: "ollama", server, ...(model === undefined ? {} : { model }), ...data },
    ...(hint === undefined ? {} : { hint }),
  });

/** Nothing listens there. */
export function notRunning(asking: Asking, { isThisMachine, env }: OllamaSettings): SpellError {
  const hint = !isThisMachine
    ? "Start Ollama there, or correct base_url of the provider"
    : ollamaProgram(env) !== undefined
      ? "Start it with `ollama serve`, or set auto_start = true in [providers.ollama]"
      : "Install it with `llmspell model install-ollama`, or use a model of llmspell's own store: local/MODEL@llamacpp";
  return fail(asking, "network", `Ollama is not running at ${asking.server}`, hint, { notRunning: true });
}

/** There is no way to it: its name, a network, too many redirects. */
export const unreachable = (asking: Asking, { message }: SpellError): SpellError =>
  fail(
    asking,
    "network",
    `Ollama cannot be reached at ${asking.server}: ${message}`,
    "Check base_url of the provider, and the network",
  );

export const cutOff = (asking: Asking, hint = "Try again, and look at Ollama's log"): SpellError =>
  fail(asking, "network", `Ollama stopped answering before the end: ${asking.server}`, hint);

export const tooSlow = (asking: Asking, ms: number, key: string): SpellError =>
  fail(
    asking,
    "timeout",
    `Ollama sent nothing for ${ms / 1000} s: ${asking.server}`,
    `Raise ${key} of the provider; a large model may take long to load`,
    { timeoutMs: ms },
  );

/** @param type the answer's content type */
export const notJson = (asking: Asking, type: string | null): SpellError =>
  fail(
    asking,
    "provider",
    `the answer is not Ollama's JSON (${type ?? "no content type"}): ${asking.server}`,
    PROXY_HINT,
  );

export const wrongShape = (asking: Asking, field: string): SpellError =>
  fail(asking, "provider", `Ollama's answer lacks what it must have: ${field}`, PROXY_HINT);

export const tooOld = (asking: Asking, version: string, minimum: string): SpellError =>
  fail(
    asking,
    "provider",
    `Ollama ${version} is too old: ${minimum} or newer is needed: ${asking.server}`,
    "Update Ollama: https://ollama.com/download",
    { version, minimum },
  );

/** @param has what of it: `the prompt of 5000 tokens` */
export const overflow = (
  asking: Asking,
  has: string,
  contextTokens: number | undefined,
  data: Record<string, unknown> = {},
  hint = "Shorten the conversation or the tool list, or raise context_size of the provider (context_window of the agent)",
): SpellError =>
  fail(
    asking,
    "context_overflow",
    `${has} exceeds the context${contextTokens === undefined ? "" : ` of ${contextTokens} tokens`}`,
    hint,
    contextTokens === undefined ? data : { contextTokens, ...data },
  );

/** A failure with a status; what may pass is thrown as `Passing`. */
export async function statusFailure(asking: Asking, response: Response): Promise<Error> {
  const { status, headers } = response;
  const text = await response.text();
  const said = errorIn(text);
  if (said !== undefined && ![429, 502, 503, 504].includes(status))
    return serverFailure(asking, said, status);
  if (status === 404) {
    const path = response.url === "" ? "" : ` ${new URL(response.url).pathname}`;
    return fail(
      asking,
      "provider",
      `Ollama does not know this request${path}: ${asking.server}`,
      "It may be too old: update it from https://ollama.com/download; or another program answers there",
      { statusCode: status },
    );
  }
  const reason = said === undefined ? "" : `: ${shown(said)}`;
  const rule = `Ollama answers with status ${status}${reason}: ${asking.server}`;
  if (![408, 429, 502, 503, 504].includes(status))
    return fail(asking, "provider", rule, PROXY_HINT, { statusCode: status });
  return new Passing(
    fail(asking, "provider", rule, "It has too much to do, or is starting; try again later", {
      statusCode: status,
    }),
    retryAfterMs(headers.get("retry-after"), Date.now()),
  );
}

/** The text of `{"error": …}`; undefined for any other text. */
export function errorIn(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as { error?: unknown } | null;
    const error = value?.error;
    if (typeof error === "string") return error;
    return error === undefined ? undefined : JSON.stringify(error);
  } catch {
    return undefined; // a page of a proxy
  }
}

interface Case {
  when: RegExp;
  status?: number;
  make: (asking: Asking, said: string, match: RegExpExecArray) => SpellError;
}

/** Ollama's errors are sentences without a code. */
const CASES: readonly Case[] = [
  {
    when: /exceed_context_size|(exceeds?|longer than) (the )?(available |maximum )?context/i,
    make: (asking, said) => overflowSaid(asking, said),
  },
  {
    when: /does not support (embed\w*|thinking|tools|chat|generate|vision|images)/i,
    make: (asking, _said, [, feature]) =>
      fail(
        asking,
        "invalid_argument",
        `the model does not support ${feature}`,
        FEATURE_HINTS[feature!.toLowerCase()] ??
          "Choose another model; `llmspell model info` shows its abilities",
      ),
  },
  {
    when: /^model\b.*\bnot found/i,
    make: (asking) => missing(asking),
  },
  {
    when: /manifest.*(file does not exist|not found)|file does not exist/i,
    make: (asking) =>
      fail(
        asking,
        "not_found",
        `Ollama's library has no model '${asking.model}'`,
        "See https://ollama.com/library; hf.co/OWNER/REPO:QUANTIZATION names one of the Hugging Face Hub, @llamacpp pulls into llmspell's own store",
      ),
  },
  {
    when: /no such host|dial tcp|network is unreachable|i\/o timeout|connection re|TLS handshake/i,
    make: (asking, said) =>
      fail(
        asking,
        "network",
        `Ollama cannot reach its library: ${shown(said)}`,
        "Check the network of the machine that Ollama runs on, then run it again: Ollama goes on where it was",
      ),
  },
  {
    when: /no space left/i,
    make: (asking) =>
      fail(
        asking,
        "io",
        "the disk of Ollama is full",
        "Free some space, then run it again: Ollama goes on where it was",
      ),
  },
  {
    when: /requires more system memory|out of memory/i,
    make: (asking, said) =>
      fail(
        asking,
        "provider",
        `the model does not fit into memory: ${shown(said)}`,
        "Choose a smaller model or quantization, or lower context_size",
      ),
  },
];

const FEATURE_HINTS: Readonly<Record<string, string>> = {
  tools: "Choose a model with tools, such as llama3.1 or qwen3, or leave out the agent's tools",
  chat: "It is an embedding model: use it with LocalLLM.embed",
  generate: "It is an embedding model: use it with LocalLLM.embed",
};

/** What the server said as an error of ours. @param status undefined for an error within a stream */
export function serverFailure(asking: Asking, said: string, status?: number): SpellError {
  for (const { when, make } of CASES) {
    const match = when.exec(said);
    if (match !== null) return make(asking, said, match);
  }
  if (status === 404 && asking.model !== undefined) return missing(asking);
  if (status === 401 || status === 403)
    return fail(
      asking,
      "provider",
      `access is refused: ${shown(said)}`,
      "Check api_key of the provider; for a model in Ollama's cloud, run `ollama signin`",
      {
        status,
      },
    );
  const where = status === undefined ? "" : ` (status ${status})`;
  return fail(asking, "provider", `Ollama failed: ${shown(said)}${where}`, "Look at Ollama's log", {
    ...(status === undefined ? {} : { statusCode: status }),
  });
}

function missing(asking: Asking): SpellError {
  return fail(
    asking,
    "not_found",
    `Ollama has no model '${asking.model}': ${asking.server}`,
    `Pull it: llmspell model pull ${asking.model}@ollama`,
  );
}

/** llama.cpp's own numbers, where Ollama hands them on: JSON as text within JSON. */
function overflowSaid(asking: Asking, said: string): SpellError {
  const promptTokens = Number(/"n_prompt_tokens":\s*(\d+)/.exec(said)?.[1] ?? Number.NaN);
  const contextTokens = Number(/"n_ctx":\s*(\d+)/.exec(said)?.[1] ?? Number.NaN);
  if (Number.isNaN(promptTokens) || Number.isNaN(contextTokens))
    return overflow(asking, "the prompt", undefined);
  const overTokens = promptTokens + 1 - contextTokens;
  return overflow(asking, `the prompt of ${promptTokens} tokens`, contextTokens, {
    promptTokens,
    overTokens,
  });
}

const shown = (text: string): string =>
  printableLine(text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text);
