import { resolve } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { findKernels } from "../../kernel/connection-file.ts";
import { type StopTarget, stopKernel, targetOfPidFile } from "../../kernel/daemon/stop.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { usageError } from "../usage.ts";
import { wholeNumber } from "../whole-number.ts";

export const stopCommand: CommandDecl = {
  name: "stop",
  summary: "Stop kernels",
  details:
    "Asks with SIGTERM, and ends what has not ended after the timeout with SIGKILL. The log file stays.",
  args: [{ name: "id", doc: "The kernel", optional: true }],
  options: [
    { flag: "--id", short: "-i", value: "ID", doc: "The kernel" },
    { flag: "--pid-file", value: "FILE", doc: "The kernel that holds this PID file" },
    { flag: "--all", doc: "Every kernel of this user" },
    { flag: "--force", doc: "SIGKILL at once: what runs is lost" },
    { flag: "--timeout", value: "SECONDS", default: "30", doc: "Time for an orderly end" },
    { flag: "--no-cleanup", doc: "Leave the connection file and the PID file" },
  ],
  run: stop,
};

async function stop(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const targets = targetsOf(io, args, options);
  const how = {
    force: options.force === true,
    timeoutMs: wholeNumber("--timeout", options.timeout as string, 0) * 1000,
    cleanUp: options["no-cleanup"] !== true,
    signal: io.signal,
  };
  if (targets.length === 0) {
    if (io.mode === "json") io.json({ status: "ok", stopped: [] });
    else io.out("No kernels found to stop");
    return EXIT.ok;
  }
  const failures: unknown[] = [];
  const stopped: string[] = [];
  for (const target of targets) {
    const { id, pid } = target;
    try {
      if (io.mode !== "json") io.out(`Stopping kernel ${id} (PID: ${pid})`);
      await stopKernel(target, how, (seconds) => io.err(`Waiting for kernel ${id} to end: ${seconds} s`));
      stopped.push(id);
      if (io.mode !== "json") io.out(`✓ Kernel ${id} stopped successfully`);
    } catch (error) {
      if (targets.length === 1) throw error;
      io.err(`Cannot stop kernel ${id}: ${messageOf(error)}`);
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new SpellError("io", `Cannot stop ${failures.length} kernel(s): ${stopped.length} stopped`, {
      cause: failures[0],
    });
  if (io.mode === "json") io.json({ status: "ok", stopped });
  else if (options.all === true) io.out(`✓ Successfully stopped ${stopped.length} kernel(s)`);
  return EXIT.ok;
}

/** @throws SpellError usage, not_found */
function targetsOf(io: CommandIo, args: ArgValues, options: OptionValues): StopTarget[] {
  const id = (args.id ?? options.id) as string | undefined;
  const pidFile = options["pid-file"] as string | undefined;
  const all = options.all === true;
  if (id !== undefined && pidFile !== undefined)
    throw usageError("Cannot stop a kernel: --id and --pid-file both name one", "Give one of them");
  if (all && (id !== undefined || pidFile !== undefined))
    throw usageError("Cannot stop kernels: --all names all of them", "Give either --all or one kernel");
  if (!all && id === undefined && pidFile === undefined)
    throw usageError(
      "Cannot stop a kernel: none is named",
      "Give its id, --pid-file FILE or --all; `llmspell kernel list` shows the kernels that run",
    );
  const running = findKernels(io.env).map(
    ({ id, path, connection }): StopTarget => ({
      id,
      pid: connection.pid,
      connectionFile: path,
      pidFile: connection.pid_file,
    }),
  );
  if (all) return running;
  if (pidFile !== undefined) return [targetOfPidFile(resolve(io.cwd, pidFile), running)];
  const found = running.filter((target) => target.id === id);
  if (found.length > 0) return found;
  throw new SpellError("not_found", `Kernel '${id}' not found`, {
    hint: "`llmspell kernel list` shows the kernels that run",
  });
}
