/** Makes the capabilities of one tool call from the configuration as it stands. */
import { SpellError } from "../core/errors.ts";
import type { ConfigService } from "../kernel/services.ts";
import type { Capabilities, FileAccess } from "./capabilities.ts";
import { refused } from "./denial.ts";
import { SandboxedEnvironment } from "./environment-access.ts";
import { SandboxedFiles } from "./file-access.ts";
import type { ResourceBudget } from "./limits.ts";
import { PathPolicy } from "./path-policy.ts";

export interface CapabilityOptions {
  config: ConfigService;
  env: Readonly<Record<string, string | undefined>>;
  workingDirectory: string;
  /** What the tool declared. */
  needs: readonly (keyof Capabilities)[];
  budget: ResourceBudget;
  signal: AbortSignal;
}

/** @returns an object on which a capability that was not declared, or is switched off, throws when it is reached for */
export function createCapabilities(options: CapabilityOptions): Capabilities {
  return {
    get files() {
      requireDeclared(options, "files");
      return createFiles(options);
    },
    get environment() {
      requireDeclared(options, "environment");
      return createEnvironment(options);
    },
  };
}

function createFiles(options: CapabilityOptions): FileAccess {
  const { config } = options;
  const { runtime, tools } = config.current;
  if (!runtime.security.allow_file_access && config.isExplicit("runtime.security.allow_file_access")) {
    throw switchedOff("File access", "runtime.security.allow_file_access");
  }
  const rules = tools.file_operations;
  if (!rules.enabled) throw switchedOff("File access", "tools.file_operations.enabled");
  const policy = new PathPolicy(
    {
      allowedPaths: rules.allowed_paths,
      allowedExtensions: rules.allowed_extensions,
      blockedExtensions: rules.blocked_extensions,
      maxDepth: rules.max_depth,
      followSymlinks: rules.follow_symlinks,
    },
    options.workingDirectory,
  );
  return new SandboxedFiles({
    policy,
    budget: options.budget,
    signal: options.signal,
    maxFileBytes: rules.max_file_size,
    atomicWrites: rules.atomic_writes,
    validateTypes: rules.validate_file_types,
  });
}

function createEnvironment(options: CapabilityOptions): SandboxedEnvironment {
  const system = options.config.current.tools.system;
  if (system?.enabled === false) throw switchedOff("Environment access", "tools.system.enabled");
  return new SandboxedEnvironment({
    env: options.env,
    budget: options.budget,
    allowedNames: system?.allowed_env_vars ?? [],
  });
}

function requireDeclared(options: CapabilityOptions, name: keyof Capabilities): void {
  if (options.needs.includes(name)) return;
  throw new SpellError("internal", `Cannot use "${name}": the tool does not declare that it needs it`);
}

function switchedOff(what: string, key: string): SpellError {
  const error = new SpellError(
    "permission_denied",
    `Security violation: ${what} is disabled: Permission denied by ${key}`,
    {
      data: { key },
      hint: `Set ${key} to true in the configuration`,
    },
  );
  return refused("switched_off", error);
}
