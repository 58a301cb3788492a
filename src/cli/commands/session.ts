import { resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { ask, type ReplyFields } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { connectable } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";
import { wholeNumber } from "../whole-number.ts";

const id = { name: "id", doc: "Id of the session" };
const stepOption = (flag: `--${string}`, doc: string): OptionDecl => ({ flag, value: "N", doc });

export const command: CommandDecl = {
  name: "session",
  summary: "List, show, replay, move and remove sessions",
  details:
    'Works on the sessions of the data directory (`runtime.sessions.storage_backend = "sqlite"`), or on those of a kernel that runs.',
  options: [],
  subcommands: connectable([
    {
      name: "list",
      summary: "List the sessions, the last used first",
      options: [{ flag: "--detailed", doc: "A block for each, with its times" }],
      run: list,
    },
    {
      name: "show",
      summary: "Show a session, its steps and its artifacts",
      options: [],
      args: [id],
      run: show,
    },
    {
      name: "create",
      summary: "Make a session and print its id",
      options: [{ flag: "--name", value: "NAME", doc: "Its name" }],
      run: create,
    },
    {
      name: "replay",
      summary: "Do what a session recorded once more and compare the results",
      details:
        "Tools that only compute run again; calls of models, and of tools that reach files or the network, are told from the recording, unless --run names their kind: tool, model, hook, event, or all. The exit code is 1 when a step fails; results that differ are counted and shown.",
      options: [
        stepOption("--from-step", "The first step, counted from 1"),
        stepOption("--to-step", "The last step"),
        { flag: "--run", value: "KINDS", doc: "Kinds of steps that run again, between commas, or `all`" },
        {
          flag: "--set",
          value: "PATH=VALUE",
          repeat: true,
          doc: "Another value (JSON, or text) at a place in the inputs, such as `params.n=5` or `prompt[2].content[1].text=Hi`; the steps that have it run again",
        },
      ],
      args: [id],
      run: replay,
    },
    {
      name: "delete",
      summary: "Remove a session with its artifacts and its recording",
      options: [{ flag: "--all", doc: "Remove every session" }],
      args: [{ ...id, optional: true }],
      run: remove,
    },
    {
      name: "export",
      summary: "Write a session into one file",
      details:
        "The file is a tar archive: session.json, its BLAKE3 sum, and the artifacts under theirs. `session import` checks and takes it.",
      options: [],
      args: [id, { name: "file", doc: "The file to write" }],
      run: exportSession,
    },
    {
      name: "import",
      summary: "Take in an exported session under its own id",
      options: [],
      args: [{ name: "file", doc: "The exported session" }],
      run: importSession,
    },
  ]),
};

async function list(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const reply = await ask(io, "", { type: "session", command: "list" });
  const sessions = reply.sessions as ReplyFields[];
  if (io.mode === "json") io.json({ sessions, count: reply.count });
  else if (sessions.length === 0) io.out("No sessions found");
  else {
    io.out(`Sessions (${sessions.length} total):\n`);
    if (options.detailed === true) for (const session of sessions) io.out(detailed(session));
    else for (const row of table(sessions)) io.out(row);
  }
  return EXIT.ok;
}

const WIDTHS = [15, 25, 12, 8, 10];

function table(sessions: readonly ReplyFields[]): string[] {
  const rows = sessions.map((s) => [s.id, s.name ?? "", s.status, s.steps, s.artifacts]);
  return [["ID", "NAME", "STATUS", "STEPS", "ARTIFACTS"], ...rows].map((cells) =>
    cells
      .map((cell, i) => String(cell).padEnd(WIDTHS[i]!))
      .join(" ")
      .trimEnd(),
  );
}

function detailed(session: ReplyFields): string {
  return [
    `Session: ${session.id}`,
    `  Name: ${session.name ?? "-"}`,
    `  Status: ${session.status}`,
    `  Created: ${session.created_at}`,
    `  Last activity: ${session.last_activity}`,
    `  Steps: ${session.steps}`,
    `  Artifacts: ${session.artifacts}`,
    "",
  ].join("\n");
}

async function show(io: CommandIo, args: ArgValues): Promise<number> {
  const { session } = await ask(io, "", { type: "session", command: "show", id: args.id as string });
  const reply = session as ReplyFields;
  if (io.mode === "json") {
    io.json(reply);
    return EXIT.ok;
  }
  const { total_duration_ms, agent_count, tool_executions } = reply.metadata as ReplyFields;
  const steps = reply.steps as ReplyFields[];
  const artifacts = reply.artifacts as ReplyFields[];
  const tags = reply.tags as string[];
  const lines = [
    `Session: ${reply.id}`,
    `Name: ${reply.name ?? "-"}`,
    `Status: ${reply.status}`,
    ...(reply.description === null ? [] : [`Description: ${reply.description}`]),
    ...(tags.length === 0 ? [] : [`Tags: ${tags.join(", ")}`]),
    `Created: ${reply.created_at}`,
    `Last activity: ${reply.last_activity}`,
    `Duration: ${total_duration_ms} ms`,
    `Agents: ${agent_count}`,
    `Tool executions: ${tool_executions}`,
    "",
    `Steps (${steps.length}):`,
    ...steps.map((s) => `  ${s.step}. ${s.timestamp} ${s.action} (${s.duration_ms} ms) ${s.details}`),
    "",
    `Artifacts (${artifacts.length}):`,
    ...artifacts.map((a) => `  ${a.id} ${a.type} ${a.path} (${a.size_bytes} bytes)`),
  ];
  io.out(lines.join("\n"));
  return EXIT.ok;
}

async function create(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  await ensureLasting(io, "create session");
  const name = typeof options.name === "string" ? { name: options.name } : {};
  const reply = await ask(io, "", { type: "session", command: "create", ...name });
  if (io.mode === "json") io.json({ status: "created", ...reply });
  else io.out(`✓ Created session: ${reply.session_id}`);
  return EXIT.ok;
}

async function replay(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const fromStep = stepOf(options, "from-step");
  const toStep = stepOf(options, "to-step");
  const set = Array.isArray(options.set) ? options.set : [];
  if (io.mode !== "json") {
    io.out(`🔄 Replaying session: ${args.id}`);
    if (fromStep !== undefined) io.out(`  Starting from step: ${fromStep}`);
    if (toStep !== undefined) io.out(`  Stopping at step: ${toStep}`);
  }
  const reply = await ask(io, "", {
    type: "session",
    command: "replay",
    id: args.id as string,
    ...(fromStep === undefined ? {} : { fromStep }),
    ...(toStep === undefined ? {} : { toStep }),
    ...(set.length > 0 ? { modifications: set.map(modification) } : {}),
    ...(typeof options.run === "string" ? { run: options.run.split(",").map((kind) => kind.trim()) } : {}),
  });
  const { outcome, ...fields } = reply;
  if (io.mode === "json") io.json({ status: outcome, ...fields });
  else {
    for (const { step, action, reason } of reply.not_run as ReplyFields[])
      io.out(`  ○ step ${step}: ${action}: ${reason}`);
    for (const { step, action, error } of reply.failures as ReplyFields[])
      io.out(`  ✗ step ${step}: ${action}: ${error}`);
    for (const { step, action, differences } of reply.differences as ReplyFields[])
      for (const { path, description } of differences as ReplyFields[])
        io.out(`  ≠ step ${step}: ${action}: ${path} ${description}`);
    const ran = options.run === undefined && set.length === 0 ? "" : `, ${reply.steps_run} run again`;
    const mark = outcome === "completed" ? "✓" : "✗";
    io.out(`${mark} Replay ${outcome}: ${reply.steps_replayed} steps${ran}, ${reply.mismatches} mismatches`);
  }
  return outcome === "completed" ? EXIT.ok : EXIT.failure;
}

/** @throws SpellError usage */
function modification(given: string): { path: string; value: unknown } {
  const at = given.indexOf("=");
  if (at < 1) throw new SpellError("usage", `Cannot replay session: --set must be PATH=VALUE: ${given}`);
  const [path, text] = [given.slice(0, at), given.slice(at + 1)];
  try {
    return { path, value: parseJson(text) };
  } catch {
    return { path, value: text };
  }
}

function stepOf(options: OptionValues, name: string): number | undefined {
  const given = options[name];
  return typeof given === "string" ? wholeNumber(`--${name}`, given, 1) : undefined;
}

async function remove(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const all = options.all === true;
  if (all === (args.id !== undefined))
    throw new SpellError("usage", "Cannot delete sessions: give the id of a session, or --all");
  if (all) {
    await ask(io, "", { type: "session", command: "delete_all" });
    const message = "Deleted all sessions";
    if (io.mode === "json") io.json({ status: "deleted", message });
    else io.out(`✓ ${message}`);
    return EXIT.ok;
  }
  const { session_id } = await ask(io, "", { type: "session", command: "delete", id: args.id as string });
  if (io.mode === "json") io.json({ status: "deleted", session_id });
  else io.out(`✓ Deleted session: ${session_id}`);
  return EXIT.ok;
}

async function exportSession(io: CommandIo, args: ArgValues): Promise<number> {
  const path = resolve(io.cwd, args.file as string);
  const request = { type: "session", command: "export", id: args.id as string, path } as const;
  const reply = await ask(io, "", request);
  if (io.mode === "json") io.json({ status: "exported", ...reply });
  else io.out(`✓ Exported session ${reply.session_id} to ${path}`);
  return EXIT.ok;
}

async function importSession(io: CommandIo, args: ArgValues): Promise<number> {
  await ensureLasting(io, "import session");
  const path = resolve(io.cwd, args.file as string);
  const reply = await ask(io, "", { type: "session", command: "import", path });
  if (io.mode === "json") io.json({ status: "imported", ...reply });
  else io.out(`✓ Imported session ${reply.session_id} from ${path}`);
  return EXIT.ok;
}

/** In a process of its own, memory ends with this command. @throws SpellError config */
async function ensureLasting(io: CommandIo, action: string): Promise<void> {
  const kernel = await io.kernel();
  if (kernel.mode === "connected") return;
  const { config } = await io.loadConfig();
  if (config.runtime.sessions.storage_backend !== "memory") return;
  throw new SpellError(
    "config",
    `Cannot ${action}: sessions are kept in memory, and this command's memory ends with it: runtime.sessions.storage_backend`,
    {
      hint: 'Set it to "sqlite", or work in a kernel that runs: --kernel ID',
    },
  );
}
