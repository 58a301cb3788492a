/** Asking the kernel for a command: the reply's fields, or the failure with what was tried before it. */
import { errorFromJson } from "../core/errors.ts";
import type { KernelRequest } from "../kernel/api.ts";
import type { CommandIo } from "./command.ts";
import { ProgressLine } from "./progress.ts";

export type ReplyFields = Record<string, unknown>;

/**
 * Long work shows its progress on a terminal.
 * @param what put before the failure's text: `Model info error`; empty: the text stands alone
 * @throws SpellError of the kernel's code
 */
export async function ask(io: CommandIo, what: string, request: KernelRequest): Promise<ReplyFields> {
  const kernel = await io.kernel();
  const progress = new ProgressLine(io);
  const reply = await kernel.request(request, {
    signal: io.signal,
    onEvent: (event) => {
      if (event.type === "progress") progress.show(event.label, event.done, event.total);
      if (event.type === "model_progress") progress.pull(event);
      if (event.type === "stream" && typeof event.text === "string") io.err(event.text.trimEnd());
    },
  });
  progress.clear();
  if (reply.status === "error") {
    const { code, message, ...rest } = reply.error;
    throw errorFromJson({ ...rest, code, message: what === "" ? message : `${what}: ${message}` });
  }
  const { status: _, ...fields } = reply;
  return fields;
}

/** An object without a layout of its own: indented JSON, one line in text mode. */
export function showObject(io: CommandIo, value: unknown, mode: string = io.mode): void {
  if (mode === "json") io.json(value, true);
  else io.out(JSON.stringify(value, null, mode === "pretty" ? 2 : undefined));
}
