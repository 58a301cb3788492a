import type { DebugReply, DebugRequest } from "../api.ts";

/** Answers a client of the Debug Adapter Protocol that there is nothing to debug with, in the protocol's own form. */
export class MissingDebugger {
  private sent = 0;

  answer({ message: { seq, command } }: DebugRequest): DebugReply {
    const format = `Cannot run "${command}": this kernel has no debugger`;
    return {
      status: "ok",
      message: {
        seq: ++this.sent,
        type: "response",
        request_seq: seq,
        command,
        success: false,
        message: format,
        body: { error: { id: 1, format, showUser: true } },
      },
    };
  }
}
