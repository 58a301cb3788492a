/** What `llmspell doctor` shows people. */
import type { DoctorProblem } from "../kernel/api.ts";
import type { DoctorDocument } from "./commands/doctor.ts";

const LABEL_WIDTH = 15;

export function doctorText(document: DoctorDocument, isPretty: boolean): string {
  const { program, processor, memory, libraries, devices, store, configuration } = document;
  const lines: string[] = [];
  const row = (label: string, text: string) => lines.push(`${label.padEnd(LABEL_WIDTH)}${text}`);
  const more = (text: string) => row("", text);

  row(
    "Program",
    `llmspell ${program.version} for ${program.target}, Bun ${program.bun}, llama.cpp ${program.llama_cpp}`,
  );
  more(program.executable);
  row("Processor", processor.name ?? "unknown");
  more(
    `${count(processor.fast_cores, "fast core")} of ${processor.cores}, ${count(processor.allowed, "logical processor")} allowed${processor.quota === null ? "" : `, quota ${processor.quota}`}`,
  );
  more(`${count(processor.threads, "thread")}: ${processor.why}`);
  if (processor.library !== null) more(`${processor.library}: ${processor.features.join(" ")}`);
  row("NUMA", `${count(processor.numa_nodes, "node")}, threads ${processor.numa ?? "not spread"}`);
  row(
    "Memory",
    `${size(memory.free_bytes)} free of ${size(memory.total_bytes)}${memory.bound_by === "cgroup" ? ", bounded by a control group" : ""}`,
  );
  row("Libraries", libraries.directory ?? "not loaded");
  for (const { directory, problem } of libraries.places)
    more(`${mark(problem === null, isPretty)} ${directory}${problem === null ? "" : `: ${problem}`}`);
  for (const { file, problem } of libraries.backends)
    if (problem !== null) more(`${mark(false, isPretty)} ${file}: ${problem}`);
  row("Devices", `${devices.chosen ?? "none"}${devices.why === null ? "" : `: ${devices.why}`}`);
  for (const { name, description, type, free_bytes, total_bytes } of devices.found)
    more(`${name}: ${description} (${type}), ${size(free_bytes)} free of ${size(total_bytes)}`);
  if (devices.ran_on !== null) more(`the built-in model answers on ${devices.ran_on}`);
  row("Models", `${store.directory}, ${size(store.free_bytes)} free`);
  for (const { id, memory_bytes, fits } of store.models)
    more(
      `${mark(fits, isPretty)} ${id}${memory_bytes === null ? "" : `: ${size(memory_bytes)} of memory${fits ? "" : ", more than is free"}`}`,
    );
  row("Configuration", configuration.source ?? "not usable");
  for (const file of configuration.files)
    more(`${file}${file === configuration.source ? "" : " (not used)"}`);
  row("Profiles", document.profiles.join(", "));
  row("Network", document.network);
  return [...lines, ...problemLines(document.problems)].join("\n");
}

function problemLines(problems: readonly DoctorProblem[]): string[] {
  if (problems.length === 0) return ["", "No problems found"];
  return problems.flatMap(({ severity, message, hint }) => [
    "",
    `${severity === "error" ? "Error" : "Warning"}: ${message}`,
    ...(hint === null ? [] : [`  Next: ${hint}`]),
  ]);
}

const mark = (isGood: boolean, isPretty: boolean): string =>
  isPretty ? (isGood ? "✓" : "✗") : isGood ? "+" : "-";
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

function size(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
