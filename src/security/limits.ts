/** Resource limits of one tool call by security level (spec/tools.md section 2.3). */
import { SpellError } from "../core/errors.ts";
import type { SecurityLevel } from "./capabilities.ts";

export interface ResourceLimits {
  /** Bytes of parameters, file content and result together. */
  memoryBytes: number;
  /** Calls to capabilities: file operations, environment reads. */
  operations: number;
  /** Files held open at the same time. */
  openFiles: number;
}

const LIMITS: Record<SecurityLevel, ResourceLimits> = {
  safe: { memoryBytes: 10_000_000, operations: 10, openFiles: 50 },
  restricted: { memoryBytes: 100_000_000, operations: 100, openFiles: 50 },
  privileged: { memoryBytes: Infinity, operations: Infinity, openFiles: 50 },
};

export function limitsOf(level: SecurityLevel, own: Partial<ResourceLimits> = {}): ResourceLimits {
  return { ...LIMITS[level], ...own };
}

/** Counts what one call uses. @throws SpellError limit, with `data.limit`, `data.allowed` and `data.used` */
export class ResourceBudget {
  private memoryBytes = 0;
  private operations = 0;
  private openFiles = 0;

  constructor(private readonly limits: ResourceLimits) {}

  get used(): { memoryBytes: number; operations: number } {
    return { memoryBytes: this.memoryBytes, operations: this.operations };
  }

  countOperation(): void {
    this.operations += 1;
    if (this.operations > this.limits.operations)
      throw exceeded("operations", this.limits.operations, this.operations);
  }

  hold(bytes: number): void {
    this.memoryBytes += bytes;
    if (this.memoryBytes > this.limits.memoryBytes)
      throw exceeded("memory", this.limits.memoryBytes, this.memoryBytes);
  }

  /** Counts an open file until the returned function is called. */
  openFile(): () => void {
    if (this.openFiles >= this.limits.openFiles)
      throw exceeded("open files", this.limits.openFiles, this.openFiles + 1);
    this.openFiles += 1;
    return () => {
      this.openFiles -= 1;
    };
  }
}

function exceeded(limit: string, allowed: number, used: number): SpellError {
  return new SpellError(
    "limit",
    `Resource limit exceeded: ${limit} limit of ${allowed} exceeded (used: ${used})`,
    {
      data: { limit, allowed, used },
    },
  );
}
