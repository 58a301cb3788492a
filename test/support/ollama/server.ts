/**
 * A server on the loopback address that speaks Ollama's HTTP API as its documents say, refuses requests that they do not
 * allow, and fails on demand.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { REQUESTS } from "./schema.ts";
import { head, running, shown, summary, vectorOf, wordsOf } from "./shapes.ts";
import type { FakeAnswer, FakeModel, Fault, Settings } from "./types.ts";

interface Recorded {
  method: string;
  path: string;
  body: Record<string, unknown>;
  headers: IncomingMessage["headers"];
}

const LAST_VERSION = "0.13.5";
/** A client whose connection ends together with the last bytes may drop these: they are to be read before. */
const CUT_AFTER_MS = 200;

export class FakeOllama implements AsyncDisposable {
  readonly requests: Recorded[] = [];
  /** Requests that the documents do not allow; a test expects none. */
  readonly wrong: string[] = [];
  readonly models: Map<string, FakeModel>;
  /** Context lengths of the models in memory. */
  readonly loaded = new Map<string, number>();
  /** Bytes of layers that were fetched, as an interrupted pull leaves them. */
  readonly fetched = new Map<string, number>();
  /** The next pull is cut after so many bytes, or fails with an error line. */
  pullFault: { afterBytes: number; error?: string } | undefined;
  pullDelayMs = 0;
  /** Answers that were aborted by the client. */
  aborted = 0;
  private readonly faults = new Map<string, Fault[]>();
  private readonly answers: FakeAnswer[];

  private constructor(
    private readonly server: Server,
    private readonly settings: Settings,
  ) {
    this.models = new Map(Object.entries(settings.models ?? {}));
    this.answers = [...(settings.answers ?? [])];
    server.on("request", (request, response) => void this.handle(request, response));
  }

  static async start(settings: Settings = {}): Promise<FakeOllama> {
    const server = createServer();
    const fake = new FakeOllama(server, settings);
    await new Promise<void>((resolve) => server.listen(settings.port ?? 0, "127.0.0.1", resolve));
    return fake;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  answer(...answers: FakeAnswer[]): void {
    this.answers.push(...answers);
  }

  /** The next requests of a path fail. */
  fail(path: string, ...faults: Fault[]): void {
    this.faults.set(path, [...(this.faults.get(path) ?? []), ...faults]);
  }

  bodies(path: string): Record<string, unknown>[] {
    return this.requests.filter((request) => request.path === path).map(({ body }) => body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const path = request.url ?? "";
    const method = request.method ?? "";
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
    this.requests.push({ method, path, body, headers: request.headers });
    response.on("close", () => {
      if (!response.writableFinished) this.aborted++;
    });
    const fault = this.faults.get(path)?.shift();
    if (fault !== undefined) return this.failWith(response, fault);
    const isAllowed = REQUESTS[path]?.(body) ?? text === "";
    if (!isAllowed) {
      this.wrong.push(`${method} ${path} ${text}`);
      return this.json(response, 400, { error: "invalid request" });
    }
    const route = `${method} ${path}`;
    switch (route) {
      case "GET /api/version":
        return this.json(response, 200, { version: this.version });
      case "GET /api/tags":
        return this.json(response, 200, {
          models: [...this.models].map(([name, model]) => summary(name, model)),
        });
      case "GET /api/ps":
        return this.json(response, 200, {
          models: [...this.loaded].map(([name, tokens]) =>
            running(name, this.models.get(name) ?? {}, tokens, this.knows),
          ),
        });
      case "POST /api/show":
        return this.withModel(response, body, (name, model) =>
          this.json(response, 200, shown(name, model, this.knows)),
        );
      case "POST /api/chat":
        return this.withModel(response, body, (name, model) => this.chat(response, body, name, model));
      case "POST /api/embed":
        return this.withModel(response, body, (name, model) => this.embed(response, body, name, model));
      case "DELETE /api/delete":
        return this.withModel(response, body, (name) => {
          this.models.delete(name);
          response.writeHead(200).end();
        });
      case "POST /api/pull":
        return this.pull(response, String(body.model ?? body.name));
      default:
        response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found");
    }
  }

  get version(): string {
    return this.settings.version ?? LAST_VERSION;
  }

  private readonly knows = (version: string): boolean => Bun.semver.order(this.version, version) >= 0;

  private async failWith(response: ServerResponse, fault: Fault): Promise<void> {
    if (fault.hang === true) return;
    if (fault.cut === true) {
      response.socket?.destroy();
      return;
    }
    const { status = 200, type = "application/json; charset=utf-8", body = "", headers } = fault;
    response.writeHead(status, { "content-type": type, ...headers });
    await this.write(response, body);
    while (fault.drip !== undefined && !response.destroyed) {
      response.write(fault.drip);
      await pause(100);
    }
    response.end();
  }

  private json(response: ServerResponse, status: number, value: unknown): void {
    response
      .writeHead(status, { "content-type": "application/json; charset=utf-8" })
      .end(JSON.stringify(value));
  }

  /** `NAME` is `NAME:latest`. */
  private async withModel(
    response: ServerResponse,
    body: Record<string, unknown>,
    then: (name: string, model: FakeModel) => void | Promise<void>,
  ): Promise<void> {
    const asked = String(body.model ?? body.name);
    const name = /:[^/]*$/.test(asked) ? asked : `${asked}:latest`;
    const model = this.models.get(name);
    if (model === undefined) return this.json(response, 404, { error: `model '${asked}' not found` });
    await then(name, model);
  }

  private contextOf(model: FakeModel, options: { num_ctx?: number } | undefined): number {
    const wanted = options?.num_ctx ?? model.presetTokens ?? this.settings.contextTokens ?? 4096;
    return Math.min(wanted, model.trainedTokens ?? wanted);
  }

  private async chat(
    response: ServerResponse,
    body: Record<string, unknown>,
    name: string,
    model: FakeModel,
  ): Promise<void> {
    const messages = body.messages as { content: string; images?: string[] }[];
    if (messages.length === 0) {
      if (body.keep_alive === 0) this.loaded.delete(name);
      else this.loaded.set(name, this.contextOf(model, body.options as object));
      return this.json(response, 200, {
        ...head(name),
        message: { role: "assistant", content: "" },
        done: true,
      });
    }
    const can = (ability: string) => model.capabilities?.includes(ability) ?? ability === "completion";
    const refuse = (ability: string) =>
      this.json(response, 400, { error: `${JSON.stringify(name)} does not support ${ability}` });
    if (!can("completion")) return refuse("chat");
    if (body.tools !== undefined && !can("tools")) return refuse("tools");
    if (body.think === true && !can("thinking")) return refuse("thinking");
    const contextTokens = this.contextOf(model, body.options as object);
    let promptTokens = wordsOf(messages.map(({ content }) => content)) + 8;
    if (promptTokens > contextTokens) {
      if (body.truncate === false && this.knows("0.12.6"))
        return this.overflow(response, promptTokens, contextTokens);
      promptTokens = Math.floor(contextTokens / 2) + 2;
    }
    this.loaded.set(name, contextTokens);
    await this.sendAnswer(response, name, this.answers.shift() ?? { text: ["Hello"] }, promptTokens);
  }

  private overflow(response: ServerResponse, promptTokens: number, contextTokens: number): void {
    const error = {
      code: 400,
      message: `request (${promptTokens} tokens) exceeds the available context size (${contextTokens} tokens), try increasing it`,
      type: "exceed_context_size_error",
      n_prompt_tokens: promptTokens,
      n_ctx: contextTokens,
    };
    this.json(response, 400, { error: JSON.stringify({ error }) });
  }

  private async sendAnswer(
    response: ServerResponse,
    name: string,
    answer: FakeAnswer,
    promptTokens: number,
  ): Promise<void> {
    const { thinking = [], text = [], toolCalls = [], doneReason = "stop", outputTokens = 7 } = answer;
    const messages: Record<string, unknown>[] = [
      ...thinking.map((piece) => ({ content: "", thinking: piece })),
      ...text.map((content) => ({ content })),
      ...toolCalls.map(({ id, ...called }) => ({
        content: "",
        tool_calls: [{ ...(id === undefined ? {} : { id }), function: called }],
      })),
    ];
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    for (const message of messages) {
      if (answer.delayMs !== undefined) await pause(answer.delayMs);
      if (response.destroyed) return;
      await this.line(response, { ...head(name), message: { role: "assistant", ...message }, done: false });
    }
    if (answer.cut === true) {
      await pause(CUT_AFTER_MS);
      response.socket?.destroy();
      return;
    }
    if (answer.error !== undefined) await this.line(response, { error: answer.error });
    else
      await this.line(response, {
        ...head(name),
        message: { role: "assistant", content: "" },
        done_reason: doneReason,
        done: true,
        total_duration: 4_883_583_458,
        load_duration: 1_334_875,
        prompt_eval_count: promptTokens,
        prompt_eval_duration: 342_546_000,
        eval_count: outputTokens,
        eval_duration: 4_535_599_000,
      });
    response.end();
  }

  private async embed(
    response: ServerResponse,
    body: Record<string, unknown>,
    name: string,
    model: FakeModel,
  ): Promise<void> {
    if (model.capabilities?.includes("embedding") === false)
      return this.json(response, 400, { error: "this model does not support embeddings" });
    const texts = [body.input].flat() as string[];
    const most = this.contextOf(model, body.options as object);
    if (body.truncate === false && texts.some((text) => wordsOf([text]) > most))
      return this.json(response, 400, { error: "the input length exceeds the context length" });
    this.json(response, 200, {
      model: name,
      embeddings: texts.map(vectorOf),
      total_duration: 14_143_917,
      load_duration: 1_019_500,
      prompt_eval_count: wordsOf(texts),
    });
  }

  private async pull(response: ServerResponse, asked: string): Promise<void> {
    const name = /:[^/]*$/.test(asked) ? asked : `${asked}:latest`;
    const layers = this.settings.library?.[name];
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    await this.line(response, { status: "pulling manifest" });
    if (layers === undefined) {
      await this.line(response, { error: "pull model manifest: file does not exist" });
      response.end();
      return;
    }
    const fault = this.pullFault;
    this.pullFault = undefined;
    let sent = 0;
    for (const { digest, bytes: total } of layers) {
      const status = `pulling ${digest.slice(7, 19)}`;
      const step = Math.ceil(total / 4);
      await this.line(response, { status, digest, total });
      for (let completed = this.fetched.get(digest) ?? 0; completed < total; ) {
        completed = Math.min(total, completed + step);
        sent += step;
        this.fetched.set(digest, completed);
        await this.line(response, { status, digest, total, completed });
        if (this.pullDelayMs > 0) await pause(this.pullDelayMs);
        if (response.destroyed) return;
        if (fault === undefined || sent < fault.afterBytes) continue;
        if (fault.error === undefined) response.socket?.destroy();
        else {
          await this.line(response, { error: fault.error });
          response.end();
        }
        return;
      }
      await this.line(response, { status, digest, total, completed: total });
    }
    for (const status of ["verifying sha256 digest", "writing manifest"])
      await this.line(response, { status });
    this.models.set(name, { sizeBytes: layers.reduce((sum, { bytes }) => sum + bytes, 0) });
    await this.line(response, { status: "success" });
    response.end();
  }

  private line(response: ServerResponse, value: unknown): Promise<void> {
    return this.write(response, `${JSON.stringify(value)}\n`);
  }

  private async write(response: ServerResponse, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    const size = this.settings.pieceBytes ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) {
      response.write(bytes.subarray(at, at + size));
      await pause(0); // a packet of its own
    }
  }
}
