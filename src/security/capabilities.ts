/**
 * What a tool may touch. Tools get these objects and nothing else; each method checks the configuration first and
 * throws `permission_denied` with the wording of spec/tools.md section 4.3.
 */
export const SECURITY_LEVELS = ["safe", "restricted", "privileged"] as const;
export type SecurityLevel = (typeof SECURITY_LEVELS)[number];

export interface FileInfo {
  name: string;
  path: string;
  type: "file" | "directory" | "symlink" | "unknown";
  size: number;
  readonly: boolean;
  createdMs: number;
  modifiedMs: number;
  accessedMs: number;
}

/** Files below `tools.file_operations.allowed_paths`, links resolved before anything is compared. */
export interface FileAccess {
  /** The absolute path with all links resolved. @throws permission_denied */
  resolve(path: string): Promise<string>;
  /** Whole content; refuses what is larger than `max_file_size`. */
  read(path: string): Promise<Uint8Array>;
  /** Chunks of the content, for hashing without holding it. @param maxBytes instead of `max_file_size` */
  stream(path: string, maxBytes?: number): AsyncIterable<Uint8Array>;
  /** Atomic (temporary file, fsync, rename) unless `atomic_writes` is off. */
  write(path: string, data: Uint8Array | string): Promise<void>;
  append(path: string, data: Uint8Array | string): Promise<void>;
  /** Removes a file or a link, never a directory. */
  remove(path: string): Promise<void>;
  makeDirectory(path: string, recursive: boolean): Promise<void>;
  /** The first `limit` entries by name, and how many there are. Links are not followed. */
  list(path: string, limit: number): Promise<{ entries: FileInfo[]; total: number }>;
  copy(from: string, to: string): Promise<void>;
  move(from: string, to: string): Promise<void>;
  /** A link is described itself, not what it points to. */
  info(path: string): Promise<FileInfo>;
  exists(path: string): Promise<boolean>;
}

/** Environment variables on the allow list and off the block list. */
export interface EnvironmentAccess {
  /** @throws permission_denied for a name that may not be read */
  get(name: string): string | undefined;
  /** Only the readable ones. */
  list(): Record<string, string>;
}

export interface Capabilities {
  files: FileAccess;
  environment: EnvironmentAccess;
}
