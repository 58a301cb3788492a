/** What each request of the protocol does (spec/kernel.md section 2.3). */
import { errorToJson, SpellError } from "../../../core/errors.ts";
import { shortVersion } from "../../../core/version.ts";
import type { KernelEvent, KernelReply, KernelRequest } from "../../api.ts";
import type { ExecutionHistory, HistoryQuery } from "../../history.ts";
import type { KernelHub } from "../../hub.ts";
import { customReply, customRequest } from "../custom.ts";
import { checkRequest } from "../requests.ts";
import type { JupyterClient } from "./clients.ts";
import {
  CompleteContent,
  HistoryContent,
  InspectContent,
  IsCompleteContent,
  ShutdownContent,
} from "./contents.ts";
import { eventRequest } from "./events.ts";
import { executeRequest } from "./execute.ts";
import type { Publish } from "./execution.ts";
import { type Fields, type Message, PROTOCOL_VERSION, readContent } from "./message.ts";
import { toCodePoints, toUtf16 } from "./positions.ts";

export interface Exchange {
  readonly message: Message;
  readonly hub: KernelHub;
  /** Registers it at its first request. @throws SpellError limit where there are too many */
  client(): JupyterClient;
  publish: Publish;
  /** Says that the request is at work now. Idempotent. */
  busy(): void;
  reply(content: Fields): void;
  /** A line from the client's user, its end included. */
  ask(prompt: string): Promise<Uint8Array>;
  history(): Promise<ExecutionHistory>;
  /** Called when the execution has ended and no other has begun. */
  ended?: (reply: KernelReply) => void;
}

type Handler = (exchange: Exchange) => Promise<Fields> | Fields;

function kernelInfo(): Fields {
  const version = shortVersion();
  return {
    status: "ok",
    protocol_version: PROTOCOL_VERSION,
    implementation: "llmspell",
    implementation_version: version,
    language_info: {
      name: "lua",
      version: "5.4",
      mimetype: "text/x-lua",
      file_extension: ".lua",
      pygments_lexer: "lua",
      codemirror_mode: "lua",
    },
    banner: `LLMSpell Kernel v${version} (lua)`,
    debugger: false,
    supported_features: [],
    help_links: [{ text: "Lua 5.4 reference", url: "https://www.lua.org/manual/5.4/" }],
  };
}

/** The fields of an `ok` reply. @throws SpellError the request's failure */
async function ask(exchange: Exchange, request: KernelRequest): Promise<Fields> {
  const reply: KernelReply = await exchange.client().request(request, { id: exchange.message.header.msg_id });
  if (reply.status === "ok") return reply as unknown as Fields;
  const { code, message, data, hint } = (reply as Extract<KernelReply, { status: "error" }>).error;
  throw new SpellError(code, message, { data: data ?? {}, ...(hint === undefined ? {} : { hint }) });
}

async function complete(exchange: Exchange): Promise<Fields> {
  const { code, cursor_pos } = readContent(CompleteContent, exchange.message.content);
  const found = await ask(exchange, { type: "complete", code, cursor: toUtf16(code, cursor_pos) });
  return {
    status: "ok",
    matches: found.matches,
    cursor_start: toCodePoints(code, found.cursor_start as number),
    cursor_end: toCodePoints(code, found.cursor_end as number),
    metadata: {},
  };
}

async function inspect(exchange: Exchange): Promise<Fields> {
  const { code, cursor_pos } = readContent(InspectContent, exchange.message.content);
  const found = await ask(exchange, { type: "inspect", code, cursor: toUtf16(code, cursor_pos) });
  const data = found.found ? { "text/plain": found.markdown, "text/markdown": found.markdown } : {};
  return { status: "ok", found: found.found, data, metadata: {} };
}

async function isComplete(exchange: Exchange): Promise<Fields> {
  const { code } = readContent(IsCompleteContent, exchange.message.content);
  const { state, indent } = await ask(exchange, { type: "is_complete", code });
  return state === "incomplete" ? { status: state, indent } : { status: state };
}

async function history(exchange: Exchange): Promise<Fields> {
  const content = readContent(HistoryContent, exchange.message.content);
  const { hist_access_type: type, session, start, stop, n, pattern, unique } = content;
  let query: HistoryQuery;
  if (type === "tail") query = { type, count: n ?? 100 };
  else if (type === "search") query = { type, pattern: pattern ?? "*", count: n ?? undefined, unique };
  else query = { type, session, start: start ?? 0, stop: stop ?? undefined };
  const entries = (await exchange.history()).find(query);
  return {
    status: "ok",
    history: entries.map((e) => [e.session, e.line, content.output ? [e.input, e.output] : e.input]),
  };
}

async function interrupt(exchange: Exchange): Promise<Fields> {
  exchange.client().interrupt();
  return { status: "ok" };
}

function shutdown(exchange: Exchange): Fields {
  const { restart } = readContent(ShutdownContent, exchange.message.content);
  const content = { status: "ok", restart };
  exchange.reply(content);
  exchange.publish("shutdown_reply", content);
  void exchange.hub.shutdown("shutdown_request", restart);
  return content;
}

/** The content is a message of the Debug Adapter Protocol, the reply's its response. */
async function debug(exchange: Exchange): Promise<Fields> {
  const request = checkRequest({ type: "debug", message: exchange.message.content });
  return (await ask(exchange, request)).message as Fields;
}

/** The messages of spec/kernel.md section 3, on the shell channel; undefined for a type that is none of them. */
export function customHandler(channel: string, { header, content }: Message): Handler | undefined {
  if (channel !== "shell") return undefined;
  const type = header.msg_type;
  let request: ReturnType<typeof customRequest>;
  try {
    request = customRequest(type, content);
  } catch (error) {
    return () => customReply({ status: "error", error: errorToJson(error) });
  }
  if (request === undefined) return undefined;
  return async (exchange) => {
    const onEvent = (event: KernelEvent) => {
      const { type, ...fields } = event;
      exchange.publish(type, fields);
    };
    return customReply(await exchange.client().request(request, { id: header.msg_id, onEvent }));
  };
}

export const SHELL: Readonly<Record<string, Handler>> = {
  kernel_info_request: kernelInfo,
  execute_request: executeRequest,
  complete_request: complete,
  inspect_request: inspect,
  is_complete_request: isComplete,
  history_request: history,
  comm_info_request: () => ({ status: "ok", comms: {} }),
  event_request: eventRequest,
  // where clients of protocol 5.2 and older send it
  shutdown_request: shutdown,
};

export const CONTROL: Readonly<Record<string, Handler>> = {
  kernel_info_request: kernelInfo,
  interrupt_request: interrupt,
  shutdown_request: shutdown,
  debug_request: debug,
};
