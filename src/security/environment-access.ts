/** Environment variables a tool may read: the allow list of spec/tools.md section 7.6 and the configured names. */
import { matchesWildcard } from "../core/wildcard.ts";
import type { EnvironmentAccess } from "./capabilities.ts";
import { deniedVariable } from "./denial.ts";
import type { ResourceBudget } from "./limits.ts";

const ALLOWED = [
  "PATH",
  "HOME",
  "USER",
  "SHELL",
  "TERM",
  "LANG",
  "LC_*",
  "TZ",
  "TMPDIR",
  "TEMP",
  "PWD",
  "OLDPWD",
];

/** These win over every allow list: a secret is never shown. */
const BLOCKED = [
  ...["*PASSWORD*", "*SECRET*", "*KEY*", "*TOKEN*", "*CREDENTIAL*", "*AUTH*", "*_PRIVATE_*"],
  ...["*DATABASE_URL*", "AWS_*", "AZURE_*", "GCP_*", "SSH_*", "GITHUB_TOKEN", "API_*"],
];

export interface EnvironmentOptions {
  env: Readonly<Record<string, string | undefined>>;
  budget: ResourceBudget;
  /** Names or patterns with `*`, beside the built-in ones. */
  allowedNames: readonly string[];
}

export class SandboxedEnvironment implements EnvironmentAccess {
  constructor(private readonly options: EnvironmentOptions) {}

  get(name: string): string | undefined {
    this.options.budget.countOperation();
    const blocking = blockingPattern(name);
    if (blocking !== undefined) {
      throw deniedVariable(
        name,
        `Variable matches the blocked pattern '${blocking}'`,
        "Secrets cannot be read by tools",
      );
    }
    if (!this.isAllowed(name)) {
      throw deniedVariable(
        name,
        "Variable is not allowed",
        "Add it to tools.system.allowed_env_vars in the configuration",
      );
    }
    return this.options.env[name];
  }

  list(): Record<string, string> {
    this.options.budget.countOperation();
    const readable = Object.entries(this.options.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && this.isAllowed(entry[0]) && blockingPattern(entry[0]) === undefined,
    );
    return Object.fromEntries(readable.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private isAllowed(name: string): boolean {
    return [...ALLOWED, ...this.options.allowedNames].some((pattern) => matchesWildcard(pattern, name));
  }
}

/** True for names that usually hold secrets; no script and no tool reads them. */
export function isSecretName(name: string): boolean {
  return blockingPattern(name) !== undefined;
}

function blockingPattern(name: string): string | undefined {
  return BLOCKED.find((pattern) => matchesWildcard(pattern, name.toUpperCase()));
}
