import { readFileSync } from "node:fs";
import { openPortEarly } from "../core/early-ports.ts";

const CHANNELS = ["control", "shell", "iopub", "stdin", "hb"];
const OTHERWISE = ["--daemon", "--dry-run", "--help", "-h"];

/**
 * Opens the ports of a kernel that Jupyter starts before anything is loaded: clients connect as soon as the process is
 * there, and one that is refused comes again after 100 to 200 ms only (libzmq's interval). Leaves every mistake on the
 * command line and in the file to those who read them in earnest.
 */
export function openKernelPorts(argv: readonly string[]): void {
  const at = argv.indexOf("kernel");
  if (at === -1 || argv[at + 1] !== "start" || argv.some((word) => OTHERWISE.includes(word))) return;
  const path = connectionFileOf(argv);
  if (path === undefined) return;
  let file: Record<string, unknown>;
  try {
    file = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return;
  }
  if (file.pid !== undefined || typeof file.ip !== "string") return; // a kernel of ours wrote it
  for (const channel of CHANNELS) {
    const port = file[`${channel}_port`];
    if (typeof port === "number" && port > 0) openPortEarly(file.ip, port);
  }
}

function connectionFileOf(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((word) => word === "--connection-file" || word === "-f");
  if (at !== -1) return argv[at + 1];
  return argv.find((word) => word.startsWith("--connection-file="))?.slice("--connection-file=".length);
}
