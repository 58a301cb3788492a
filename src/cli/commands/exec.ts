import type { CommandDecl } from "../command.ts";
import { scriptArguments } from "../script-args.ts";
import { checkEngine, EXECUTE_OPTIONS, execute, executedDocument, exitCodeOfReply } from "./execute.ts";

export const command: CommandDecl = {
  name: "exec",
  summary: "Run a piece of code",
  details: "A value that the code returns is printed as JSON on a line of its own.",
  options: EXECUTE_OPTIONS,
  args: [{ name: "code", doc: "Source text of the code" }],
  async run(io, args, options) {
    const language = checkEngine(options);
    const code = new TextEncoder().encode(args.code as string);
    const stream = options.stream === true;
    const done = await execute(
      io,
      {
        type: "execute",
        code,
        name: "exec",
        args: scriptArguments("exec", []),
        language,
        stream,
      },
      options,
    );
    if (io.mode === "json") io.json(executedDocument({ code_length: code.length, streaming: stream }, done));
    else if (done.reply.value !== null) io.out(JSON.stringify(done.reply.value));
    return exitCodeOfReply(done.reply);
  },
};
