import type { CommandDecl } from "../command.ts";
import { connectCommand } from "./kernel-connect.ts";
import { kernelspecCommand } from "./kernel-kernelspec.ts";
import { logsCommand } from "./kernel-logs.ts";
import { serviceCommands } from "./kernel-service.ts";
import { startCommand } from "./kernel-start.ts";
import { statusCommand } from "./kernel-status.ts";
import { stopCommand } from "./kernel-stop.ts";

export const command: CommandDecl = {
  name: "kernel",
  summary: "Start, stop and watch kernels that other programs connect to",
  options: [],
  subcommands: [
    startCommand,
    stopCommand,
    statusCommand,
    logsCommand,
    connectCommand,
    ...serviceCommands,
    kernelspecCommand,
  ],
};
