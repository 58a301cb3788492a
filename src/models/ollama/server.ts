/** One Ollama server: whether it is there, which version, and what it knows of its models. */
import { messageOf, SpellError } from "../../core/errors.ts";
import type { LocalModel } from "../service.ts";
import type { StartedProgram } from "../started-program.ts";
import { OllamaConnection, type Request } from "./connection.ts";
import { notRunning, tooOld } from "./failures.ts";
import type { OllamaSettings } from "./settings.ts";
import {
  canonicalName,
  type ModelFacts,
  modelFacts,
  modelList,
  type RunningModel,
  runningList,
} from "./shapes.ts";
import { canStart, ollamaServe } from "./start.ts";

/** Tools, embeddings of several texts and answers held to a schema: calls need them. */
export const MINIMUM_VERSION = "0.5.0";
/** From here on a server can be told to refuse a prompt that does not fit instead of cutting it. */
const REFUSES_SINCE = "0.12.10";
/** How long a server may take to say that it is there, where nobody needs it yet. */
const PROBE_MS = 2000;

export type Health = { running: true; version?: string } | { running: false; error: SpellError };

export class OllamaServer {
  readonly connection: OllamaConnection;
  private healthy: { version?: string; untilMs: number } | undefined;
  private readonly facts = new Map<string, { facts: ModelFacts; untilMs: number }>();
  /** Context lengths with which models were seen to run, by what was asked for. */
  private readonly contexts = new Map<string, number | undefined>();
  private readonly program: StartedProgram;

  constructor(readonly settings: OllamaSettings) {
    this.connection = new OllamaConnection(settings);
    this.program = ollamaServe(settings);
  }

  /**
   * Asks the server, unless it answered within the health interval. Starts nothing.
   * @param idleMs how long it may take
   * @throws what `signal` was aborted with
   */
  async health(signal?: AbortSignal, idleMs = PROBE_MS): Promise<Health> {
    const { healthy } = this;
    if (healthy !== undefined && performance.now() < healthy.untilMs)
      return { running: true, ...(healthy.version === undefined ? {} : { version: healthy.version }) };
    this.healthy = undefined;
    try {
      const version = await this.version(signal, idleMs);
      this.healthy = {
        untilMs: performance.now() + this.settings.healthMs,
        ...(version === undefined ? {} : { version }),
      };
      return { running: true, ...(version === undefined ? {} : { version }) };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof SpellError) return { running: false, error };
      throw error;
    }
  }

  private async version(signal: AbortSignal | undefined, idleMs: number): Promise<string | undefined> {
    const request: Request = { what: "Cannot use Ollama", signal, idleMs, isProbe: true };
    const { version } = await (await this.connection.client(request)).version();
    return typeof version === "string" && /^\d+\.\d+/.test(version) ? version : undefined;
  }

  /**
   * The server, running and new enough; started where it is not there and the settings say so.
   * @returns whether it can refuse a prompt that does not fit
   * @throws network (not running), provider (too old), timeout
   */
  async ready(request: Request): Promise<{ refusesOverflow: boolean }> {
    const { version } = await this.awake(request);
    if (version === undefined || isDevelopment(version)) return { refusesOverflow: true };
    if (Bun.semver.order(version, MINIMUM_VERSION) < 0)
      throw tooOld(this.connection.asking(request), version, MINIMUM_VERSION);
    return { refusesOverflow: Bun.semver.order(version, REFUSES_SINCE) >= 0 };
  }

  /** As `ready`, whatever its version. */
  async awake(request: Request): Promise<{ version?: string }> {
    const { idleMs } = this.settings;
    let health = await this.health(request.signal, idleMs);
    if (!health.running && health.error.data.notRunning === true && canStart(this.settings)) {
      await this.program.start(request.signal, async () => (await this.health()).running);
      health = await this.health(request.signal, idleMs);
    }
    if (health.running) return health;
    if (health.error.data.notRunning !== true) throw health.error;
    throw notRunning(this.connection.asking(request), this.settings);
  }

  /** A request that shows the server gone: the next one asks for its health again. */
  forgetHealth(error: unknown): void {
    if (error instanceof SpellError && error.code === "network") this.healthy = undefined;
  }

  async models(signal: AbortSignal | undefined): Promise<LocalModel[]> {
    const request: Request = { what: "Cannot list the models of Ollama", signal };
    const client = await this.connection.client(request);
    return modelList(await client.list(), this.connection.asking(request));
  }

  /** The models in memory. */
  async running(signal: AbortSignal | undefined): Promise<RunningModel[]> {
    const request: Request = { what: "Cannot list the running models of Ollama", signal };
    const client = await this.connection.client(request);
    return runningList(await client.ps(), this.connection.asking(request));
  }

  async isRunning(id: string, signal: AbortSignal | undefined): Promise<boolean> {
    return (await this.running(signal)).some((model) => canonicalName(model.id) === canonicalName(id));
  }

  /** What the server knows of a model; remembered for the health interval. @throws not_found, network, provider */
  async show(model: string, request: Request): Promise<ModelFacts> {
    const key = canonicalName(model);
    const entry = this.facts.get(key);
    if (entry !== undefined && performance.now() < entry.untilMs) return entry.facts;
    const client = await this.connection.client({ ...request, model });
    const facts = modelFacts(await client.show({ model }), this.connection.asking(request));
    this.facts.set(key, { facts, untilMs: performance.now() + this.settings.healthMs });
    return facts;
  }

  /** A model was pulled or removed: what is known of it is of yesterday. */
  forget(model: string): void {
    this.facts.delete(canonicalName(model));
  }

  /**
   * The context length a model runs with, as it was seen.
   * @param asked what requests ask for; undefined: Ollama's own choice
   */
  seenContext(model: string, asked: number | undefined): number | undefined {
    return this.contexts.get(contextKey(model, asked));
  }

  /** Looks once after a call how long the context is that the model really runs with. Never throws. */
  async lookAtContext(
    model: string,
    asked: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const key = contextKey(model, asked);
    if (this.contexts.has(key)) return;
    try {
      const running = await this.running(signal);
      const seen = running.find(({ id }) => canonicalName(id) === canonicalName(model))?.contextTokens;
      this.contexts.set(key, seen);
      if (asked !== undefined && seen !== undefined && seen < asked)
        this.settings.log.warn("model", "Ollama runs the model with a smaller context than was asked for", {
          model,
          asked_tokens: asked,
          context_tokens: seen,
        });
    } catch (error) {
      this.settings.log.debug("model", "Ollama's running models cannot be listed", {
        reason: messageOf(error),
      });
    }
  }

  /** Ends the server, where it was started here. */
  dispose(): Promise<void> {
    return this.program.dispose();
  }
}

const contextKey = (model: string, asked: number | undefined): string =>
  `${canonicalName(model)} ${asked ?? ""}`;

/** A server built from source. */
const isDevelopment = (version: string): boolean => version.startsWith("0.0.0");
