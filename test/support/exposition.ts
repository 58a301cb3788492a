/** A strict reader of Prometheus' text format 0.0.4, written from its description. */
export interface ExpositionFamily {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

/** @throws Error for whatever the format does not allow */
export function readExposition(text: string): Map<string, ExpositionFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, ExpositionFamily>();
  let current: { name: string; family: ExpositionFamily } | undefined;
  const seen = new Set<string>();
  for (const line of text.slice(0, -1).split("\n")) {
    const help = new RegExp(`^# HELP (${NAME}) (.*)$`).exec(line);
    const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line);
    if (help !== null) {
      const family = { type: "", help: help[2]!, samples: [] };
      if (families.has(help[1]!)) throw new Error(`twice: ${help[1]}`);
      current = { name: help[1]!, family };
      families.set(help[1]!, family);
    } else if (type !== null) {
      if (current === undefined || current.name !== type[1] || current.family.samples.length > 0)
        throw new Error(`TYPE comes late: ${line}`);
      current.family.type = type[2]!;
    } else {
      const sample = readSample(line);
      const key = `${sample.name} ${JSON.stringify(sample.labels)}`;
      if (seen.has(key)) throw new Error(`twice: ${key}`);
      seen.add(key);
      const endings = current?.family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!endings.some((ending) => sample.name === `${current?.name}${ending}`))
        throw new Error(`not of its family: ${line}`);
      current!.family.samples.push(sample);
    }
  }
  return families;
}

function readSample(line: string): ExpositionFamily["samples"][number] {
  const [, name, rest = "", number] = SAMPLE.exec(line) ?? [];
  if (name === undefined || number === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  let left = rest;
  while (left !== "") {
    const [whole, label, value] = LABEL.exec(left) ?? [];
    if (whole === undefined) throw new Error(`labels: ${line}`);
    labels[label!] = value!.replaceAll(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    left = left.slice(whole.length);
  }
  const value = /^[+-]?Inf$/.test(number) ? Number(`${number.replace("Inf", "Infinity")}`) : Number(number);
  if (Number.isNaN(value) && number !== "NaN") throw new Error(`no number: ${line}`);
  return { name, labels, value };
}
