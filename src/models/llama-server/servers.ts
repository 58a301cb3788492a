/** `server_url` and `server_binary`: models of llama.cpp's own `llama-server` in place of the built-in engine. */
import type { Config, ProviderConfig } from "../../config/schema.ts";
import type { Log } from "../../core/log.ts";
import { fetchChecked } from "../../security/network/fetch.ts";
import { networkRules } from "../../security/network/rules.ts";
import { around } from "../calls/around.ts";
import type { CloudRequest } from "../providers/cloud/connection.ts";
import { openCloud } from "../providers/cloud/open.ts";
import type { SpellModel } from "../service.ts";
import { StartedProgram } from "../started-program.ts";

/** A model of many gigabytes is read from the disk. */
const START_MS = 300_000;
const PROBE_MS = 2000;

interface Surroundings {
  config: () => Config;
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
}

/** The same request to a server that speaks OpenAI's format at this address. */
export function atServer(request: CloudRequest, baseUrl: string): CloudRequest {
  const { provider } = request;
  const settings: ProviderConfig = { ...provider.settings, base_url: baseUrl };
  return { ...request, provider: { ...provider, type: "custom", settings } };
}

/** The servers that this process has started, one for each file and its settings. */
export class LlamaServers {
  private readonly servers = new Map<string, StartedServer>();

  constructor(private readonly around: Surroundings) {}

  /**
   * A model of a server that is started with its first call.
   * @param path the GGUF file
   */
  open(request: CloudRequest, path: string): SpellModel {
    const { settings } = request.provider;
    const key = JSON.stringify([path, ...argumentsOf(settings), settings.server_binary, settings.port]);
    const server = this.servers.get(key) ?? new StartedServer(settings, path, this.around);
    this.servers.set(key, server);
    const asked = { ...request, apiKey: { source: "llmspell", reveal: async () => server.key } };
    const model = openCloud(atServer(asked, server.url));
    return around(model, {
      load: async ({ signal }) => server.ready(signal),
      async doStream(options) {
        await server.ready(options.abortSignal);
        return model.doStream(options);
      },
      async doGenerate(options) {
        await server.ready(options.abortSignal);
        return model.doGenerate(options);
      },
    });
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.servers.values()].map((server) => server.dispose()));
  }
}

class StartedServer {
  readonly url: string;
  /** Nobody else on this machine can ask it. */
  readonly key = crypto.randomUUID();
  private readonly program: StartedProgram;

  constructor(
    settings: ProviderConfig,
    path: string,
    private readonly around: Surroundings,
  ) {
    const { server_binary: binary = "", port = freePort() } = settings;
    this.url = `http://127.0.0.1:${port}`;
    const words = ["--model", path, "--host", "127.0.0.1", "--port", String(port), ...argumentsOf(settings)];
    this.program = new StartedProgram({
      name: binary,
      command: () => [binary, ...words],
      env: { ...around.env, LLAMA_API_KEY: this.key },
      startMs: START_MS,
      hint: `Run it yourself to see what is wrong: ${binary} --model ${path}`,
      onStart: () => around.log.info("model", "llama-server was started", { server: this.url, path }),
    });
  }

  /** @throws provider where it cannot be started */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    if (this.program.isRunning && (await this.answers())) return;
    await this.program.start(signal, () => this.answers());
  }

  /** Whether the model is loaded, too. */
  private async answers(): Promise<boolean> {
    try {
      const { response } = await fetchChecked(new URL("/health", this.url), {
        rules: networkRules(this.around.config(), [this.url]),
        env: {},
        maxRedirects: 0,
        signal: AbortSignal.timeout(PROBE_MS),
      });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false; // that is the answer
    }
  }

  dispose(): Promise<void> {
    return this.program.dispose();
  }
}

/** The provider's settings in the words of `llama-server`; what is not set is its own choice. */
function argumentsOf({
  context_size,
  max_concurrent,
  gpu_layers,
  device,
  cpu_threads,
  batch_size,
}: ProviderConfig): string[] {
  const given = (flag: string, value: number | undefined) =>
    value === undefined ? [] : [flag, String(value)];
  return [
    "--jinja",
    // it shares its context out among its requests
    ...given("--ctx-size", context_size === undefined ? undefined : context_size * (max_concurrent ?? 1)),
    ...given("--parallel", max_concurrent ?? (context_size === undefined ? undefined : 1)),
    ...given("--n-gpu-layers", gpu_layers ?? (device === "cpu" ? 0 : undefined)),
    ...given("--threads", cpu_threads || undefined),
    ...given("--batch-size", batch_size),
  ];
}

function freePort(): number {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}
