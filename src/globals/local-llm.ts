/** `LocalLLM`: spec/lua-api.md section 18. */
import { Type } from "typebox";
import { messageOf } from "../core/errors.ts";
import { ScriptTable, type ScriptValue } from "../core/values.ts";
import { modelFields, modelInfoFields } from "../models/fields.ts";
import type { BackendStatus, ModelService } from "../models/service.ts";
import { type GlobalDecl, optional, param, wait } from "./declare.ts";

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
      params: [optional("backend", Type.String(), '"ollama", "llamacpp", "candle" or "all" (the default)')],
      returns: "{id, backend, size_bytes, quantization?, modified_at?}[]",
      handler: async ({ services }, backend) => {
        const models = await services.models();
        try {
          return (await models.list(backend)).map((model) => present(modelFields(model)));
        } catch (error) {
          services.log.warn("model", "local models cannot be listed", { reason: messageOf(error) });
          return [];
        }
      },
    }),
    info: wait({
      doc: "What is known of a model. Raises when no backend has it.",
      params: [param("model", Type.String(), "Id of the model; `local/` and `@backend` may be added")],
      returns:
        "{id, backend, size_bytes, format, loaded, parameter_count?, quantization?, context_length?, architecture?, licence?, modified_at?, path?}",
      handler: async ({ services }, model) => {
        const fields = present(modelInfoFields(await (await services.models()).info(model)));
        return new ScriptTable({ fields, fallback: { size: fields.size_bytes ?? null } });
      },
    }),
  },
};
