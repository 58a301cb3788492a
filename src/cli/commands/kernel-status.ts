import { SpellError } from "../../core/errors.ts";
import { type KernelRow, kernelRows } from "../../kernel/found-kernels.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { wholeNumber } from "../whole-number.ts";

export const statusCommand: CommandDecl = {
  name: "status",
  aliases: ["list"],
  summary: "Show the kernels that run",
  args: [{ name: "id", doc: "Only this kernel, with all it says of itself", optional: true }],
  options: [
    { flag: "--id", short: "-i", value: "ID", doc: "Only this kernel, with all it says of itself" },
    {
      flag: "--format",
      short: "-f",
      value: "FORMAT",
      choices: ["table", "json", "yaml", "text"],
      doc: "How they are shown (default table, or json with --output json)",
    },
    { flag: "--quiet", short: "-q", doc: "Only the ids" },
    { flag: "--watch", short: "-w", doc: "Again and again, until Ctrl-C" },
    { flag: "--interval", value: "SECONDS", default: "5", doc: "Time between two looks of --watch" },
  ],
  run: status,
};

async function status(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const id = (args.id ?? options.id) as string | undefined;
  const intervalMs = wholeNumber("--interval", options.interval as string, 1) * 1000;
  const format = (options.format as string | undefined) ?? (io.mode === "text" ? "table" : "json");
  for (;;) {
    const rows = await kernelRows(io.env, id);
    if (id !== undefined && rows.length === 0)
      throw new SpellError("not_found", `Kernel '${id}' not found`, {
        hint: "`llmspell kernel list` shows the kernels that run",
      });
    show(io, rows, format, { quiet: options.quiet === true, detail: id !== undefined });
    if (options.watch !== true) return EXIT.ok;
    await Promise.race([
      Bun.sleep(intervalMs),
      new Promise((resolve) => io.signal.addEventListener("abort", resolve, { once: true })),
    ]);
    if (io.signal.aborted) return EXIT.ok;
  }
}

function show(
  io: CommandIo,
  rows: readonly KernelRow[],
  format: string,
  { quiet, detail }: { quiet: boolean; detail: boolean },
): void {
  if (quiet) for (const { kernel } of rows) io.out(kernel.id);
  else if (format === "json")
    io.json(
      rows.map(({ kernel, metrics, report }) => (detail ? { kernel, metrics, report } : { kernel, metrics })),
      io.mode === "pretty",
    );
  else if (rows.length === 0) io.out("No kernels currently running");
  else if (detail) for (const row of rows) io.out(detailOf(row));
  else if (format === "table") io.out(tableOf(rows));
  else for (const row of rows) io.out(lineOf(row));
}

/** The columns of one kernel as text. */
function cellsOf({ kernel, metrics }: KernelRow): string[] {
  return [
    kernel.id,
    String(kernel.pid),
    String(kernel.port),
    kernel.status,
    percent(metrics.cpu_percent),
    megabytes(metrics.memory_bytes),
    duration(metrics.uptime.secs),
  ];
}

function tableOf(rows: readonly KernelRow[]): string {
  const lines = [["ID", "PID", "Port", "Status", "CPU%", "Memory", "Uptime"], ...rows.map(cellsOf)];
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((cells) => Bun.stringWidth(cells[i]!))));
  return lines
    .map((cells) =>
      cells
        .map((cell, i) => cell + " ".repeat(widths[i]! - Bun.stringWidth(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function lineOf(row: KernelRow): string {
  const [id, pid, port, status, cpu, memory, uptime] = cellsOf(row);
  return `ID: ${id} PID=${pid} Port=${port} Status=${status} CPU=${cpu} Memory=${memory} Uptime=${uptime}`;
}

function detailOf(row: KernelRow): string {
  const { kernel, metrics, report } = row;
  const [, , , , cpu, memory, uptime] = cellsOf(row);
  const issues = (report?.issues as string[] | undefined) ?? [];
  const performance = report?.performance as
    | { requests: number; errors: number; duration_us: { p50: number | null; p99: number | null } }
    | undefined;
  const fields: [string, string][] = [
    ["Kernel", kernel.id],
    ["Status", kernel.status],
    ["Health", String(report?.health ?? "-")],
    ...issues.map((issue): [string, string] => ["Issue", issue]),
    ["PID", String(kernel.pid)],
    ["Port", String(kernel.port)],
    ["Engine", String(report?.engine ?? "-")],
    ["Clients", String(metrics.active_connections ?? "-")],
    ["Executions", String(report?.execution_count ?? "-")],
    ["Requests", performance === undefined ? "-" : `${performance.requests}, ${performance.errors} failed`],
    [
      "Answer time",
      performance === undefined
        ? "-"
        : `p50 ${milliseconds(performance.duration_us.p50)}, p99 ${milliseconds(performance.duration_us.p99)}`,
    ],
    ["CPU", cpu!],
    ["Memory", memory!],
    ["Uptime", uptime!],
    ["Last activity", metrics.last_activity ?? "-"],
    ["Connection file", kernel.connection_file],
    ["PID file", kernel.pid_file ?? "-"],
    ["Log file", kernel.log_file ?? "-"],
  ];
  const width = Math.max(...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width)} ${value}`).join("\n");
}

function percent(value: number | null): string {
  return value === null ? "-" : `${value.toFixed(1)}%`;
}

function megabytes(bytes: number | null): string {
  return bytes === null ? "-" : `${Math.round(bytes / 1024 / 1024)} MB`;
}

function milliseconds(us: number | null): string {
  return us === null ? "-" : `${(us / 1000).toFixed(1)} ms`;
}

function duration(seconds: number): string {
  const [d, h, m] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (d > 0) return `${d}d ${h}h`;
  if (h > 0) return `${h}h ${m}m`;
  return m > 0 ? `${m}m ${seconds % 60}s` : `${seconds}s`;
}
