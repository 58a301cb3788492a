/** A kernel of this process that listens for WebSocket clients, with a home of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { silentLog } from "../../src/core/log.ts";
import { ClientHub } from "../../src/kernel/client-hub.ts";
import { RequestMetrics } from "../../src/kernel/health/request-metrics.ts";
import { createKernel } from "../../src/kernel/kernel.ts";
import { Operations } from "../../src/kernel/operations.ts";
import { connectKernel, type KernelAddress } from "../../src/kernel/remote-client.ts";
import { WebSocketTransport } from "../../src/kernel/transport/websocket.ts";
import { MetricsRegistry } from "../../src/metrics/registry.ts";

export const TOKEN = "0123456789abcdef0123456789abcdef";

export interface ListeningKernel extends AsyncDisposable {
  readonly address: KernelAddress;
  readonly hub: ClientHub;
  readonly transport: WebSocketTransport;
  connect(): ReturnType<typeof connectKernel>;
}

export interface ListeningOptions {
  maxClients?: number;
  maxMessageBytes?: number;
  origins?: string[];
}

export async function listeningKernel({
  maxClients = 100,
  maxMessageBytes = 1 << 20,
  origins = [],
}: ListeningOptions = {}): Promise<ListeningKernel> {
  const home = mkdtempSync(join(tmpdir(), "llmspell-test-"));
  const env = { HOME: home };
  const loaded = await loadConfig({ env, cwd: home, home });
  const kernel = createKernel({ loaded, log: silentLog, env, cwd: home });
  const hub = new ClientHub({
    id: "under-test",
    kernel,
    operations: new Operations(),
    metrics: new RequestMetrics(new MetricsRegistry()),
    log: silentLog,
    limits: () => ({ maxClients, executionMs: 60_000 }),
    report: () => ({ status: "ok" }),
    shutdown: () => kernel.shutdown(),
  });
  const transport = new WebSocketTransport(hub, {
    ip: "127.0.0.1",
    ports: { websocket: 0 },
    key: "",
    token: TOKEN,
    maxMessageBytes,
    origins,
    log: silentLog,
  });
  const [endpoint] = await transport.start();
  const address = { host: "127.0.0.1", port: endpoint!.port, token: TOKEN };
  return {
    address,
    hub,
    transport,
    connect: () => connectKernel(address),
    async [Symbol.asyncDispose]() {
      await transport.stop();
      await kernel.shutdown();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
