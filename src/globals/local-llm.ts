/** `LocalLLM`: spec/lua-api.md section 18. */
import { Type } from "typebox";
import { errorFromJson, errorToJson, messageOf, SpellError } from "../core/errors.ts";
import { ScriptTable, type ScriptValue } from "../core/values.ts";
import { modelFields, modelInfoFields, progressFields } from "../models/fields.ts";
import type { PullProgress } from "../models/hub/pull.ts";
import { EMBED_OPTIONS, RANK_OPTIONS } from "../models/llamacpp/embed-options.ts";
import type { BackendStatus, ModelService } from "../models/service.ts";
import { type GlobalDecl, optional, param, wait } from "./declare.ts";

const LOCAL = "local";
const LOCAL_MODEL = param("model", Type.String(), "Id of the model; `local/` and `@backend` may be added");

type Table = Record<string, ScriptValue>;

/** One backend's entry; a backend that fails is an entry with an error, never a raise. */
async function backendEntry(models: ModelService, backend: BackendStatus["backend"]): Promise<BackendStatus> {
  try {
    return (await models.status(backend))[0]!;
  } catch (error) {
    return { backend, running: false, availableModels: 0, reason: messageOf(error) };
  }
}

/** @param runningKey `running` for a server, `ready` for the built-in engine */
function statusTable(status: BackendStatus, runningKey: "running" | "ready"): Table {
  return {
    [runningKey]: status.running,
    models: status.availableModels,
    version: status.version ?? null,
    error: status.reason ?? null,
  };
}

/** Members that are null, left out: nil in the script. */
function present(fields: Table): Table {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function failedPull(error: unknown): SpellError {
  const { code, message, hint, data } = errorToJson(error);
  // A backend that is not configured keeps the words of the specification.
  const text = code === "config" ? message : `Failed to pull model: ${message}`;
  return errorFromJson({
    code,
    message: text,
    ...(hint === undefined ? {} : { hint }),
    ...(data === undefined ? {} : { data }),
  });
}

export const LocalLLMGlobal: GlobalDecl = {
  name: "LocalLLM",
  doc: "Models on this machine. `candle` is the reference's name of the llama.cpp backend and means the same.",
  functions: {
    status: wait({
      doc: "How the local backends are doing; `models` is a count. Never raises: a backend that is not there has an `error`.",
      params: [],
      returns:
        "{ollama = {running, models, version?, error?}, candle = {ready, models, version?, error?}, llamacpp = …}",
      handler: async ({ services }) => {
        const models = await services.models();
        const ollama = statusTable(await backendEntry(models, "ollama"), "running");
        const llamacpp = statusTable(await backendEntry(models, "llamacpp"), "ready");
        return { ollama: present(ollama), candle: present(llamacpp), llamacpp: present(llamacpp) };
      },
    }),
    list: wait({
      doc: "The local models. A backend that fails contributes none.",
      params: [
        optional(
          "backend",
          Type.Union(["ollama", "llamacpp", "candle", "all"].map((name) => Type.Literal(name))),
          "Only the models of this backend; default all",
        ),
      ],
      returns: "{id, backend, size_bytes, quantization?, modified_at?}[]",
      handler: async ({ services }, backend) => {
        const models = await services.models();
        try {
          return (await models.list(backend)).map((model) => present(modelFields(model)));
        } catch (error) {
          const isAway = error instanceof SpellError && error.code === "network";
          services.log[isAway ? "debug" : "warn"]("model", "local models cannot be listed", {
            reason: messageOf(error),
          });
          return [];
        }
      },
    }),
    info: wait({
      doc: "What is known of a model. Raises when no backend has it.",
      params: [LOCAL_MODEL],
      returns:
        "{id, backend, size_bytes, format, loaded, parameter_count?, quantization?, context_length?, architecture?, licence?, chat_template?, memory_bytes?, modified_at?, path?}",
      handler: async ({ services }, model) => {
        const fields = present(modelInfoFields(await (await services.models()).info(model)));
        return new ScriptTable({ fields, fallback: { size: fields.size_bytes ?? null } });
      },
    }),
    pull: wait({
      doc: "Downloads a model, with Ollama where it is configured and else into llmspell's own store, or goes on with a download that was interrupted; a model that is there already is not fetched again. Raises for a name or backend that cannot be used and a hub that does not answer; a download that fails on its way ends with status `failed` and an `error`.",
      params: [
        param(
          "spec",
          Type.String(),
          "`owner/repo[:QUANTIZATION]` of the Hugging Face Hub, `name[:tag]` of Ollama's registry; `@llamacpp` pulls into the store, `@ollama` into Ollama's",
        ),
      ],
      returns: "{model_id, status, percent_complete, bytes_downloaded, bytes_total?, error?}",
      handler: async ({ services, run }, spec) => {
        const models = await services.models();
        let last: PullProgress | undefined;
        const onProgress = (progress: PullProgress) => {
          last = progress;
          run.emit({ type: "model_progress", ...progressFields(progress) });
        };
        try {
          return present(
            progressFields(await models.pull(spec, { force: false, signal: run.signal, onProgress })),
          );
        } catch (error) {
          run.signal.throwIfAborted();
          if (last === undefined || last.status === "starting") throw failedPull(error);
          const failed = progressFields({ ...last, status: "failed" });
          return { ...present(failed), error: failedPull(error).message };
        }
      },
    }),
    unload: wait({
      doc: "Takes a model out of memory; it is loaded again when it is used. Raises for an unknown model.",
      params: [LOCAL_MODEL],
      returns: "boolean: whether it was in memory",
      handler: async ({ services }, model) => (await services.models()).unload(model),
    }),
    embed: wait({
      doc: "Vectors of texts by a local model, in the order of the texts. Texts that are longer than the model's context are refused unless `truncate` is set.",
      params: [
        LOCAL_MODEL,
        param("texts", Type.Union([Type.String(), Type.Array(Type.String())]), "One text or several"),
        optional("options", EMBED_OPTIONS, "How"),
      ],
      returns: "{embeddings = number[][], dimensions, tokens}",
      handler: async ({ services, run }, model, texts, options) => {
        const embedder = await (await services.models()).resolveEmbedding(model, { provider: LOCAL });
        const { embeddings, usage } = await embedder.doEmbed({
          values: typeof texts === "string" ? [texts] : texts,
          abortSignal: run.signal,
          ...(options === undefined ? {} : { providerOptions: { llamacpp: options, ollama: options } }),
        });
        return { embeddings, dimensions: embeddings[0]?.length ?? 0, tokens: usage?.tokens ?? 0 };
      },
    }),
    rank: wait({
      doc: "Documents by how well they fit a query, best first, as a local cross-encoder scores them. Scores are the model's own numbers: only their order has a meaning for all models.",
      params: [
        LOCAL_MODEL,
        param("query", Type.String(), "What is looked for"),
        param("documents", Type.Array(Type.String()), "What is scored"),
        optional("options", RANK_OPTIONS, "How"),
      ],
      returns: "{index, score, text}[]",
      handler: async ({ services, run }, model, query, documents, options) => {
        const ranker = await (await services.models()).resolveReranking(model, { provider: LOCAL });
        const { ranking } = await ranker.doRerank({
          query,
          documents: { type: "text", values: documents },
          abortSignal: run.signal,
          ...(options === undefined ? {} : { providerOptions: { llamacpp: options } }),
        });
        return ranking.map(({ index, relevanceScore }) => ({
          index: index + 1,
          score: relevanceScore,
          text: documents[index]!,
        }));
      },
    }),
  },
};
