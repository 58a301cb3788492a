/** Where the environment says that Ollama is. */
export const OLLAMA_VARIABLES = ["OLLAMA_BASE_URL", "OLLAMA_HOST"] as const;

/**
 * `OLLAMA_BASE_URL`, else `OLLAMA_HOST` in Ollama's own form `[http://]host[:port]`, as a URL a client can use; undefined
 * where neither is set.
 */
export function ollamaAddress(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const variable = OLLAMA_VARIABLES.find((name) => env[name]);
  if (variable === undefined) return undefined;
  const [, scheme = "http://", rest = ""] = /^(https?:\/\/)?(.*?)\/*$/.exec(env[variable]!.trim()) ?? [];
  const host = rest.replace(/^0\.0\.0\.0/, "127.0.0.1");
  const hasPort = /:\d+(\/|$)/.test(host);
  return `${scheme}${host}${hasPort || scheme === "https://" ? "" : ":11434"}`;
}
