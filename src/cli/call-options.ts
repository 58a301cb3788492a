/** Options of `run` and `exec` that say how calls of models are counted, bounded, recorded or left out. */
import { resolve } from "node:path";
import { didYouMean } from "../core/nearest.ts";
import type { RunCalls } from "../kernel/api.ts";
import type { OptionDecl, OptionValues } from "./command.ts";
import { usageError } from "./usage.ts";

export const CALL_OPTIONS: readonly OptionDecl[] = [
  {
    flag: "--usage",
    doc: "Tell at the end what the calls of models took and cost: on stderr, or as `usage` in JSON",
  },
  {
    flag: "--budget",
    value: "LIMITS",
    doc: "What the run may spend on models: tokens=20000,cost=0.50,calls=20,time=5m (cost in USD)",
  },
  {
    flag: "--record",
    value: "FILE",
    doc: "Write to a new file all that the run takes from outside: models, HTTP, time, chance",
  },
  {
    flag: "--replay",
    value: "FILE",
    doc: "Take all that from such a file; no model is loaded and nothing is sent",
  },
  { flag: "--force", doc: "With --record: write over a file that is there" },
  { flag: "--dry-run", doc: "Call no model and no tool that has effects; list what would be called" },
];

/** Undefined where no option says anything. @throws SpellError usage */
export function runCalls(options: OptionValues, cwd: string): RunCalls | undefined {
  const { usage, budget, record, replay, force } = options;
  const dryRun = options["dry-run"] === true;
  const path = (value: unknown) => (typeof value === "string" ? resolve(cwd, value) : undefined);
  const [recordPath, replayPath] = [path(record), path(replay)];
  if (recordPath !== undefined && replayPath !== undefined)
    throw usageError("Cannot record a replay: --record and --replay exclude each other", "Leave one out");
  if (force === true && recordPath === undefined)
    throw usageError("--force goes with --record only", "Add --record FILE, or leave --force out");
  if (dryRun && (recordPath ?? replayPath) !== undefined)
    throw usageError(
      "Nothing is called in a dry run: --dry-run goes with neither --record nor --replay",
      "Leave one out",
    );
  const calls: RunCalls = {
    ...(usage === true ? { usage } : {}),
    ...(typeof budget === "string" ? { budget: readBudget(budget) } : {}),
    ...(recordPath === undefined ? {} : { record: { path: recordPath, overwrite: force === true } }),
    ...(replayPath === undefined ? {} : { replay: replayPath }),
    ...(dryRun ? { dryRun } : {}),
  };
  return Object.keys(calls).length === 0 ? undefined : calls;
}

/** @throws SpellError usage for what a kernel of another process cannot do */
export function refuseRemote({ record, replay, dryRun }: RunCalls = {}): void {
  const option = record ? "--record" : replay ? "--replay" : dryRun ? "--dry-run" : undefined;
  if (option === undefined) return;
  throw usageError(
    `Cannot use ${option} in a kernel that runs already`,
    "Leave out --connect and --kernel (or auto_connect)",
  );
}

const KEYS = ["tokens", "cost", "calls", "time"] as const;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function readBudget(text: string): NonNullable<RunCalls["budget"]> {
  const budget: NonNullable<RunCalls["budget"]> = {};
  for (const part of text.split(",")) {
    const [, key = "", value = ""] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    const refuse = (rule: string) =>
      usageError(
        `--budget: ${rule}: ${part.trim()}`,
        "Write --budget tokens=20000,cost=0.50,calls=20,time=5m",
      );
    switch (key) {
      case "tokens":
      case "calls":
        if (!/^\d{1,15}$/.test(value)) throw refuse(`${key} must be a whole number`);
        budget[key] = Number(value);
        break;
      case "cost": {
        const [, digits] = /^\$?(\d{1,12}(?:\.\d+)?)$/.exec(value) ?? [];
        if (digits === undefined) throw refuse("cost must be an amount of USD such as 0.50");
        budget.costUsd = Number(digits);
        break;
      }
      case "time": {
        const [, digits, unit = "s"] = /^(\d{1,9}(?:\.\d+)?)(ms|s|m|h)?$/.exec(value) ?? [];
        if (digits === undefined) throw refuse("time must be a duration such as 90s or 5m");
        budget.timeMs = Number(digits) * UNITS[unit]!;
        break;
      }
      default:
        throw refuse(`its keys are ${KEYS.join(", ")}${near(key)}`);
    }
  }
  return budget;
}

function near(key: string): string {
  const hint = didYouMean(key, KEYS);
  return hint === undefined ? "" : ` (${hint})`;
}
