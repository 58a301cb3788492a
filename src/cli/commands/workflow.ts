import { basename } from "node:path";
import { blake3Hex } from "../../core/blake3.ts";
import { SpellError } from "../../core/errors.ts";
import { documentValue } from "../../core/json.ts";
import { printableLine } from "../../core/printable.ts";
import { plainText } from "../../core/shown.ts";
import type { ScriptArguments } from "../../kernel/api.ts";
import { ask, type ReplyFields } from "../ask.ts";
import { CALL_OPTIONS } from "../call-options.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { connectable } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";
import { usageError } from "../usage.ts";
import { execute, executedDocument, exitCodeOfReply, STREAM_OPTION } from "./execute.ts";
import { readScript } from "./run.ts";

const id = { name: "id", doc: "Id of the run, as `workflow list` shows it" };
const decision = (flag: `--${string}`, doc: string): OptionDecl => ({
  flag,
  value: "STEP",
  repeat: true,
  doc,
});

export const command: CommandDecl = {
  name: "workflow",
  summary: "List, show, resume and cancel durable workflow runs",
  details:
    "Runs that scripts began with `durable = true` or a `run_id`: what they did is in the journal of the data directory.",
  options: [],
  subcommands: connectable([
    { name: "list", summary: "List the runs, the newest first", options: [], run: list },
    { name: "show", summary: "Show a run and its steps", options: [], args: [id], run: show },
    {
      name: "resume",
      summary: "Run the script of a run again, so that the run goes on where it stopped",
      details:
        "Steps that have ended are not done again. A step that was begun and did not end is done again where it is repeatable; else say what is to be done about it.",
      options: [
        decision("--retry", "Do this step again, by its path in the journal; may be given several times"),
        decision("--skip", "Pass over this step as done, without an output; may be given several times"),
        STREAM_OPTION,
        ...CALL_OPTIONS,
      ],
      args: [id],
      run: resume,
    },
    {
      name: "cancel",
      summary: "End a run for good",
      details: "One that runs in another process is ended there, with the agents and tools at work.",
      options: [],
      args: [id],
      run: cancel,
    },
    { name: "delete", summary: "Forget a run and its journal", options: [], args: [id], run: remove },
  ]),
};

async function list(io: CommandIo): Promise<number> {
  const reply = await ask(io, "", { type: "workflow", command: "list" });
  const runs = reply.runs as ReplyFields[];
  if (io.mode === "json") io.json({ runs, count: reply.count });
  else if (runs.length === 0) io.out("No workflow runs found");
  else for (const row of table(runs)) io.out(row);
  return EXIT.ok;
}

function table(runs: readonly ReplyFields[]): string[] {
  const rows = [
    ["ID", "WORKFLOW", "TYPE", "STATUS", "STEPS", "BEGUN"],
    ...runs.map((run) =>
      [run.id, run.workflow, run.type, run.status, run.steps_done, run.begun_at].map(shown),
    ),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
}

async function show(io: CommandIo, args: ArgValues): Promise<number> {
  const { run } = (await ask(io, "", { type: "workflow", command: "show", id: args.id as string })) as {
    run: ReplyFields;
  };
  if (io.mode === "json") {
    io.json({ run: documentValue(run) });
    return EXIT.ok;
  }
  const steps = run.steps as ReplyFields[];
  const lines = [
    `Run: ${shown(run.id)}`,
    `Workflow: ${shown(run.workflow)} (${run.type})`,
    `Status: ${run.status}${run.process === null ? "" : ` in process ${run.process}`}`,
    ...(run.error === null ? [] : [`Error: ${shown(run.error)}`]),
    `Script: ${shown(run.script ?? "-")}`,
    `Begun: ${run.begun_at}, started ${run.starts} time${run.starts === 1 ? "" : "s"}`,
    ...(run.ended_at === null ? [] : [`Ended: ${run.ended_at}`]),
    "",
    `Steps (${steps.length}):`,
    ...steps.map((step) => `  ${stepLine(step)}`),
  ];
  io.out(lines.join("\n"));
  return EXIT.ok;
}

const LONGEST_OUTPUT = 60;

function stepLine({ path, type, target, status, duration_ms, output, error }: ReplyFields): string {
  const took = duration_ms === null ? "" : ` (${duration_ms} ms)`;
  const words = error ?? (typeof output === "string" ? output : plainText(documentValue(output)));
  const text = output === null && error === null ? "" : `: ${shown(words)}`;
  const short = text.length > LONGEST_OUTPUT ? `${text.slice(0, LONGEST_OUTPUT)}…` : text;
  return `${shown(path)}  ${type} ${shown(target)}  ${status}${took}${short}`;
}

/** Names and outputs are of unknown origin. */
const shown = (value: unknown): string => printableLine(String(value));

async function resume(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const run = args.id as string;
  if (options["dry-run"] === true || options.replay !== undefined)
    throw usageError(
      `Cannot resume workflow run "${run}" without doing anything: --dry-run and --replay are for \`llmspell run\``,
      `\`llmspell workflow show ${run}\` tells what is still to be done`,
    );
  const decided = (name: string) => (options[name] as string[] | undefined) ?? [];
  const before = (await ask(io, "", { type: "workflow", command: "show", id: run })) as { run: ReplyFields };
  // a script that is not there is no reason to note decisions
  const bytes = before.run.script === null ? new Uint8Array() : await readScript(before.run.script as string);
  const reply = await ask(io, "", {
    type: "workflow",
    command: "prepare",
    id: run,
    retry: decided("retry"),
    skip: decided("skip"),
  });
  const script = reply.script as string;
  const hasChanged = reply.script_hash !== null && (await blake3Hex(bytes)) !== reply.script_hash;
  if (hasChanged && io.mode !== "json") io.err(`The script has changed since the run began: ${script}`);
  const done = await execute(
    io,
    {
      type: "execute",
      code: bytes,
      name: script,
      path: script,
      args: reply.arguments as ScriptArguments,
      language: "lua",
      stream: options.stream === true,
      resume: reply.resume as string,
    },
    options,
  );
  const after = (await ask(io, "", { type: "workflow", command: "show", id: run })) as { run: ReplyFields };
  if (after.run.status === "stopped")
    throw new SpellError(
      "not_found",
      `Cannot resume workflow run "${run}": the script has ended without going on with it: ${basename(script)}`,
      { hint: "A durable run without a run_id is found again by its number among those of the script" },
    );
  if (io.mode === "json") {
    const head = { run_id: run, run_status: after.run.status, script, script_changed: hasChanged };
    io.json(executedDocument(head, done));
  }
  return exitCodeOfReply(done.reply);
}

async function cancel(io: CommandIo, args: ArgValues): Promise<number> {
  const request = { type: "workflow", command: "cancel", id: args.id as string } as const;
  const { run_id, outcome } = await ask(io, "", request);
  if (io.mode === "json") io.json({ status: outcome, run_id });
  else if (outcome === "requested") io.out(`✓ Asked the process that runs it to end workflow run: ${run_id}`);
  else io.out(`✓ Cancelled workflow run: ${run_id}`);
  return EXIT.ok;
}

async function remove(io: CommandIo, args: ArgValues): Promise<number> {
  const { run_id } = await ask(io, "", { type: "workflow", command: "delete", id: args.id as string });
  if (io.mode === "json") io.json({ status: "deleted", run_id });
  else io.out(`✓ Deleted workflow run: ${run_id}`);
  return EXIT.ok;
}
