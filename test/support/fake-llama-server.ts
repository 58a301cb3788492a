/** What stands for the program `llama-server`: it speaks OpenAI's format, and answers with the words it was started with. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChatRequest } from "./providers/format.ts";
import { openAIFormat } from "./providers/openai-format.ts";
import { plainly } from "./providers/server.ts";

/**
 * Puts a program `llama-server` into a directory.
 * @param fails ends at once with this text instead of serving
 */
export function installFakeLlamaServer(directory: string, fails?: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "llama-server");
  const serve = `exec '${process.execPath}' run '${import.meta.path}' "$@"`;
  const fail = `echo "${fails}" >&2; exit 1`;
  writeFileSync(path, `#!/bin/sh\n${fails === undefined ? serve : fail}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** @returns the server's origin */
export function serveFakeLlama(port: number, key: string, words: readonly string[]) {
  const format = openAIFormat({ key, path: "/v1/chat/completions" });
  let asked = 0;
  return Bun.serve({
    port,
    hostname: "127.0.0.1",
    async fetch(request) {
      const path = new URL(request.url).pathname;
      // it says that it loads its model before it is ready
      if (path === "/health") return new Response("{}", { status: ++asked < 3 ? 503 : 200 });
      const chat: ChatRequest = {
        path,
        headers: Object.fromEntries(request.headers),
        body: (await request.json()) as Record<string, unknown>,
      };
      const wrong = format.wrong(chat);
      if (wrong !== undefined) return Response.json(format.error(401, wrong), { status: 401 });
      const answer = { text: words.join(" ") };
      if (!format.isStreamed(chat)) return Response.json(format.whole(answer, chat));
      const headers = { "content-type": "text/event-stream" };
      return new Response(plainly(format.events(answer, chat)), { headers });
    },
  });
}

if (import.meta.main) {
  const words = process.argv.slice(2);
  serveFakeLlama(Number(words[words.indexOf("--port") + 1]), process.env.LLAMA_API_KEY ?? "", words);
  process.on("SIGTERM", () => process.exit(0));
}
