import type { KernelTarget } from "../kernel/address.ts";
import type { CommandDecl, OptionDecl, OptionValues } from "./command.ts";

/** Options of every command that can work in a kernel that runs (spec/cli.md sections 1.1 and 2). */
export const CONNECT_OPTIONS: readonly OptionDecl[] = [
  {
    flag: "--connect",
    value: "ADDRESS",
    doc: "Work in the kernel at host:port or tcp://host:port, of this connection file, or of this id",
  },
  {
    flag: "--kernel",
    value: "ID",
    env: "LLMSPELL_KERNEL_ID",
    doc: "Work in the running kernel of this id",
  },
];

/** The same commands, each with `--connect` and `--kernel`. */
export function connectable(commands: readonly CommandDecl[]): CommandDecl[] {
  return commands.map((command) => ({ ...command, options: [...command.options, ...CONNECT_OPTIONS] }));
}

/** What the options say; undefined for a command that has none of them and works in its own process. */
export function targetOf(command: CommandDecl, { connect, kernel }: OptionValues): KernelTarget | undefined {
  if (!command.options.includes(CONNECT_OPTIONS[0]!)) return undefined;
  return {
    ...(typeof connect === "string" ? { connect } : {}),
    ...(typeof kernel === "string" ? { kernel } : {}),
  };
}
