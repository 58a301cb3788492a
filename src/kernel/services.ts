/** What the kernel offers to handlers of globals. Types only: importing this loads nothing. */
import type { AgentService } from "../agents/service.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../core/log.ts";
import type { Task } from "../core/task.ts";
import type { DebugService } from "../debug/service.ts";
import type { EventService } from "../events/service.ts";
import type { HookService } from "../hooks/service.ts";
import type { MetricsRegistry } from "../metrics/registry.ts";
import type { ModelService } from "../models/service.ts";
import type { KeyStore } from "../security/keys/store.ts";
import type { SessionService } from "../sessions/service.ts";
import type { BackupService } from "../state/backup/service.ts";
import type { MigrationService } from "../state/migration/service.ts";
import type { StateService } from "../state/service.ts";
import type { Storage } from "../storage/storage.ts";
import type { ToolService } from "../tools/service.ts";
import type { WorkflowService } from "../workflows/service.ts";
import type { KernelEvent, ScriptArguments } from "./api.ts";

/** The services. Each is imported and made at its first use. */
export interface Services {
  readonly config: ConfigService;
  readonly log: Log;
  tools(): Promise<ToolService>;
  models(): Promise<ModelService>;
  agents(): Promise<AgentService>;
  workflows(): Promise<WorkflowService>;
  debug(): Promise<DebugService>;
  /** The database of the data directory, opened at its first use. */
  storage(): Promise<Storage>;
  state(): Promise<StateService>;
  /** Backups of state. */
  backups(): Promise<BackupService>;
  /** Migrations of state to other schemas. */
  migrations(): Promise<MigrationService>;
  events(): Promise<EventService>;
  /** The event bus where there may be listeners: undefined until a script or the configuration has asked for it. */
  activeEvents(): EventService | undefined;
  hooks(): Promise<HookService>;
  /** Stored API keys. */
  keys(): Promise<KeyStore>;
  /** Figures of this kernel: its own and those of scripts. */
  metrics(): Promise<MetricsRegistry>;
  sessions(): Promise<SessionService>;
  /** Whether scripts run, and whether `debug.enabled` is set. */
  kernelState(): { execution: "idle" | "busy"; debug: boolean };
  /** The hooks where there may be any: undefined until a script or the configuration has asked for them. */
  activeHooks(): HookService | undefined;
}

/** The effective configuration and how it may change while scripts run. */
export interface ConfigService {
  /** The effective, validated configuration. Keys as in the TOML files. */
  readonly current: Config;
  /** Where it came from: a profile, a file path, or `defaults`. */
  readonly source: string;
  /** True when the key was set by a file, a profile or the environment and not only by its default. Dotted path. */
  isExplicit(path: string): boolean;
  /** Replaces the configuration for this process (Config.setProvider and its like); validated first. */
  update(change: (draft: Config) => void): void;
}

/** The VM that a script runs in. It outlives the run where a kernel keeps it for the next one. */
export interface ScriptVm {
  /** Aborted when it ends; its functions and all that belongs to it end with it. */
  readonly ended: AbortSignal;
  /** Resolves while a script runs in it: only then its functions can call the kernel. */
  running(): Promise<void>;
}

/** One running script, as services see it. */
export interface RunContext {
  /** Correlation id of this run. */
  readonly id: string;
  /** Aborted on interrupt, time limit and end of the run. */
  readonly signal: AbortSignal;
  readonly scriptName: string;
  readonly args: ScriptArguments;
  /** The script's file, absolute, and what was read from it. */
  readonly script?: { readonly path: string; readonly code: string | Uint8Array } | undefined;
  /** A run of the same script whose durable workflows this one goes on with. */
  readonly resume?: string | undefined;
  emit(event: KernelEvent): void;
  /** Asks the person in front of the program for a line, null at the end of input; undefined where there is none. */
  ask?(question: string): Promise<Uint8Array | null> | undefined;
  readonly vm: ScriptVm;
  /**
   * The tasks (`core/task.ts`) that wait for a script callback which is running now in this VM. A VM runs one callback
   * at a time and only the innermost can end, so a wait for one of these tasks can never end.
   */
  blockedTasks(): ReadonlySet<Task>;
}
