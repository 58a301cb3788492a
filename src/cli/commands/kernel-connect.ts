import { SpellError } from "../../core/errors.ts";
import type { KernelTarget } from "../../kernel/address.ts";
import { findKernels } from "../../kernel/connection-file.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { runRepl } from "../repl/repl.ts";
import { usageError } from "../usage.ts";

export const connectCommand: CommandDecl = {
  name: "connect",
  summary: "Type code at the prompt of a kernel that runs",
  args: [
    {
      name: "address",
      doc: "host:port, tcp://host:port, a connection file or an id (default: the kernel started last)",
      optional: true,
    },
  ],
  options: [{ flag: "--connection-file", short: "-f", value: "FILE", doc: "The kernel of this file" }],
  run: (io, args, options) => runRepl(io, { engine: "lua", target: targetOf(io, args, options) }),
};

/** @throws SpellError usage, not_found */
function targetOf(io: CommandIo, args: ArgValues, options: OptionValues): KernelTarget {
  const given = [args.address, options["connection-file"]].filter((value) => value !== undefined);
  if (given.length > 1)
    throw usageError(
      "Cannot connect: an address and --connection-file both name a kernel",
      "Give one of them",
    );
  const connect = (given[0] as string | undefined) ?? findKernels(io.env)[0]?.path;
  if (connect !== undefined) return { connect };
  throw new SpellError("not_found", "No kernels currently running", {
    hint: "Start one with `llmspell kernel start --daemon`",
  });
}
