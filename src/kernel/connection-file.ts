/** Connection files (spec/kernel.md section 4): how clients find a kernel and prove who they are. */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import Type from "typebox";
import { Value } from "typebox/value";
import { messageOf, SpellError } from "../core/errors.ts";
import { dataDirectory } from "../core/paths.ts";
import { beganAfter, isAlive } from "../core/process-alive.ts";

const Port = Type.Integer({ minimum: 0, maximum: 65_535 });

/** Fields that Jupyter knows, then ours, which its clients ignore. */
const ConnectionSchema = Type.Object({
  transport: Type.Literal("tcp"),
  ip: Type.String(),
  shell_port: Port,
  iopub_port: Port,
  stdin_port: Port,
  control_port: Port,
  hb_port: Port,
  /** Its UTF-8 bytes sign the messages; the hexadecimal text is not decoded. */
  key: Type.String(),
  signature_scheme: Type.Literal("hmac-sha256"),
  kernel_name: Type.Optional(Type.String()),
  kernel_id: Type.Optional(Type.String()),
  pid: Type.Optional(Type.Integer({ minimum: 1 })),
  /** ISO 8601. */
  started_at: Type.Optional(Type.String()),
  engine: Type.Optional(Type.String()),
  log_file: Type.Optional(Type.String()),
  pid_file: Type.Optional(Type.String()),
  websocket_port: Type.Optional(Port),
  /** What WebSocket clients bring. */
  token: Type.Optional(Type.String()),
});

export type Connection = Type.Static<typeof ConnectionSchema>;

/** A connection file of a kernel that was started by us and is there. */
export interface FoundKernel {
  id: string;
  path: string;
  connection: Connection & { pid: number };
}

type Env = Record<string, string | undefined>;

/** Where connection files are looked for; the first is where new ones go. */
export function connectionDirectories(env: Env): string[] {
  const runtime = env.XDG_RUNTIME_DIR;
  return [
    join(dataDirectory(env), "kernels"),
    ...(runtime ? [join(runtime, "llmspell", "kernels")] : []),
    join(tmpdir(), "llmspell", "kernels"),
  ];
}

export function connectionPath(env: Env, id: string): string {
  return join(connectionDirectories(env)[0]!, `kernel-${id}.json`);
}

/** @throws SpellError not_found, io, invalid_argument */
export function readConnection(path: string): Connection {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT")
      throw new SpellError("not_found", `Connection file not found: ${path}`, {
        hint: "`llmspell kernel list` shows the kernels that run",
      });
    const code = cause instanceof SyntaxError ? "invalid_argument" : "io";
    throw new SpellError(code, `Cannot read connection file ${path}: ${messageOf(cause)}`, { cause });
  }
  if (Value.Check(ConnectionSchema, document)) return document;
  const [problem] = Value.Errors(ConnectionSchema, document);
  const where = problem?.instancePath.slice(1).replaceAll("/", ".") || "the document";
  throw new SpellError(
    "invalid_argument",
    `Cannot use connection file ${path}: ${where} ${problem?.message}`,
    {
      hint: "A kernel writes the file when it starts; name the one of a kernel that runs",
    },
  );
}

/** Writes it whole or not at all, readable by its owner only. @throws SpellError io */
export function writeConnection(path: string, connection: Connection): void {
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(aside, `${JSON.stringify(connection, null, 2)}\n`, { mode: 0o600 });
    chmodSync(aside, 0o600);
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw new SpellError("io", `Cannot write connection file ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Removes the file if it is still this process's. */
export function removeConnection(path: string, pid = process.pid): void {
  if (tryRead(path)?.pid === pid) rmSync(path, { force: true });
}

/** The kernels of this user that run, the one that started last first. Files of kernels that are gone are removed. */
export function findKernels(env: Env): FoundKernel[] {
  const found: FoundKernel[] = [];
  for (const directory of connectionDirectories(env)) {
    for (const path of connectionFilesIn(directory)) {
      const connection = tryRead(path);
      const pid = connection?.pid;
      if (connection === undefined || pid === undefined) continue;
      if (isAlive(pid) && !beganAfter(pid, Date.parse(connection.started_at ?? "")))
        found.push({ id: connection.kernel_id ?? idOf(path), path, connection: { ...connection, pid } });
      else rmSync(path, { force: true });
    }
  }
  const started = ({ connection }: FoundKernel) => connection.started_at ?? "";
  return found.sort((a, b) => (started(a) < started(b) ? 1 : -1));
}

function idOf(path: string): string {
  return basename(path, ".json").replace(/^kernel-/, "");
}

/** Only what belongs to this user: anybody may write to the temporary directory. */
function connectionFilesIn(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") return [];
    throw error;
  }
  return names
    .filter((name) => /^kernel-.*\.json$/.test(name))
    .map((name) => resolve(directory, name))
    .filter(isOwn);
}

function isOwn(path: string): boolean {
  const own = process.getuid?.();
  return own === undefined || statSync(path, { throwIfNoEntry: false })?.uid === own;
}

/** Undefined for a file that is no connection file, or has just been removed. */
function tryRead(path: string): Connection | undefined {
  try {
    return readConnection(path);
  } catch (error) {
    if (error instanceof SpellError) return undefined;
    throw error;
  }
}
