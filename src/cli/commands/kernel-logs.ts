import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import { dataDirectory } from "../../core/paths.ts";
import { findKernels } from "../../kernel/connection-file.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { wholeNumber } from "../whole-number.ts";

const LOOK_EVERY_MS = 200;
const BLOCK_BYTES = 64 * 1024;

export const logsCommand: CommandDecl = {
  name: "logs",
  summary: "Show the log of a kernel",
  args: [
    {
      name: "id",
      doc: "The kernel, whether it still runs or not (default: the one started last)",
      optional: true,
    },
  ],
  options: [
    { flag: "--lines", short: "-n", value: "N", default: "50", doc: "Lines from the end" },
    { flag: "--follow", doc: "Wait for more, until Ctrl-C" },
  ],
  run: logs,
};

async function logs(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const path = logOf(io, args.id as string | undefined);
  const lines = wholeNumber("--lines", options.lines as string, 0);
  let fd = open(path);
  try {
    let at = startOfLast(fd, lines);
    at = copy(io, fd, at);
    while (options.follow === true && !io.signal.aborted) {
      await Bun.sleep(LOOK_EVERY_MS);
      at = copy(io, fd, at);
      if (fstatSync(fd).ino === (statSync(path, { throwIfNoEntry: false })?.ino ?? fstatSync(fd).ino))
        continue;
      closeSync(fd);
      fd = open(path);
      at = copy(io, fd, 0);
    }
  } finally {
    closeSync(fd);
  }
  return EXIT.ok;
}

/** @throws SpellError not_found */
function logOf(io: CommandIo, id: string | undefined): string {
  const running = findKernels(io.env);
  const kernel = id === undefined ? running[0] : running.find((found) => found.id === id);
  if (kernel !== undefined) {
    const { log_file } = kernel.connection;
    if (log_file !== undefined) return log_file;
    throw new SpellError("not_found", `Kernel '${kernel.id}' writes no log file: it logs to standard error`, {
      hint: "Start it with --log-file FILE",
    });
  }
  if (id === undefined)
    throw new SpellError("not_found", "No kernels currently running", {
      hint: "Give the id of one that ran, or start one with `llmspell kernel start --daemon`",
    });
  return join(dataDirectory(io.env), "logs", `kernel-${id}.log`);
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw ioError("Cannot read the log", path, error, "`llmspell kernel list` shows the kernels that run");
  }
}

/** Writes what stands from there on; gives where it ended. */
function copy(io: CommandIo, fd: number, from: number): number {
  const block = Buffer.alloc(BLOCK_BYTES);
  let at = from;
  for (;;) {
    const count = readSync(fd, block, 0, block.length, at);
    if (count === 0) return at;
    io.write(block.subarray(0, count));
    at += count;
  }
}

/** The offset of the line so many lines before the end. */
function startOfLast(fd: number, lines: number): number {
  const block = Buffer.alloc(BLOCK_BYTES);
  let end = fstatSync(fd).size;
  if (lines === 0) return end;
  let left = lines;
  let isLastByte = true;
  while (end > 0) {
    const start = Math.max(0, end - block.length);
    const count = readSync(fd, block, 0, end - start, start);
    for (let i = count - 1; i >= 0; i--) {
      const isNewline = block[i] === 0x0a && !isLastByte;
      isLastByte = false;
      if (isNewline && --left === 0) return start + i + 1;
    }
    end = start;
  }
  return 0;
}
