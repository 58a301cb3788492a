/** `llmspell serve`: the local models over an OpenAI-compatible HTTP API, until the request is interrupted. */
import { SpellError } from "../../core/errors.ts";
import type { KernelReply, RequestOptions, ServeRequest } from "../api.ts";
import type { Services } from "../services.ts";
import { Guard } from "../transport/http/guard.ts";
import { authorityOf, isLoopback, listen } from "../transport/http/listener.ts";
import { Api, MAX_BODY_BYTES } from "./api.ts";
import { RunningRequests } from "./running.ts";
import { ServedModels } from "./served-models.ts";

/** @throws SpellError config, io, not_found, model_invalid */
export async function answerServeRequest(
  request: ServeRequest,
  services: Services,
  { onEvent, signal }: RequestOptions,
): Promise<KernelReply> {
  const { host, port, origins, hosts, token } = request;
  if (token === undefined && !isLoopback(host))
    throw new SpellError("config", `Cannot serve without a token: others reach this address: ${host}`, {
      hint: "Put a token into a file and name it with --token-file, or into LLMSPELL_SERVE_TOKEN",
    });
  signal?.throwIfAborted();
  const models = new ServedModels(await services.models());
  const running = new RunningRequests(request.maxRequests);
  const guard = new Guard({ hosts: [host, ...hosts], origins, token });
  const api = new Api({ guard, models, running, log: services.log });
  const listener = listen({ host, port, maxBodyBytes: MAX_BODY_BYTES }, (exchange) => api.handle(exchange));
  try {
    if (request.models.length > 0)
      await models.keep(request.models, signal, (id, share) =>
        onEvent?.({ type: "progress", label: `Loading ${id}`, done: Math.round(share * 100), total: 100 }),
      );
    api.state = "ready";
    onEvent?.({
      type: "listening",
      url: `http://${authorityOf(listener.host, listener.port)}/v1`,
      host: listener.host,
      port: listener.port,
    });
    await aborted(signal);
    api.state = "ending";
    listener.refuseMore();
    await running.drain(services.config.current.shutdown.grace_period_secs * 1000);
    return { status: "ok" };
  } finally {
    await listener.close();
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
