/** A kernel that listens: makes a kernel, lets clients reach it, and ends it in order. */
import { join } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { followCorrelation } from "../core/correlation.ts";
import { closeEarlyPorts } from "../core/early-ports.ts";
import { messageOf } from "../core/errors.ts";
import type { LogLevel, LogSink } from "../core/log.ts";
import { dataDirectory } from "../core/paths.ts";
import { shortVersion } from "../core/version.ts";
import { sendsEvents } from "../events/settings.ts";
import type { HookService } from "../hooks/service.ts";
import { KernelMetrics } from "../metrics/create.ts";
import type { KernelReply } from "./api.ts";
import { ClientHub } from "./client-hub.ts";
import { removeConnection, writeConnection } from "./connection-file.ts";
import { PidFile } from "./daemon/pid-file.ts";
import { notifyServiceManager } from "./daemon/service-manager.ts";
import { watchGarbage } from "./garbage.ts";
import { serveHealth } from "./health/http.ts";
import { HealthMonitor } from "./health/monitor.ts";
import { RequestMetrics } from "./health/request-metrics.ts";
import type { Endpoint, Transport } from "./hub.ts";
import { createKernel, type LocalKernel } from "./kernel.ts";
import { type KernelLog, kernelLog } from "./logs/kernel-log.ts";
import { Operations } from "./operations.ts";
import { applyKernelFile, type ConfigChange } from "./reload.ts";
import { Reloader } from "./reloader.ts";
import type { ServerSettings } from "./server-settings.ts";
import { shutDown } from "./shutdown.ts";
import { handleSignals } from "./signals.ts";
import { connectionOf, type StartedDocument, startedDocument } from "./started.ts";
import { StateDumper, writeWhole } from "./state-dump.ts";
import { tellChanges } from "./tell-changes.ts";
import { createTransports } from "./transports.ts";
import { watchIdle, watchParent } from "./watch.ts";

export interface ServerOptions {
  settings: ServerSettings;
  loaded: LoadedConfig;
  /** Reads the configuration again. */
  load: () => Promise<LoadedConfig>;
  /** What the command line sets, over every reload. */
  overrides: (config: LoadedConfig["config"]) => void;
  /** A level that the environment or the command line sets wins over the configuration's. */
  level: LogLevel | undefined;
  sink: LogSink;
  env: Record<string, string | undefined>;
  cwd: string;
}

export const EXIT_GRACEFUL = 0;
export const EXIT_FORCED = 1;

/** Where the configuration does not say how long the end may take (spec/kernel.md section 10.2). */
const DEFAULT_GRACE_SECONDS = 15;

export class KernelServer {
  /** The exit code, when the kernel has ended. */
  readonly ended: Promise<number>;

  private readonly kernel: LocalKernel;
  private readonly logs: KernelLog;
  private readonly hub: ClientHub;
  private readonly operations = new Operations();
  private readonly metrics: KernelMetrics;
  private readonly requests: RequestMetrics;
  private readonly monitor: HealthMonitor;
  private readonly reloader: Reloader;
  private readonly forced = new AbortController();
  private readonly dumper: StateDumper;
  private readonly data: string;
  /** What was begun, to be ended in the reverse order. */
  private readonly closing: (() => Promise<void> | void)[] = [];
  private pidFile: PidFile | undefined;
  private transports: Transport[] = [];
  private ending: Promise<void> | undefined;
  private resolveEnded!: (code: number) => void;

  /** @throws SpellError already_exists, permission_denied, io, config */
  static async start(options: ServerOptions): Promise<{ server: KernelServer; document: StartedDocument }> {
    await followCorrelation();
    const server = new KernelServer(options);
    try {
      return { server, document: await server.listen() };
    } catch (error) {
      await server.cleanUp();
      server.pidFile?.release();
      throw error;
    }
  }

  private constructor(private readonly options: ServerOptions) {
    const { settings, loaded, env, cwd, sink, load } = options;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
    this.data = dataDirectory(env);
    this.logs = kernelLog(settings.logFile, sink, () => config.current, "info");
    const { log } = this.logs;
    this.metrics = new KernelMetrics(log, () => config.current.kernel.execution);
    this.requests = new RequestMetrics(this.metrics);
    this.kernel = createKernel({ loaded, log, env, cwd, id: settings.id, metrics: this.metrics });
    const { config } = this.kernel;
    this.closing.push(
      () => this.metrics[Symbol.dispose](),
      () => this.kernel.shutdown(),
    );
    this.hub = new ClientHub({
      id: settings.id,
      kernel: this.kernel,
      operations: this.operations,
      metrics: this.requests,
      log,
      limits: () => {
        const { max_clients, max_execution_time_secs, execution } = config.current.kernel;
        const seconds = Math.min(max_execution_time_secs, execution.execution_timeout_secs);
        return { maxClients: max_clients, executionMs: seconds * 1000 };
      },
      report: () => this.statusReply(),
      shutdown: (reason, restart) => this.shutdown(reason, restart),
    });
    this.monitor = new HealthMonitor({
      hub: () => this.hub.status(),
      requests: this.requests,
      metrics: this.metrics,
      operations: this.operations,
      state: () => this.kernel.stateFigures(),
      limits: () => config.current.health,
      version: shortVersion(),
      log,
      onExcess: (excess) =>
        this.tellHooks(excess.point, ({ tellExcess }, hooks) => tellExcess(hooks, excess)),
    });
    this.watchBroadcasts("PreIOPubBroadcast");
    this.closing.push(() => this.monitor[Symbol.dispose]());
    const onReloaded = (changes: readonly ConfigChange[]) => {
      this.applyOverrides();
      const hooks = this.kernel.activeHooks();
      if (hooks !== undefined) void tellChanges(hooks, changes, "reload");
    };
    this.dumper = new StateDumper({
      directory: this.data,
      log: this.logs,
      monitor: this.monitor,
      hub: () => this.hub.status(),
      config: () => config.current,
      reloads: () => this.reloader,
    });
    this.reloader = new Reloader(loaded, { config, load, dataDirectory: this.data, log, onReloaded });
  }

  /** For hooks that are told and not waited for. */
  private tellHooks(
    point: string,
    tell: (hooked: typeof import("./hooks.ts"), hooks: HookService) => Promise<void>,
  ): void {
    const hooks = this.kernel.activeHooks();
    if (hooks?.has(point)) void import("./hooks.ts").then((hooked) => tell(hooked, hooks));
  }

  private watchBroadcasts(point: "PreIOPubBroadcast" | "PostIOPubBroadcast"): void {
    this.hub.onBroadcast((broadcast) =>
      this.tellHooks(point, ({ tellBroadcast }, hooks) => tellBroadcast(hooks, point, broadcast)),
    );
  }

  private applyOverrides(): void {
    const { config } = this.kernel;
    config.update(this.options.overrides);
    const { logging, runtime } = config.current;
    const byDefault = this.options.settings.logFile === undefined ? "warn" : "info";
    this.logs.setLevel(this.options.level ?? logging.log_level ?? runtime.log_level ?? byDefault);
  }

  private async listen(): Promise<StartedDocument> {
    const { settings, env } = this.options;
    const { config } = this.kernel;
    const { log } = this.logs;
    if (settings.pidFile !== undefined) this.pidFile = PidFile.take(settings.pidFile);
    applyKernelFile(config, this.data);
    this.applyOverrides();
    if (sendsEvents(config.current)) await this.kernel.events();
    const token = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
    const endpoints = await this.startTransports(token);
    this.watchBroadcasts("PostIOPubBroadcast");
    const document = startedDocument(settings, endpoints);
    this.closing.push(() => this.removeConnectionFiles());
    const connection = connectionOf(settings, endpoints, token);
    for (const path of settings.writtenFiles) writeConnection(path, connection);
    this.closing.push(
      watchIdle(
        () => ({
          lastMs: this.hub.status().lastActivityMs,
          idleMs: config.current.kernel.idle_timeout * 1000,
        }),
        () => void this.shutdown("idle timeout", false),
      ),
      watchGarbage(() => this.hub.status().lastActivityMs),
      await this.scheduleBackups(),
      watchParent(env, () => void this.shutdown("its parent has ended", false)),
      this.handleSignals(),
    );
    await notifyServiceManager(env, log, ["READY=1", `STATUS=Listening on ${settings.ip}:${document.port}`]);
    this.kernel.activeEvents()?.publish({ type: "kernel.startup", source: "kernel", data: { ...document } });
    log.info("kernel", "kernel started", { ...document });
    return document;
  }

  /** @returns ends them */
  private async scheduleBackups(): Promise<() => void | Promise<void>> {
    const { config } = this.kernel;
    const settings = () => config.current.runtime.state_persistence;
    if (!settings().backup_enabled || !settings().backup.schedule.enabled) return () => {};
    const { scheduleBackups } = await import("../state/backup/schedule.ts");
    return scheduleBackups({
      settings: () => settings().backup.schedule,
      backups: () => this.kernel.backups(),
      log: this.logs.log,
    });
  }

  private async startTransports(token: string): Promise<Endpoint[]> {
    const { ip, ports, key } = this.options.settings;
    const { current } = this.kernel.config;
    const maxMessageBytes = current.kernel.max_message_size_mb * 1024 * 1024;
    const settings = { ip, ports, key, token, maxMessageBytes, log: this.logs.log };
    this.transports = await createTransports(this.hub, settings, current);
    const endpoints: Endpoint[] = [];
    for (const transport of this.transports) {
      this.closing.push(() => transport.stop());
      endpoints.push(...(await transport.start()));
    }
    closeEarlyPorts();
    if (current.monitoring.enabled) {
      const { host, port, close } = serveHealth(current.monitoring, this.monitor);
      this.closing.push(() => close());
      endpoints.push({ channel: "monitoring", host, port });
    }
    return endpoints;
  }

  private handleSignals(): () => void {
    return handleSignals(
      {
        shutDown: (signal) => void this.shutdown(signal, false),
        force: (signal) => {
          this.logs.log.warn("kernel", "shutdown forced", { signal });
          this.forced.abort();
        },
        interrupt: () => this.hub.interrupt(),
        reload: () => void this.reloader.reload(),
        dump: () => this.dumper.dump(),
        isEnding: () => this.ending !== undefined,
      },
      () => this.kernel.config.current.signals,
      !this.options.settings.daemon,
    );
  }

  private statusReply(): KernelReply {
    const { status: health, ...report } = this.monitor.report();
    const { clients, executionCount, state, engine } = this.hub.status();
    return {
      status: "ok",
      health,
      ...report,
      clients: clients.length,
      execution_count: executionCount,
      execution_state: state,
      engine,
      last_activity: new Date(this.hub.status().lastActivityMs).toISOString(),
    };
  }

  private shutdown(reason: string, restart: boolean): Promise<void> {
    this.ending ??= this.end(reason, restart);
    return this.ending;
  }

  private async end(reason: string, restart: boolean): Promise<void> {
    const { config } = this.kernel;
    const { log } = this.logs;
    const { shutdown } = config.current;
    const graceSeconds = config.isExplicit("shutdown.grace_period_secs")
      ? shutdown.grace_period_secs
      : DEFAULT_GRACE_SECONDS;
    const graceMs = graceSeconds * 1000;
    this.kernel.activeEvents()?.publish({
      type: "kernel.shutdown",
      source: "kernel",
      data: { kernel_id: this.options.settings.id, reason, restart },
    });
    log.info("kernel", "shutdown begins", { reason, restart });
    await notifyServiceManager(this.options.env, log, ["STOPPING=1"]);
    const { graceful } = await shutDown(
      this.operations,
      {
        saveState: async (active) => shutdown.preserve_state && this.saveState(reason, active),
        notifyClients: () =>
          shutdown.notify_clients ? this.notifyClients(reason, restart) : Promise.resolve(0),
        cleanUp: () => this.cleanUp(),
      },
      { operationMs: Math.min(shutdown.operation_timeout_secs * 1000, graceMs), graceMs },
      { log, force: this.forced.signal },
    );
    this.removeConnectionFiles();
    this.pidFile?.release();
    if (graceful) await this.logs.close();
    this.resolveEnded(graceful ? EXIT_GRACEFUL : EXIT_FORCED);
  }

  private saveState(reason: string, active: number): boolean {
    const path = this.kernel.config.current.shutdown.state_file ?? join(this.data, "kernel_state.json");
    writeWhole(path, {
      timestamp: Date.now(),
      shutdown_reason: this.forced.signal.aborted ? "forced" : "graceful",
      cause: reason,
      active_operations: active,
      kernel_id: this.options.settings.id,
      execution_count: this.hub.status().executionCount,
    });
    return true;
  }

  private async notifyClients(reason: string, restart: boolean): Promise<number> {
    const { clients } = this.hub.status();
    const message = `Kernel is shutting down: ${reason}`;
    await Promise.all(this.transports.map((t) => t.notifyShutdown({ restart, status: "shutdown", message })));
    return clients.length;
  }

  private removeConnectionFiles(): void {
    for (const path of this.options.settings.writtenFiles) removeConnection(path);
  }

  /** What cannot be ended is logged; the rest is. */
  private async cleanUp(): Promise<void> {
    for (const close of this.closing.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.logs.log.write("error", "kernel", "not closed", { error: messageOf(error) });
      }
    }
  }
}
