/** The HTTP API: who is let in, which call is meant, and how its answer or failure is sent. */
import type { LanguageModelV4Usage } from "@ai-sdk/provider";
import { messageOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { type SpanInput, span, withinSpan } from "../../core/span.ts";
import type { Writer } from "../protocol/openai/answer.ts";
import { ChatWriter } from "../protocol/openai/chat-answer.ts";
import { chatCall } from "../protocol/openai/chat-request.ts";
import { embeddingsAnswer, embeddingsCall, rerankAnswer, rerankCall } from "../protocol/openai/embeddings.ts";
import { eventOf, LAST_EVENT } from "../protocol/openai/events.ts";
import { type Failure, failure, failureOf } from "../protocol/openai/failure.ts";
import { modelList, modelObject } from "../protocol/openai/models.ts";
import { badRequest, type Fields, readFields } from "../protocol/openai/read.ts";
import type { Call } from "../protocol/openai/settings.ts";
import { TextWriter } from "../protocol/openai/text-answer.ts";
import { textCall } from "../protocol/openai/text-request.ts";
import { readBody } from "../transport/http/body.ts";
import { EventStream } from "../transport/http/event-stream.ts";
import { corsHeaders, type Guard, preflightHeaders } from "../transport/http/guard.ts";
import type { Exchange } from "../transport/http/listener.ts";
import { streamedAnswer, wholeAnswer } from "./generation.ts";
import type { Running, RunningRequests } from "./running.ts";
import type { ServedModels } from "./served-models.ts";

export const MAX_BODY_BYTES = 16 * 1024 * 1024;

export interface ApiOptions {
  guard: Guard;
  models: ServedModels;
  running: RunningRequests;
  log: Log;
}

/** A request on its way: what its answer needs to know. */
interface Visit {
  id: string;
  exchange: Exchange;
  running: Running;
  startedMs: number;
  headers: Record<string, string>;
}

type Handler = (fields: Fields, visit: Visit) => Promise<Response>;

const GET_PATHS: ReadonlySet<string> = new Set(["/health", "/v1/models"]);
const MODEL_PREFIX = "/v1/models/";

export class Api {
  /** `loading`: models are being read; `ending`: what runs may end, nothing new begins. */
  state: "loading" | "ready" | "ending" = "loading";

  private readonly posts: Readonly<Record<string, Handler>> = {
    "/v1/chat/completions": (fields, visit) => this.generate(chatCall(fields), ChatWriter, visit),
    "/v1/completions": (fields, visit) => this.generate(textCall(fields), TextWriter, visit),
    "/v1/embeddings": (fields, visit) => this.embed(fields, visit),
    "/v1/rerank": (fields, visit) => this.rerank(fields, visit),
  };

  constructor(private readonly options: ApiOptions) {}

  async handle(exchange: Exchange): Promise<Response> {
    const { request } = exchange;
    const { guard } = this.options;
    const { pathname } = new URL(request.url);
    const origin = request.headers.get("origin");
    if (!guard.allowsHost(request.headers.get("host")))
      return this.refuse(failure("forbidden", "The Host header names another server"), {});
    if (!guard.allowsOrigin(origin))
      return this.refuse(failure("forbidden", `Pages of this origin may not call: ${origin}`), {});
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method"))
      return new Response(null, { status: 204, headers: preflightHeaders(request.headers) });

    const id = `req_${Bun.randomUUIDv7("hex")}`;
    const headers = { ...corsHeaders(origin), "x-request-id": id };
    if (pathname === "/health" && request.method === "GET") return this.health(headers);
    if (!guard.allowsToken(request.headers.get("authorization"))) {
      const told = failure(
        "unauthorised",
        "The token is missing or wrong: send it as Authorization: Bearer TOKEN",
      );
      return this.refuse(told, { ...headers, "www-authenticate": "Bearer" });
    }
    const refused = this.refuseRoute(request, pathname);
    if (refused !== undefined) return this.refuse(refused, headers);
    const running = this.options.running.begin(request.signal);
    if (running === undefined)
      return this.refuse(
        failure("busy", "The server answers as many requests as it may; try again"),
        headers,
      );
    const visit = { id, exchange, running, headers, startedMs: performance.now() };
    return watched(request.method, pathname, id, () => this.answer(pathname, visit));
  }

  private health(headers: Record<string, string>): Response {
    return Response.json(
      { status: this.state === "ready" ? "ok" : this.state },
      { status: this.state === "ready" ? 200 : 503, headers },
    );
  }

  /** What is wrong with a request before its body is looked at. */
  private refuseRoute({ method, headers }: Request, pathname: string): Failure | undefined {
    const isPost = Object.hasOwn(this.posts, pathname);
    if (!isPost && !GET_PATHS.has(pathname) && !pathname.startsWith(MODEL_PREFIX))
      return failure("notFound", `There is nothing at this path: ${pathname}`);
    const allowed = isPost ? "POST" : "GET";
    if (method !== allowed) return failure("method", `This path takes ${allowed} only: ${method}`);
    if (this.state === "loading") return failure("unavailable", "The models are being loaded");
    if (this.state === "ending") return failure("unavailable", "The server is shutting down");
    const type = /^[^;\s]+/.exec(headers.get("content-type") ?? "")?.[0].toLowerCase();
    if (isPost && type !== "application/json")
      return failure("mediaType", `The Content-Type must be application/json: ${type ?? "none"}`);
    return undefined;
  }

  private async answer(pathname: string, visit: Visit): Promise<Response> {
    const { request } = visit.exchange;
    try {
      const post = this.posts[pathname];
      if (post === undefined) return this.finish(visit, await this.models(pathname));
      const text = await readBody(request, MAX_BODY_BYTES);
      if (text === undefined) {
        const told = failure("tooLarge", `The body is larger than ${MAX_BODY_BYTES} bytes`);
        return this.fail(visit, told);
      }
      visit.exchange.waitLong();
      return await post(readFields(text), visit);
    } catch (error) {
      return this.fail(visit, this.failureOf(error, visit));
    }
  }

  private async models(pathname: string): Promise<object> {
    const list = await this.options.models.list();
    if (!pathname.startsWith(MODEL_PREFIX)) return modelList(list);
    const { modelId } = await this.options.models.resolve(nameOf(pathname.slice(MODEL_PREFIX.length)));
    return modelObject(list.find(({ id }) => id === modelId)!);
  }

  private async generate(
    call: Call,
    WriterOf: new (call: Call, model: string) => Writer,
    visit: Visit,
  ): Promise<Response> {
    const model = await this.options.models.resolve(call.model);
    const writer = new WriterOf(call, model.modelId);
    const { signal } = visit.running;
    try {
      if (call.stream)
        return this.stream(await streamedAnswer(model, call, writer, signal), visit, model.modelId);
      const { answer, usages } = await wholeAnswer(model, call, writer, signal);
      return this.finish(visit, answer, { model: model.modelId, ...tokensOf(usages) });
    } catch (error) {
      return this.fail(visit, this.failureOf(error, visit, model.modelId), model.modelId);
    }
  }

  private stream(run: Awaited<ReturnType<typeof streamedAnswer>>, visit: Visit, model: string): Response {
    const events = new EventStream(() => visit.running.abort(new Error("the client has left")));
    run((chunk) => events.send(eventOf(chunk)))
      .then(
        (usages) => {
          events.send(LAST_EVENT);
          this.end(visit, 200, { model, ...tokensOf(usages) });
        },
        (error) => {
          const told = this.failureOf(error, visit, model);
          events.send(eventOf(told.body));
          this.end(visit, told.status, { model, error: told.body.error.code });
        },
      )
      .finally(() => {
        events.end();
        visit.exchange.waitShort();
      });
    return new Response(events.body, {
      headers: { ...visit.headers, "content-type": "text/event-stream", "cache-control": "no-store" },
    });
  }

  private async embed(fields: Fields, visit: Visit): Promise<Response> {
    const call = embeddingsCall(fields);
    const model = await this.options.models.resolveEmbedding(call.model);
    const { values } = call;
    const { embeddings, usage } = await model.doEmbed({ values, abortSignal: visit.running.signal });
    const tokens = usage?.tokens ?? 0;
    return this.finish(visit, embeddingsAnswer(call, model.modelId, embeddings, tokens), {
      model: model.modelId,
      inputTokens: tokens,
    });
  }

  private async rerank(fields: Fields, visit: Visit): Promise<Response> {
    const call = rerankCall(fields);
    const model = await this.options.models.resolveReranking(call.model);
    const { ranking, providerMetadata } = await model.doRerank({
      query: call.query,
      documents: { type: "text", values: call.documents },
      ...(call.top_n === undefined ? {} : { topN: call.top_n }),
      abortSignal: visit.running.signal,
    });
    const tokens = Number(providerMetadata?.llamacpp?.tokens ?? 0);
    const answer = rerankAnswer(call, model.modelId, ranking, tokens);
    return this.finish(visit, answer, { model: model.modelId, inputTokens: tokens });
  }

  private failureOf(error: unknown, { exchange, id }: Visit, model?: string): Failure {
    if (exchange.request.signal.aborted) return failure("closed", "The client has left");
    const told = failureOf(error, model);
    if (told.status >= 500)
      this.options.log.warn("kernel", "a request failed", { id, reason: messageOf(error) });
    return told;
  }

  private finish(visit: Visit, answer: object, more: Fields = {}): Response {
    this.end(visit, 200, more);
    visit.exchange.waitShort();
    return Response.json(answer, { headers: visit.headers });
  }

  private fail(visit: Visit, told: Failure, model?: string): Response {
    this.end(visit, told.status, { ...(model === undefined ? {} : { model }), error: told.body.error.code });
    visit.exchange.waitShort();
    return this.refuse(told, visit.headers);
  }

  /** The line about a request: never what it or its answer says. */
  private end({ id, exchange, running, startedMs }: Visit, status: number, more: Fields): void {
    running.end();
    const { method, url } = exchange.request;
    const durationMs = Math.round(performance.now() - startedMs);
    this.options.log.info("kernel", "request answered", {
      id,
      method,
      path: new URL(url).pathname,
      status,
      durationMs,
      ...more,
    });
  }

  private refuse({ status, body, retryAfterSeconds }: Failure, headers: Record<string, string>): Response {
    return Response.json(body, {
      status,
      headers: {
        ...headers,
        ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
        // what is left of a body that was not read is not waited for
        ...(status === 401 || status === 403 || status === 413 || status === 503
          ? { connection: "close" }
          : {}),
      },
    });
  }
}

/** A request as a trace of its own, and not a part of the kernel's own request to serve. */
function watched(
  method: string,
  path: string,
  id: string,
  answer: () => Promise<Response>,
): Promise<Response> {
  const input: SpanInput = {
    category: "transport",
    operation: "http_request",
    attributes: { "http.request.method": method, "url.path": path, "llmspell.correlation_id": id },
  };
  return withinSpan(undefined, () =>
    span(input, async (about) => {
      const response = await answer();
      about.set({ "http.response.status_code": response.status });
      if (response.status >= 500) about.fail(String(response.status));
      return response;
    }),
  );
}

/** @throws SpellError invalid_argument */
function nameOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw badRequest(`the path is not UTF-8: ${encoded}`);
  }
}

function tokensOf(usages: readonly LanguageModelV4Usage[]): Fields {
  const sum = (count: (usage: LanguageModelV4Usage) => number | undefined) =>
    usages.reduce((total, usage) => total + (count(usage) ?? 0), 0);
  return { inputTokens: sum((u) => u.inputTokens.total), outputTokens: sum((u) => u.outputTokens.total) };
}
