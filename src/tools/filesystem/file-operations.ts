import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import type { FileAccess, FileInfo } from "../../security/capabilities.ts";
import { missingParameter } from "../parameters.ts";
import { choice, defineTool, type ToolOutcome } from "../tool.ts";

const MAX_ENTRIES = 1000;

const OPERATIONS = [
  "read",
  "write",
  "append",
  "delete",
  "create_dir",
  "list_dir",
  "copy",
  "move",
  "metadata",
  "exists",
] as const;

const ALIASES = {
  mkdir: "create_dir",
  ls: "list_dir",
  dir: "list_dir",
  list: "list_dir",
  cp: "copy",
  mv: "move",
  rename: "move",
  stat: "metadata",
  info: "metadata",
};

const parameters = Type.Object({
  operation: choice(OPERATIONS, "What to do"),
  path: Type.Optional(Type.String({ description: "The file or directory" })),
  input: Type.Optional(Type.String({ description: "For write and append: the content" })),
  recursive: Type.Optional(
    Type.Boolean({ description: "For create_dir: make parent directories too", default: false }),
  ),
  source_path: Type.Optional(
    Type.String({ description: "For copy and move: from where; path will do as well" }),
  ),
  target_path: Type.Optional(Type.String({ description: "For copy and move: to where" })),
});

interface Params {
  path?: string;
  input?: string | Uint8Array;
  recursive?: boolean;
  source_path?: string;
  target_path?: string;
}

type Operation = (params: Params, files: FileAccess) => Promise<Omit<ToolOutcome, "operation">>;

const operations: Record<(typeof OPERATIONS)[number], Operation> = {
  async read(params, files) {
    const path = required(params, "path");
    const bytes = await files.read(path);
    const content = textOf(bytes);
    return {
      text: content,
      result: { input: content, content, text: content, size: bytes.length },
      metadata: { file_path: path, file_size: bytes.length },
    };
  },

  async write(params, files) {
    const { path, bytes } = target(params, "Write");
    try {
      await files.write(path, bytes);
    } catch (error) {
      return failedWrite(path, error);
    }
    return {
      message: `Wrote ${bytes.length} bytes to ${path}`,
      result: { path, bytes_written: bytes.length },
      metadata: { file_path: path, file_size: bytes.length },
    };
  },

  async append(params, files) {
    const { path, bytes } = target(params, "Append");
    await files.append(path, bytes);
    return {
      message: `Appended ${bytes.length} bytes to ${path}`,
      result: { path, appended_size: bytes.length },
      metadata: { file_path: path },
    };
  },

  async delete(params, files) {
    const path = required(params, "path");
    await files.remove(path);
    return { message: `Deleted ${path}`, result: { path }, metadata: { file_path: path } };
  },

  async create_dir(params, files) {
    const path = required(params, "path");
    const recursive = params.recursive ?? false;
    await files.makeDirectory(path, recursive);
    return {
      message: `Created directory ${path}`,
      result: { path, recursive },
      metadata: { file_path: path },
    };
  },

  async list_dir(params, files) {
    const path = required(params, "path");
    const { entries, total } = await files.list(path, MAX_ENTRIES);
    return {
      message: `Found ${total} entries in ${path}`,
      result: {
        path,
        entries: entries.map(entryOf),
        count: entries.length,
        ...(total > entries.length ? { truncated: true, total } : {}),
      },
      metadata: { file_path: path, count: entries.length },
    };
  },

  async copy(params, files) {
    const { source, target } = fromTo(params);
    await files.copy(source, target);
    return { message: `Copied ${source} to ${target}`, result: { source, target } };
  },

  async move(params, files) {
    const { source, target } = fromTo(params);
    await files.move(source, target);
    return { message: `Moved ${source} to ${target}`, result: { source, target } };
  },

  async metadata(params, files) {
    const path = required(params, "path");
    const info = await files.info(path);
    return {
      message: `Metadata of ${path}`,
      result: {
        path,
        type: info.type,
        size: info.size,
        readonly: info.readonly,
        created: timestamp(info.createdMs),
        modified: timestamp(info.modifiedMs),
        accessed: timestamp(info.accessedMs),
      },
    };
  },

  async exists(params, files) {
    const path = required(params, "path");
    const exists = await files.exists(path);
    return { message: `Path ${path} ${exists ? "exists" : "does not exist"}`, result: { path, exists } };
  },
};

export const tool = defineTool({
  name: "file-operations",
  aliases: ["file_operations", "file-reader", "file-writer", "file_read", "file_write", "file-write"],
  description:
    "Reads and writes files. Also lists, copies, moves and deletes them, inside the allowed directories.",
  category: "filesystem",
  level: "privileged",
  version: "1.0.0",
  parameters,
  accepts: {
    names: { content: "input", destination: "target_path" },
    values: { operation: ALIASES },
    bytes: ["input"],
  },
  resultDoc: [
    "- `read`: `text` is the content; `{content, input, text, size}`",
    "- `write`: `{path, bytes_written}`; on failure `success = false` and",
    "  `{path, error_type}` with `security_violation`, `validation_error` or `execution_error`",
    "- `append`: `{path, appended_size}`",
    "- `delete`: `{path}`; refuses directories",
    "- `create_dir` (`mkdir`): `{path, recursive}`; with `recursive` an existing directory is fine",
    "- `list_dir` (`ls`, `dir`, `list`): `{path, entries, count}` with entries `{name, path, type, size, modified}` by",
    "  name; at most 1000, then also `truncated` and `total`",
    "- `copy` (`cp`) and `move` (`mv`, `rename`): `{source, target}`",
    "- `metadata` (`stat`, `info`): `{path, type, size, readonly, created, modified, accessed}`; links are not followed",
    "- `exists`: `{path, exists}`",
    "",
    "Types are `file`, `directory`, `symlink` and `unknown`, times RFC 3339.",
  ].join("\n"),
  style: "text",
  needs: ["files"],
  examples: [
    {
      title: "Is it there?",
      params: { operation: "exists", path: "/tmp" },
      result: { path: "/tmp", exists: true },
    },
    { title: "What is it?", params: { operation: "stat", path: "/tmp/." }, result: { type: "directory" } },
  ],
  primary: ({ operation, text, message }) => (operation === "read" ? text : message),
  async execute(params, ctx) {
    const { operation } = params;
    return { operation, ...(await operations[operation](params, ctx.can.files)) };
  },
});

function required(params: Params, name: "path" | "source_path" | "target_path"): string {
  const value = params[name];
  if (value === undefined) throw missingParameter(name);
  return value;
}

function target(params: Params, verb: "Write" | "Append"): { path: string; bytes: Uint8Array } {
  const path = required(params, "path");
  const { input } = params;
  if (input === undefined) {
    throw new SpellError("invalid_argument", `${verb} operation requires 'input' parameter`, {
      data: { parameter: "input" },
    });
  }
  return { path, bytes: typeof input === "string" ? new TextEncoder().encode(input) : input };
}

function fromTo(params: Params): { source: string; target: string } {
  const source = params.source_path ?? params.path;
  if (source === undefined) throw missingParameter("source_path");
  return { source, target: required(params, "target_path") };
}

/** A failed write is a result, not an error: spec/tools.md section 4.1. */
function failedWrite(path: string, error: unknown): Omit<ToolOutcome, "operation"> {
  if (!(error instanceof SpellError) || error.code === "interrupted" || error.code === "internal")
    throw error;
  const text = `Operation 'write' failed: ${error.message}`;
  return {
    success: false,
    text,
    message: text,
    error: { message: error.message, code: error.code },
    result: { path, error_type: errorType(error) },
  };
}

function errorType({ code }: SpellError): string {
  if (code === "permission_denied") return "security_violation";
  return code === "invalid_argument" || code === "limit" ? "validation_error" : "execution_error";
}

/** Bytes that are no UTF-8 stay bytes. */
function textOf(bytes: Uint8Array): string | Uint8Array {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return bytes;
    throw error;
  }
}

function entryOf(info: FileInfo) {
  return {
    name: info.name,
    path: info.path,
    type: info.type,
    size: info.size,
    modified: timestamp(info.modifiedMs),
  };
}

/** RFC 3339 in UTC. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
