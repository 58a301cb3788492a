/** Model and provider requests of front ends; replies have the fields of spec/kernel.md section 3.2. */
import { messageOf, SpellError } from "../../core/errors.ts";
import {
  availableFields,
  capabilityFields,
  downloadFields,
  modelFields,
  modelInfoFields,
  progressFields,
  providerFields,
  statusFields,
} from "../../models/fields.ts";
import type { ModelService, ProviderInfo } from "../../models/service.ts";
import type { KernelReply, ModelRequest, RequestOptions } from "../api.ts";
import type { Services } from "../services.ts";
import { deviceFields } from "./doctor.ts";

type Fields = Record<string, unknown>;
type StoreRequest = Extract<ModelRequest, { type: "model" }>;
type ProvidersRequest = Extract<ModelRequest, { type: "providers" }>;

/** @throws SpellError */
export async function answerModelRequest(
  request: StoreRequest,
  services: Services,
  options: RequestOptions,
): Promise<KernelReply> {
  return { status: "ok", ...(await modelReply(request, await services.models(), options)) };
}

async function modelReply(
  request: StoreRequest,
  models: ModelService,
  { onEvent, signal }: RequestOptions,
): Promise<Fields> {
  switch (request.command) {
    case "list": {
      const list = (await models.list(request.backend)).map(modelFields);
      return { models: list, count: list.length, ...(await unfinished(models)) };
    }
    case "info":
      return modelInfoFields(await models.info(request.model));
    case "status": {
      const backends = (await models.status(request.backend)).map(statusFields);
      const isLocal = backends.some(({ backend }) => backend === "llamacpp");
      return {
        ...(backends.length === 1 ? backends[0] : {}),
        backends,
        ...(isLocal ? await deviceFields(models, signal) : {}),
        ...(await unfinished(models)),
      };
    }
    case "import": {
      const imported = await models.import(request.path, {
        force: request.force,
        ...(request.name === undefined ? {} : { name: request.name }),
        ...(request.model === undefined ? {} : { model: request.model }),
        ...(onEvent === undefined ? {} : { onEvent }),
        ...(signal === undefined ? {} : { signal }),
      });
      return modelInfoFields(imported);
    }
    case "export": {
      const { id, sizeBytes } = await models.export(request.model, request.path, {
        force: request.force,
        ...(onEvent === undefined ? {} : { onEvent }),
        ...(signal === undefined ? {} : { signal }),
      });
      return { model: id, path: request.path, size_bytes: sizeBytes };
    }
    case "pull": {
      const progress = await models.pull(request.model, {
        force: request.force,
        ...(request.quantization === undefined ? {} : { quantization: request.quantization }),
        onProgress: (progress) => onEvent?.({ type: "model_progress", ...progressFields(progress) }),
        ...(signal === undefined ? {} : { signal }),
      });
      const { status, ...fields } = progressFields(progress);
      return { ...fields, download_status: status };
    }
    case "available": {
      const query = request.recommended ? undefined : request.query;
      const found = await models.available(query, { backend: request.backend, signal });
      const list = found.map(availableFields);
      return { models: list, count: list.length };
    }
    case "unload":
      return { model: request.model, unloaded: await models.unload(request.model) };
    case "install-ollama": {
      const path = await models.installOllama({
        ...(onEvent === undefined ? {} : { onEvent }),
        ...(signal === undefined ? {} : { signal }),
      });
      return { installed: true, path: path ?? null };
    }
    case "remove":
      await models.remove(request.model);
      return { model: request.model, removed: true };
  }
}

/** Pulls that were interrupted, where there are any. */
async function unfinished(models: ModelService): Promise<Fields> {
  const downloads = (await models.downloads()).map(downloadFields);
  return downloads.length === 0 ? {} : { downloads };
}

/** @throws SpellError */
export async function answerProvidersRequest(
  request: ProvidersRequest,
  services: Services,
  options: RequestOptions,
): Promise<KernelReply> {
  const models = await services.models();
  switch (request.command) {
    case "list": {
      const configured = models.providers();
      const builtIn = configured.some(({ key }) => key === "local") ? [] : [models.provider("local")!];
      const providers = await Promise.all(
        [...configured, ...builtIn].map(async (provider) =>
          providerFields(provider, await models.examineProvider(provider.key)),
        ),
      );
      return { status: "ok", providers, count: providers.length };
    }
    case "info": {
      const { provider, problem } = await known(models, request.name);
      return {
        status: "ok",
        ...providerFields(provider, problem),
        full_name: provider.name,
        capabilities: capabilityFields(provider),
      };
    }
    case "test":
      return {
        status: "ok",
        ...(await testProvider(models, (await known(models, request.name)).provider, options.signal)),
      };
  }
}

/** @throws not_found with the nearest names */
async function known(
  models: ModelService,
  name: string,
): Promise<{ provider: ProviderInfo; problem: string | undefined }> {
  const problem = await models.examineProvider(name);
  return { provider: models.provider(name)!, problem };
}

/** One short call to the default model. Its failure is the answer, not an error. */
async function testProvider(
  models: ModelService,
  provider: ProviderInfo,
  signal: AbortSignal | undefined,
): Promise<Fields> {
  const startedMs = performance.now();
  const result: Fields = { name: provider.key, model: provider.defaultModel ?? null };
  try {
    const model = await models.resolve("", { provider: provider.key, fallback: [] });
    const { content, usage } = await model.doGenerate({
      prompt: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
      maxOutputTokens: 16,
      ...(signal === undefined ? {} : { abortSignal: signal }),
    });
    result.success = true;
    result.text = content.flatMap((part) => (part.type === "text" ? part.text : [])).join("");
    result.prompt_tokens = usage.inputTokens.total ?? null;
    result.completion_tokens = usage.outputTokens.total ?? null;
  } catch (error) {
    signal?.throwIfAborted();
    result.success = false;
    result.error = messageOf(error);
    result.hint = error instanceof SpellError ? (error.hint ?? null) : null;
  }
  return { ...result, duration_ms: Math.round(performance.now() - startedMs) };
}
