/** `model pull` through Ollama: it downloads, checks and keeps; we tell how far it is. */
import type { ProgressResponse } from "ollama/browser";
import { SpellError } from "../../core/errors.ts";
import { type PullProgress, throttled } from "../hub/pull.ts";
import type { PullRequest } from "../service.ts";
import type { Request } from "./connection.ts";
import type { OllamaServer } from "./server.ts";
import { canonicalName } from "./shapes.ts";

/**
 * What an interrupted pull brought stays with Ollama, which goes on from there.
 * @param name as Ollama has it: `name[:tag]`, `owner/name[:tag]`, `hf.co/owner/repo[:quantization]`
 * @returns the progress at the end
 * @throws not_found, network, timeout, provider, io, invalid_argument
 */
export async function pullWithOllama(
  server: OllamaServer,
  name: string,
  { quantization, force, onProgress, signal }: PullRequest,
): Promise<PullProgress> {
  const model = nameOf(name, quantization);
  const request: Request = {
    what: "Cannot pull the model",
    model,
    signal,
    isStream: true,
    idleMs: server.settings.pullIdleMs,
    idleKey: "download_idle_seconds",
  };
  await server.awake(request);
  if (!force) {
    const there = await stored(server, model, signal);
    if (there !== undefined) return there;
  }
  const report = onProgress === undefined ? () => {} : throttled(onProgress);
  const progress = new Layers(model);
  report(progress.state);
  const client = await server.connection.client(request);
  for await (const event of await client.pull({ model, stream: true })) report(progress.take(event));
  server.forget(model);
  const complete = (await stored(server, model, signal)) ?? progress.state;
  onProgress?.(complete);
  return complete;
}

async function stored(
  server: OllamaServer,
  model: string,
  signal: AbortSignal | undefined,
): Promise<PullProgress | undefined> {
  const found = (await server.models(signal)).find(({ id }) => canonicalName(id) === canonicalName(model));
  if (found === undefined) return undefined;
  const { id, sizeBytes } = found;
  return { modelId: id, status: "complete", bytesDownloaded: sizeBytes, bytesTotal: sizeBytes };
}

/** Ollama names the quantization in the tag. */
function nameOf(name: string, quantization: string | undefined): string {
  const hasTag = canonicalName(name) === name.trim().toLowerCase();
  if (!/^[\w.-]+(?::\d+)?(\/[\w.-]+)*(:[\w.-]+)?$/.test(name))
    throw new SpellError("invalid_argument", `Invalid model spec '${name}'`, {
      data: { model: name },
      hint: "Write name[:tag] of Ollama's library, or hf.co/owner/repo[:QUANTIZATION]",
    });
  if (quantization === undefined || hasTag) return name;
  if (/^(hf\.co|huggingface\.co)\//i.test(name)) return `${name}:${quantization}`;
  throw new SpellError(
    "invalid_argument",
    `Cannot choose a quantization: Ollama's library names it in the tag: ${name}`,
    { data: { model: name }, hint: `Write ${name}:TAG@ollama` },
  );
}

/** Ollama tells of one file of a model at a time. */
class Layers {
  private readonly done = new Map<string, { total: number; completed: number }>();
  private status: PullProgress["status"] = "starting";

  constructor(private readonly modelId: string) {}

  get state(): PullProgress {
    const layers = [...this.done.values()];
    const sum = (key: "total" | "completed") => layers.reduce((bytes, layer) => bytes + layer[key], 0);
    return {
      modelId: this.modelId,
      status: this.status,
      bytesDownloaded: sum("completed"),
      ...(layers.length === 0 ? {} : { bytesTotal: sum("total") }),
    };
  }

  take({ status, digest, total, completed }: ProgressResponse): PullProgress {
    this.status = statusOf(status, this.status);
    if (typeof digest === "string" && typeof total === "number")
      this.done.set(digest, { total, completed: typeof completed === "number" ? completed : 0 });
    return this.state;
  }
}

/** Ollama's words: `pulling manifest`, `pulling DIGEST` or `downloading DIGEST`, `verifying …`, `writing manifest`, `success`. */
function statusOf(said: string, before: PullProgress["status"]): PullProgress["status"] {
  if (/^pulling manifest/.test(said)) return "starting";
  if (/^(pulling|downloading)\b/.test(said)) return "downloading";
  return /^(verifying|writing|removing|success)/.test(said) ? "verifying" : before;
}
