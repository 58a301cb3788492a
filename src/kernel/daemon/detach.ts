/**
 * Leaving the terminal without a fork: this program again, in a session of its own, without standard streams, which
 * says on a pipe how its start went. What a double fork achieves (spec/kernel.md section 9), as far as one can see.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorJson, errorFromJson, messageOf, SpellError } from "../../core/errors.ts";
import { ownCommand } from "../../core/self.ts";

/** Where the child writes its one line of JSON. */
const REPORT_FD = 3;
const READY_WITHIN_MS = 10_000;

export interface DetachOptions {
  /** The command line of the child. */
  words: readonly string[];
  env: Record<string, string | undefined>;
  /** Appended to; undefined: nowhere. */
  stdoutPath: string | undefined;
  stderrPath: string | undefined;
}

type Report =
  | { status: "started"; document: Record<string, unknown> }
  | { status: "error"; error: ErrorJson };

/** Waits until the child is ready. @returns what the child said of itself @throws SpellError its failure; timeout, io */
export async function startDetached(options: DetachOptions): Promise<Record<string, unknown>> {
  const streams = [openSync("/dev/null", "r"), appendTo(options.stdoutPath), appendTo(options.stderrPath)];
  const child = Bun.spawn(ownCommand(...options.words), {
    detached: true,
    env: options.env,
    stdio: [streams[0]!, streams[1]!, streams[2]!, "pipe"],
  });
  for (const fd of streams) closeSync(fd);
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_WITHIN_MS);
  const line = await new Response(Bun.file(child.stdio[REPORT_FD] as unknown as number).stream()).text();
  clearTimeout(timer);
  if (line === "") throw noReport(await child.exited, child.signalCode, options.stderrPath);
  child.unref();
  const report = JSON.parse(line) as Report;
  if (report.status === "error") throw errorFromJson(report.error);
  return report.document;
}

/** Called by the child, once. The parent then ends. */
export function reportToParent(report: Report): void {
  writeSync(REPORT_FD, `${JSON.stringify(report)}\n`);
  closeSync(REPORT_FD);
}

function appendTo(path: string | undefined): number {
  if (path === undefined) return openSync("/dev/null", "w");
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, "a", 0o640);
  } catch (cause) {
    throw new SpellError("io", `Cannot write to ${path}: ${messageOf(cause)}`, { cause });
  }
}

function noReport(
  code: number,
  signal: NodeJS.Signals | number | null,
  stderrPath: string | undefined,
): SpellError {
  const hint = stderrPath === undefined ? {} : { hint: `What it said stands in ${stderrPath}` };
  if (signal === "SIGKILL")
    return new SpellError(
      "timeout",
      `Cannot start the kernel: not ready within ${READY_WITHIN_MS / 1000} s`,
      hint,
    );
  return new SpellError(
    "internal",
    `Cannot start the kernel: it ended with ${signal ?? `code ${code}`}`,
    hint,
  );
}
