/** Requests that come from outside: which ones other programs may send, and their shapes (`src/kernel/api.ts`). */
import { type TObject, type TProperties, Type } from "typebox";
import { isPlainObject } from "../../core/values.ts";
import type { KernelRequest } from "../api.ts";
import { badRequest, readAs } from "./openai/read.ts";

const closed = { additionalProperties: false } as const;
const object = <T extends TProperties>(properties: T) => Type.Object(properties, closed);

const text = Type.String();
const maybeText = Type.Optional(Type.String());
const yesOrNo = Type.Boolean();
const texts = Type.Record(Type.String(), Type.String());
const anything = Type.Record(Type.String(), Type.Unknown());

const EXECUTE = object({
  type: Type.Literal("execute"),
  /** Text or bytes: checked apart, JSON Schema knows no bytes. */
  code: Type.Unknown(),
  name: text,
  path: maybeText,
  args: object({ script: text, positional: Type.Array(text), named: texts }),
  language: Type.Literal("lua"),
  stream: yesOrNo,
  interactive: Type.Optional(yesOrNo),
  calls: Type.Optional(
    object({
      usage: Type.Optional(yesOrNo),
      budget: Type.Optional(
        object({
          tokens: Type.Optional(Type.Integer({ minimum: 0 })),
          costUsd: Type.Optional(Type.Number({ minimum: 0 })),
          calls: Type.Optional(Type.Integer({ minimum: 0 })),
          timeMs: Type.Optional(Type.Number({ minimum: 0 })),
        }),
      ),
    }),
  ),
  resume: maybeText,
});

/** What else a message of the Debug Adapter Protocol holds is the debugger's affair. */
const DEBUG = object({
  type: Type.Literal("debug"),
  message: Type.Object({
    seq: Type.Integer({ minimum: 0 }),
    type: Type.Literal("request"),
    command: Type.String({ minLength: 1, maxLength: 256 }),
  }),
});

const only = (type: string) => object({ type: Type.Literal(type) });
const atCursor = (type: string) =>
  object({ type: Type.Literal(type), code: text, cursor: Type.Integer({ minimum: 0 }) });

/** By type, or type and command. Requests that are not here belong to the process in which they were made. */
const SCHEMAS: Readonly<Record<string, TObject>> = {
  execute: EXECUTE,
  is_complete: object({ type: Type.Literal("is_complete"), code: text }),
  complete: atCursor("complete"),
  inspect: atCursor("inspect"),
  variables: only("variables"),
  reset: only("reset"),
  kernel_status: only("kernel_status"),
  debug: DEBUG,
  ...commands("tool", {
    list: { category: maybeText },
    info: { name: text, showSchema: yesOrNo },
    invoke: {
      name: text,
      params: anything,
      timeoutSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 86_400 })),
    },
    search: { query: text, category: maybeText },
    test: { name: text, verbose: yesOrNo },
  }),
  ...commands("model", {
    list: { backend: text },
    info: { model: text },
    status: { backend: maybeText },
    import: { path: text, name: maybeText, model: maybeText, force: yesOrNo },
    export: { model: text, path: text, force: yesOrNo },
    pull: { model: text, quantization: maybeText, force: yesOrNo },
    available: { backend: maybeText, recommended: yesOrNo, query: maybeText },
    remove: { model: text },
    unload: { model: text },
    "install-ollama": {},
  }),
  ...commands("state", {
    get: { scope: maybeText, key: text },
    set: { scope: maybeText, key: text, value: Type.Unknown() },
    delete: { scope: maybeText, key: text },
    list: { scope: maybeText },
    show: { scope: maybeText, key: maybeText },
    clear: { scope: maybeText, key: maybeText },
    export: { scope: maybeText },
    import: { state: anything, merge: yesOrNo },
    check: {},
    repair: {},
  }),
  ...commands("backup", {
    create: { incremental: yesOrNo, description: maybeText, output: maybeText },
    restore: { backup: text, dryRun: yesOrNo, verify: yesOrNo, safety: yesOrNo, targetVersion: maybeText },
    list: { limit: Type.Optional(Type.Integer({ minimum: 1 })) },
    info: { backup: text },
    validate: { backup: text },
    delete: { backup: text },
    cleanup: { dryRun: yesOrNo },
  }),
  ...commands("migrate", {
    status: {},
    run: {
      version: text,
      dryRun: yesOrNo,
      backup: Type.Optional(yesOrNo),
      level: Type.Optional(Type.Union(["None", "Basic", "Strict", "Paranoid"].map((l) => Type.Literal(l)))),
    },
  }),
  ...commands("session", {
    list: {},
    show: { id: text },
    delete: { id: text },
    delete_all: {},
    replay: {
      id: text,
      fromStep: Type.Optional(Type.Integer({ minimum: 1 })),
      toStep: Type.Optional(Type.Integer({ minimum: 1 })),
      run: Type.Optional(Type.Array(text)),
      modifications: Type.Optional(Type.Array(Type.Object({ path: text, value: Type.Unknown() }))),
    },
    create: { name: maybeText },
    export: { id: text, path: text },
    import: { path: text },
  }),
  ...commands("workflow", {
    list: {},
    show: { id: text },
    cancel: { id: text },
    delete: { id: text },
    prepare: { id: text, retry: Type.Array(text), skip: Type.Array(text) },
  }),
  ...commands("providers", { list: {}, info: { name: text }, test: { name: text } }),
};

function commands(type: string, each: Record<string, TProperties>): Record<string, TObject> {
  return Object.fromEntries(
    Object.entries(each).map(([command, fields]) => [
      `${type} ${command}`,
      object({ type: Type.Literal(type), command: Type.Literal(command), ...fields }),
    ]),
  );
}

/** @throws SpellError invalid_argument naming the field */
export function checkRequest(value: unknown): KernelRequest {
  if (!isPlainObject(value)) throw badRequest("it must be an object");
  const { type, command } = value;
  const key = command === undefined ? String(type) : `${String(type)} ${String(command)}`;
  const schema = Object.hasOwn(SCHEMAS, key) ? SCHEMAS[key] : undefined;
  if (schema === undefined) throw badRequest(`no such request: ${JSON.stringify(key).slice(0, 80)}`, "type");
  const request = readAs(schema, value) as unknown as KernelRequest;
  if (request.type === "execute" && !isTextOrBytes(request.code))
    throw badRequest(`"code" must be text or bytes`, "code");
  return request;
}

function isTextOrBytes(value: unknown): boolean {
  return typeof value === "string" || value instanceof Uint8Array;
}
