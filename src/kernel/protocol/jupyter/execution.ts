/** One execution as Jupyter's front ends see it: what is published while it runs, and its reply. */
import { type ErrorJson, SpellError } from "../../../core/errors.ts";
import type { ExecuteReply, KernelEvent, KernelReply } from "../../api.ts";
import { displayData, errorFields } from "./display.ts";
import type { Fields } from "./message.ts";

/** Output that comes in quick succession is told in one message, so late at most. */
const GATHER_MS = 5;
const GATHER_CHARACTERS = 8192;

export type Publish = (type: string, content: Fields, metadata?: Fields) => void;

export class ExecutionOutput {
  private gathered: { name: "stdout" | "stderr"; text: string } | undefined;
  private timer: Timer | undefined;
  private readonly decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  /** @param showsAll also what only our own clients understand: tokens and progress */
  constructor(
    private readonly publish: Publish,
    private readonly showsAll: boolean,
  ) {}

  started(code: string, executionCount: number): void {
    this.publish("execute_input", { code, execution_count: executionCount });
  }

  event(event: KernelEvent): void {
    if (event.type === "stream") this.stream(event.stream, event.text);
    else if (event.type === "display") {
      this.flush();
      this.publish("display_data", { data: shownValue(event.value), metadata: {}, transient: {} });
    } else if (this.showsAll && event.type !== "input") {
      const { type, ...content } = event;
      this.flush();
      this.publish(type, content);
    }
  }

  private stream(name: "stdout" | "stderr", text: string | Uint8Array): void {
    const shown = typeof text === "string" ? text : this.decoders[name].decode(text, { stream: true });
    if (shown === "") return;
    if (this.gathered?.name !== name) this.flush();
    this.gathered = { name, text: (this.gathered?.text ?? "") + shown };
    if (this.gathered.text.length >= GATHER_CHARACTERS) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Publishes the output that was gathered: before anything that comes after it. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.gathered !== undefined) this.publish("stream", this.gathered);
    this.gathered = undefined;
  }

  /** Publishes how it ended and gives the content of the reply. */
  ended(reply: KernelReply, executionCount: number, silent: boolean): Fields {
    this.flush();
    if (reply.status === "error") {
      const error = (reply as { error: ErrorJson }).error;
      const fields = errorFields(error, error.code === "interrupted" ? "Interrupted" : "ExecutionError");
      this.publish("error", fields);
      if (error.code === "limit" && error.data?.limit === "time")
        return { status: "aborted", execution_count: executionCount };
      return { status: "error", execution_count: executionCount, ...fields };
    }
    const { value } = reply as ExecuteReply;
    if (!silent && value !== null) {
      const shown = shownValue(value);
      this.publish("execute_result", { execution_count: executionCount, data: shown, metadata: {} });
    }
    return { status: "ok", execution_count: executionCount, user_expressions: {}, payload: [] };
  }
}

/** A value that JSON cannot say, such as a function, is named instead. */
export function shownValue(value: unknown): Fields {
  try {
    return displayData(value);
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    return { "text/plain": error.message };
  }
}
