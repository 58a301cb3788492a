/** Metrics in Prometheus' text format, version 0.0.4. */
import { Distribution, type Family } from "./instrument.ts";
import { labelText } from "./names.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Prometheus' base units: suffix, and by how much our numbers are divided. */
const UNITS: Readonly<Record<string, readonly [suffix: string, divisor: number]>> = {
  ms: ["_seconds", 1000],
  s: ["_seconds", 1],
  By: ["_bytes", 1],
};

/** `kernel.request.duration` in ms is `llmspell_request_duration_seconds`; a script's `a.b` is `llmspell_script_a_b`. */
function baseName({ name, unit, isScripted }: Omit<Family, "series">): string {
  const own = isScripted ? `script_${name}` : name.replace(/^kernel\./, "");
  return `llmspell_${own.replaceAll(/[^A-Za-z0-9_]/g, "_")}${UNITS[unit]?.[0] ?? ""}`;
}

function familyName(family: Omit<Family, "series">): string {
  return family.kind === "counter" ? `${baseName(family)}_total` : baseName(family);
}

/** The names that a metric takes in the text; no two metrics may share one. */
export function sampleNames(family: Omit<Family, "series">): string[] {
  const name = familyName(family);
  return family.kind === "histogram" ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

export function prometheusText(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const family of families) {
    const name = familyName(family);
    const divisor = UNITS[family.unit]?.[1] ?? 1;
    const help = family.description.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${family.kind}`);
    for (const { labels, value } of family.series) {
      if (!(value instanceof Distribution)) {
        lines.push(`${name}${labelText(labels)} ${number(value / divisor)}`);
        continue;
      }
      let below = 0;
      for (const [i, count] of value.counts.entries()) {
        below += count;
        const bound = value.bounds[i];
        const le = bound === undefined ? "+Inf" : String(bound / divisor);
        lines.push(`${name}_bucket${labelText({ ...labels, le })} ${below}`);
      }
      lines.push(`${name}_sum${labelText(labels)} ${number(value.sum / divisor)}`);
      lines.push(`${name}_count${labelText(labels)} ${value.count}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
