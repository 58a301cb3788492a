/**
 * The messages of spec/kernel.md section 3 beside Jupyter's own: their content as requests of the kernel, replies as
 * flat content. Keys are those of the specification (`show_schema`), which clients of the reference send.
 */
import { SpellError } from "../../core/errors.ts";
import { fromWire, toWire } from "../../core/wire-values.ts";
import type { KernelReply, KernelRequest } from "../api.ts";
import { badRequest } from "./openai/read.ts";
import { checkRequest } from "./requests.ts";

type Content = Readonly<Record<string, unknown>>;

/** How long a tool may take when the message does not say. */
const DEFAULT_INVOKE_SECONDS = 30;

/** By command: the fields of a request. What is undefined is left out. */
type Commands = Readonly<Record<string, (content: Content) => Content>>;

const TOOL: Commands = {
  list: ({ category }) => ({ category }),
  info: ({ name, show_schema = false }) => ({ name, showSchema: show_schema }),
  invoke: ({ name, params = {}, timeout = DEFAULT_INVOKE_SECONDS }) => ({
    name,
    params,
    timeoutSeconds: timeout,
  }),
  search: ({ query, category }) => ({ query: Array.isArray(query) ? query.join(" ") : query, category }),
  test: ({ name, verbose = false }) => ({ name, verbose }),
};

const MODEL: Commands = {
  list: ({ backend = "all" }) => ({ backend }),
  pull: ({ model, force = false, quantization }) => ({ model, force, quantization }),
  status: ({ backend }) => ({ backend }),
  info: ({ model }) => ({ model }),
  remove: ({ model }) => ({ model }),
  unload: ({ model }) => ({ model }),
  "install-ollama": () => ({}),
  available: ({ backend, recommended = false, query }) => ({ backend, recommended, query }),
};

const STATE: Commands = {
  get: ({ scope, key }) => ({ scope, key }),
  set: ({ scope, key, value = null }) => ({ scope, key, value }),
  delete: ({ scope, key }) => ({ scope, key }),
  list: ({ scope }) => ({ scope }),
  show: ({ scope, key }) => ({ scope, key }),
  clear: ({ scope, key }) => ({ scope, key }),
  export: ({ scope }) => ({ scope }),
  import: ({ state, value, merge = false }) => ({ state: state ?? value, merge }),
  check: () => ({}),
};

const SESSION: Commands = {
  list: () => ({}),
  show: ({ id, session_id }) => ({ id: id ?? session_id }),
  delete: ({ id, session_id }) => ({ id: id ?? session_id }),
  replay: ({ id, session_id, from_step, to_step, run, modifications }) => ({
    id: id ?? session_id,
    fromStep: from_step,
    toStep: to_step,
    run,
    modifications,
  }),
  create: ({ name }) => ({ name }),
};

const FAMILIES: Readonly<Record<string, { type: string; commands: Commands }>> = {
  tool_request: { type: "tool", commands: TOOL },
  model_request: { type: "model", commands: MODEL },
  state_request: { type: "state", commands: STATE },
  session_request: { type: "session", commands: SESSION },
};

/** Messages of the specification that this kernel cannot answer yet, and what they ask for. */
const MISSING: Readonly<Record<string, string>> = {
  template_request: "templates",
  memory_request: "memory",
  context_request: "context",
};

/**
 * What the message asks of the kernel; undefined for a type that is not one of these.
 * @throws SpellError invalid_argument for content that says something else, not_found for what this kernel lacks
 */
export function customRequest(messageType: string, content: Content): KernelRequest | undefined {
  if (messageType === "kernel_status_request") return { type: "kernel_status" };
  if (Object.hasOwn(MISSING, messageType))
    throw new SpellError(
      "not_found",
      `Cannot answer ${messageType}: this kernel keeps no ${MISSING[messageType]} yet`,
    );
  const family = Object.hasOwn(FAMILIES, messageType) ? FAMILIES[messageType] : undefined;
  if (family === undefined) return undefined;
  const { type, commands } = family;
  const command = String(content.command);
  const fieldsOf = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (fieldsOf === undefined)
    throw badRequest(`Unknown ${type} command: ${command}`, "command", knownCommands(commands));
  const given = fieldsOf(fromWire(content) as Content);
  const fields = Object.entries(given).filter(
    ([name, value]) => value !== undefined && (value !== null || name === "value"),
  );
  return checkRequest({ type, command, ...Object.fromEntries(fields) });
}

function knownCommands(commands: Commands): string {
  return `Known: ${Object.keys(commands).join(", ")}`;
}

/** `error` is text here; what the failure's data says stands beside it (`tool`, `error_type`, `timeout_secs`, …). */
export function customReply(reply: KernelReply): Record<string, unknown> {
  const flat = reply.status === "error" ? errorFields(reply.error) : { ...reply };
  return toWire(flat) as Record<string, unknown>;
}

function errorFields({
  code,
  message,
  hint,
  data = {},
}: Extract<KernelReply, { status: "error" }>["error"]): Content {
  return {
    ...data,
    ...(data.error_type === "validation_error" ? { validation_errors: [message] } : {}),
    status: "error",
    error: message,
    error_code: code,
    hint,
  };
}
