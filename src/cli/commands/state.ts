import { resolve } from "node:path";
import { withTextForBytes } from "../../core/bytes-as-text.ts";
import { SpellError } from "../../core/errors.ts";
import { documentValue, parseJson, stringifyJson } from "../../core/json.ts";
import { ask, showObject } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { connectable } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";
import { readStateFile, type StateFormat, writeStateFile } from "../state-file.ts";
import { migrateCommand } from "./state-migrate.ts";

const scope: OptionDecl = {
  flag: "--scope",
  value: "SCOPE",
  doc: "global, session, workflow, component (agents, tools, hooks), or a scope such as user:bob",
};
const keyOption: OptionDecl = { flag: "--key", value: "KEY", doc: "The key, as the argument" };
const key = {
  name: "key",
  doc: "A key of the scope; without --scope one of `global`, or with its scope in front (user:bob:theme)",
};
const maybeKey = { ...key, optional: true };

export const command: CommandDecl = {
  name: "state",
  summary: "Show, change, move, check and repair stored state",
  options: [],
  subcommands: [
    ...connectable([
      migrateCommand,
      {
        name: "show",
        summary: "Show values, without secrets",
        options: [scope, keyOption],
        args: [maybeKey],
        run: show,
      },
      {
        name: "get",
        summary: "Print a value as it is",
        options: [scope, keyOption],
        args: [maybeKey],
        run: get,
      },
      {
        name: "set",
        summary: "Store a value",
        options: [scope],
        args: [key, { name: "value", doc: "JSON, or else a text" }],
        run: set,
      },
      {
        name: "delete",
        summary: "Remove a value",
        options: [scope, keyOption],
        args: [maybeKey],
        run: remove,
      },
      { name: "list", summary: "List the keys", options: [scope], run: list },
      {
        name: "clear",
        summary: "Remove a value, a scope, or everything",
        options: [scope, keyOption],
        args: [maybeKey],
        run: clear,
      },
      {
        name: "export",
        summary: "Write all values to a file, secrets included",
        options: [
          scope,
          {
            flag: "--format",
            value: "FORMAT",
            choices: ["json", "toml"],
            default: "json",
            doc: "Form of the file",
          },
        ],
        args: [{ name: "file", doc: "The file to write; its owner alone can read it" }],
        run: exportState,
      },
      {
        name: "import",
        summary: "Read values from a file that `state export` wrote",
        options: [{ flag: "--merge", doc: "Keep the values that the file does not name" }],
        args: [{ name: "file", doc: "JSON, or TOML where its name ends in .toml" }],
        run: importState,
      },
      {
        name: "check",
        summary: "Examine the storage and every value",
        details: "The exit code is 1 where something is damaged.",
        options: [],
        run: check,
      },
    ]),
    {
      name: "repair",
      summary: "Keep what can be read of a damaged database",
      details:
        "Makes a new database from it; the damaged files stay beside it under another name. No kernel or script may have it open. A sound database is left as it is.",
      options: [],
      run: repair,
    },
  ],
};

interface Named {
  scope?: string;
  key?: string;
}

function named(args: ArgValues, options: OptionValues): Named {
  const name = args.key ?? options.key;
  return {
    ...(typeof options.scope === "string" ? { scope: options.scope } : {}),
    ...(typeof name === "string" ? { key: name } : {}),
  };
}

/** @throws SpellError usage */
function withKey(args: ArgValues, options: OptionValues): Named & { key: string } {
  const { key: name, ...rest } = named(args, options);
  if (name === undefined) throw new SpellError("usage", "Cannot run the command: a key is needed");
  return { ...rest, key: name };
}

const compact = (value: unknown): string => stringifyJson(withTextForBytes(value));
const pretty = (value: unknown): string => stringifyJson(withTextForBytes(value), true);

async function show(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const { key: name, ...rest } = named(args, options);
  const request = { type: "state", command: "show", ...rest } as const;
  if (name !== undefined) {
    const { found, value } = await ask(io, "State show error", { ...request, key: name });
    if (io.mode === "json") io.json(documentValue(value), true);
    else if (found !== true) io.out(`Key '${name}' not found`);
    else io.out(`Key: ${name}\nValue: ${io.mode === "pretty" ? pretty(value) : compact(value)}`);
    return EXIT.ok;
  }
  const { state } = await ask(io, "State show error", request);
  const entries = Object.entries(state as object);
  if (io.mode === "json") io.json(documentValue(state), true);
  else if (entries.length === 0) io.out("No state keys found");
  else if (io.mode === "pretty") io.out(`State keys (${entries.length} total):\n${pretty(state)}`);
  else {
    io.out(`State keys (${entries.length} total):`);
    for (const [storageKey, value] of entries) io.out(`  ${storageKey} = ${compact(value)}`);
  }
  return EXIT.ok;
}

async function get(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const request = { type: "state", command: "get", ...withKey(args, options) } as const;
  const { found, value } = await ask(io, "State get error", request);
  if (found !== true)
    throw new SpellError("not_found", `Key '${request.key}' not found`, {
      hint: "`llmspell state list` shows the keys there are",
    });
  if (io.mode === "json") io.json(documentValue(value), true);
  else io.out(io.mode === "pretty" ? pretty(value) : compact(value));
  return EXIT.ok;
}

async function set(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const place = withKey(args, options);
  await ask(io, "State set error", {
    type: "state",
    command: "set",
    ...place,
    value: jsonOrText(args.value as string),
  });
  return done(io, `Saved state key: ${place.key}`);
}

function jsonOrText(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    return text;
  }
}

async function remove(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const place = withKey(args, options);
  const { deleted } = await ask(io, "State delete error", { type: "state", command: "delete", ...place });
  if (deleted === true) return done(io, `Deleted state key: ${place.key}`);
  if (io.mode === "json") io.json({ status: "not_found", message: `Key '${place.key}' not found` });
  else io.out(`Key '${place.key}' not found`);
  return EXIT.ok;
}

async function list(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const { scope: wanted } = named(args, options);
  const reply = await ask(io, "State list error", {
    type: "state",
    command: "list",
    ...(wanted === undefined ? {} : { scope: wanted }),
  });
  if (io.mode === "json") io.json(reply, true);
  else if (reply.count === 0) io.out("No state keys found");
  else for (const name of reply.keys as string[]) io.out(io.mode === "pretty" ? `  • ${name}` : name);
  return EXIT.ok;
}

async function clear(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const place = named(args, options);
  await ask(io, "State clear error", { type: "state", command: "clear", ...place });
  const what = place.key === undefined ? "Cleared all state keys" : `Cleared state key: ${place.key}`;
  return done(io, place.key === undefined && place.scope !== undefined ? `${what} of ${place.scope}` : what);
}

function done(io: CommandIo, message: string): number {
  if (io.mode === "json") io.json({ status: "success", message });
  else io.out(`✓ ${message}`);
  return EXIT.ok;
}

async function exportState(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const path = args.file as string;
  const { scope: wanted } = named({}, options);
  const { state } = await ask(io, "State export error", {
    type: "state",
    command: "export",
    ...(wanted === undefined ? {} : { scope: wanted }),
  });
  await writeStateFile(
    resolve(io.cwd, path),
    state as Record<string, unknown>,
    options.format as StateFormat,
  );
  if (io.mode === "json") io.json({ status: "exported", path });
  else io.out(`✓ Exported state to ${path}`);
  return EXIT.ok;
}

async function importState(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const path = args.file as string;
  const merge = options.merge === true;
  const state = await readStateFile(resolve(io.cwd, path), path);
  await ask(io, "State import error", { type: "state", command: "import", state, merge });
  if (io.mode === "json") io.json({ status: "imported", path, merge });
  else
    io.out(
      `✓ Imported state from ${path}\n  ${merge ? "(merged with existing state)" : "(replaced existing state)"}`,
    );
  return EXIT.ok;
}

async function check(io: CommandIo): Promise<number> {
  const reply = await ask(io, "State check error", { type: "state", command: "check" });
  const problems = reply.problems as string[];
  if (io.mode === "json") io.json(reply, true);
  else if (problems.length === 0) io.out(`✓ State is sound: ${reply.records} values (${reply.backend})`);
  else {
    io.out(`✗ State is damaged: ${problems.length} problems in ${reply.records} values (${reply.backend})`);
    for (const problem of problems) io.out(`  ${problem}`);
    io.out("Next: llmspell state repair");
  }
  return problems.length === 0 ? EXIT.ok : EXIT.failure;
}

interface RepairedTable {
  name: string;
  kept: number;
  lost: number | null;
}

async function repair(io: CommandIo): Promise<number> {
  const reply = await ask(io, "State repair error", { type: "state", command: "repair" });
  if (io.mode !== "text") showObject(io, reply);
  else if (reply.repaired !== true) io.out("✓ The database is sound; nothing was changed");
  else {
    io.out("✓ Repaired the database");
    for (const { name, kept, lost } of reply.tables as RepairedTable[])
      io.out(`  ${name}: ${kept} rows kept${lost === 0 ? "" : ", some lost"}`);
    io.out(`The damaged files are kept as ${reply.damaged}`);
  }
  return EXIT.ok;
}
