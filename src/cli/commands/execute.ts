/** What `run` and `exec` share: running code in the kernel and showing what comes of it. */
import { errorFromJson } from "../../core/errors.ts";
import { documentValue } from "../../core/json.ts";
import type {
  ExecuteReply,
  ExecuteRequest,
  KernelClient,
  KernelEvent,
  PlannedCalls,
  UsageReport,
} from "../../kernel/api.ts";
import { CALL_OPTIONS, refuseRemote, runCalls } from "../call-options.ts";
import type { CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { CONNECT_OPTIONS } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";
import { writeAll } from "../output.ts";
import { ProgressLine } from "../progress.ts";
import { usageError } from "../usage.ts";

export const ENGINE_OPTION: OptionDecl = {
  flag: "--engine",
  value: "NAME",
  default: "lua",
  choices: ["lua", "javascript", "js", "python"],
  env: "LLMSPELL_ENGINE",
  doc: "Script language",
};

export const STREAM_OPTION: OptionDecl = {
  flag: "--stream",
  doc: "Print the agents' answers token by token as they come",
};

export const EXECUTE_OPTIONS: readonly OptionDecl[] = [
  ...CONNECT_OPTIONS,
  ENGINE_OPTION,
  STREAM_OPTION,
  ...CALL_OPTIONS,
];

export interface Executed {
  mode: KernelClient["mode"];
  reply: ExecuteReply;
  /** Lines the script printed, kept only in JSON mode. */
  console: string[];
  /** What the run has asked of models, and would have; where it was asked for. */
  told: ToldCalls;
}

interface ToldCalls {
  usage?: UsageReport;
  planned?: PlannedCalls;
}

/** @throws SpellError usage */
export function checkEngine(options: OptionValues): "lua" {
  const engine = options.engine === "js" ? "javascript" : options.engine;
  if (engine === "javascript")
    throw usageError(
      "Script engine 'javascript' is not available yet. Coming in Phase 15",
      "Use `--engine lua`",
    );
  if (engine === "python")
    throw usageError("Script engine 'python' is not available yet. Coming in Phase 22", "Use `--engine lua`");
  return "lua";
}

/**
 * Runs the code; its output goes to stdout as it comes, or is kept in JSON mode.
 * @throws SpellError the script's failure
 */
export async function execute(io: CommandIo, bare: ExecuteRequest, options: OptionValues): Promise<Executed> {
  const calls = runCalls(options, io.cwd);
  const request = calls === undefined ? bare : { ...bare, calls };
  const kernel = await io.kernel();
  if (kernel.mode === "connected") refuseRemote(calls);
  const told: ToldCalls = {};
  const closed = new AbortController();
  const screen = new Screen(io, request.stream);
  let failure: unknown;
  const reply = await kernel.request(request, {
    signal: AbortSignal.any([io.signal, closed.signal]),
    onInput: (prompt) => io.inputLine(prompt),
    isAttended: () => io.isTty.stdin,
    onEvent: (event) => {
      if (failure !== undefined) return;
      if (event.type === "usage") told.usage = event.usage;
      if (event.type === "planned") told.planned = event.planned;
      try {
        screen.show(event);
      } catch (error) {
        failure = error;
        closed.abort(error);
      }
    },
  });
  if (failure !== undefined) throw failure;
  screen.end();
  const console = screen.lines();
  if (io.mode !== "json") await showTold(io, told);
  if (reply.status === "ok")
    return { mode: kernel.mode, reply: { ...reply, value: documentValue(reply.value) }, console, told };
  const { data, ...error } = reply.error;
  throw errorFromJson({ ...error, data: { ...data, ...(io.mode === "json" ? { console, ...told } : {}) } });
}

async function showTold(io: CommandIo, { usage, planned }: ToldCalls): Promise<void> {
  if (usage === undefined && planned === undefined) return;
  const { plannedText, usageText } = await import("../calls-text.ts");
  if (planned !== undefined) io.err(plannedText(planned));
  if (usage !== undefined) io.err(usageText(usage));
}

/** Shows kernel events: output and tokens on stdout, progress on a terminal's stderr. */
class Screen {
  private kept = "";
  private readonly decoder = new TextDecoder();
  private tokenLineOpen = false;
  private readonly progress: ProgressLine;

  constructor(
    private readonly io: CommandIo,
    private readonly tokens: boolean,
  ) {
    this.progress = new ProgressLine(io);
  }

  show(event: KernelEvent): void {
    if (event.type === "progress") this.progress.show(event.label, event.done, event.total);
    else if (event.type === "model_progress") this.progress.pull(event);
    else if (event.type === "display") this.show({ type: "stream", stream: "stdout", text: event.text });
    else if (event.type === "token" && this.tokens && this.io.mode !== "json") {
      this.progress.clear();
      this.io.write(event.text);
      this.tokenLineOpen = !event.text.endsWith("\n");
    } else if (event.type === "stream") {
      this.progress.clear();
      if (event.stream === "stderr") writeAll(2, event.text);
      else if (this.io.mode === "json") this.keep(event.text);
      else {
        this.endTokenLine();
        this.io.write(event.text);
      }
    }
  }

  private keep(text: string | Uint8Array): void {
    this.kept += typeof text === "string" ? text : this.decoder.decode(text, { stream: true });
  }

  private endTokenLine(): void {
    if (this.tokenLineOpen) this.io.write("\n");
    this.tokenLineOpen = false;
  }

  end(): void {
    this.progress.clear();
    if (this.io.mode !== "json") this.endTokenLine();
  }

  lines(): string[] {
    if (this.kept === "") return [];
    return this.kept.replace(/\n$/, "").split("\n");
  }
}

/** The JSON document of spec/cli.md sections 5 and 6; `head` holds the fields that differ. */
export function executedDocument(
  head: Record<string, unknown>,
  { mode, reply, console, told }: Executed,
): Record<string, unknown> {
  const parts = [...console];
  if (reply.value !== null) parts.push(JSON.stringify(reply.value));
  return {
    status: "success",
    mode,
    ...head,
    result: parts.join("\n"),
    console,
    output: reply.value,
    ...(reply.exitCode === undefined ? {} : { exit_code: reply.exitCode }),
    duration_ms: Math.round(reply.durationMs * 1000) / 1000,
    ...told,
  };
}

export function exitCodeOfReply(reply: ExecuteReply): number {
  return reply.exitCode ?? EXIT.ok;
}
