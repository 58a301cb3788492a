import { resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { ask, type ReplyFields, showObject } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";

const model = {
  name: "model",
  doc: "Id of the model, `name[:variant]`; `local/` and `@llamacpp` may be added",
};

export const command: CommandDecl = {
  name: "model",
  summary: "Manage local models",
  options: [],
  subcommands: [
    {
      name: "list",
      summary: "List the local models",
      options: [
        {
          flag: "--backend",
          value: "NAME",
          choices: ["all", "ollama", "llamacpp", "candle"],
          default: "all",
          doc: "Only the models of this backend (candle: llamacpp)",
        },
        { flag: "--verbose", short: "-v", doc: "Print size, quantization and date as JSON" },
        {
          flag: "--format",
          value: "FORMAT",
          choices: ["text", "json", "pretty"],
          doc: "Instead of the global --output",
        },
      ],
      run: list,
    },
    {
      name: "info",
      summary: "Show what is known of a model",
      options: [],
      args: [model],
      run: info,
    },
    {
      name: "import",
      summary: "Copy a GGUF file into the store",
      details:
        "The file is checked first. Without --name, its own name and quantization make the id. An interrupted import leaves nothing.",
      options: [
        { flag: "--name", value: "NAME[:VARIANT]", doc: "Id of the model in the store" },
        { flag: "--force", short: "-f", doc: "Replace a model of the same id, or store a file twice" },
      ],
      args: [{ name: "file", doc: "The .gguf file" }],
      run: importFile,
    },
    {
      name: "remove",
      summary: "Delete an imported model",
      options: [{ flag: "--yes", short: "-y", doc: "Do not ask" }],
      args: [model],
      run: remove,
    },
    {
      name: "status",
      summary: "Show the local backends",
      options: [],
      run: status,
    },
  ],
};

interface Listed {
  id: string;
  size_bytes: number;
  quantization: string | null;
}

async function list(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const backend = options.backend as string;
  const { models, count } = await ask(io, "Model list error", { type: "model", command: "list", backend });
  const mode = typeof options.format === "string" ? options.format : io.mode;
  if (mode === "json") io.json({ models, count }, true);
  else if (options.verbose === true) showObject(io, { models, count }, mode);
  else if (mode === "pretty") {
    io.out("Local models:");
    for (const { id, size_bytes, quantization } of models as Listed[])
      io.out(
        `  • ${id} (${(size_bytes / 1e6).toFixed(1)} MB${quantization === null ? "" : `, ${quantization}`})`,
      );
    io.out(`Total: ${count} models`);
  } else for (const { id } of models as Listed[]) io.out(id);
  return EXIT.ok;
}

async function info(io: CommandIo, args: ArgValues): Promise<number> {
  showObject(io, await modelInfo(io, "Model info error", args.model as string));
  return EXIT.ok;
}

function modelInfo(io: CommandIo, what: string, name: string): Promise<ReplyFields> {
  return ask(io, what, { type: "model", command: "info", model: name });
}

async function importFile(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const imported = await ask(io, "Model import error", {
    type: "model",
    command: "import",
    path: resolve(io.cwd, args.file as string),
    force: options.force === true,
    ...(typeof options.name === "string" ? { name: options.name } : {}),
  });
  if (io.mode === "json") io.json(imported, true);
  else io.out(`Model imported as ${imported.id}\nUse it as local/${imported.id}`);
  return EXIT.ok;
}

async function remove(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const name = args.model as string;
  if (options.yes !== true) {
    const { id } = await modelInfo(io, "Model remove error", name);
    if (!io.isTty.stdin) {
      throw new SpellError("usage", `Cannot ask whether to remove '${id}': standard input is no terminal`, {
        hint: "Add --yes to remove it without asking",
      });
    }
    const answer = await io.prompt(`Remove model '${id}'? [y/N]: `);
    if (answer?.trim().toLowerCase() !== "y") {
      if (io.mode === "json") io.json({ model: name, removed: false });
      else io.out("Cancelled");
      return EXIT.ok;
    }
  }
  const removed = await ask(io, "Model remove error", { type: "model", command: "remove", model: name });
  if (io.mode === "json") io.json(removed);
  else io.out("Model removed successfully");
  return EXIT.ok;
}

async function status(io: CommandIo): Promise<number> {
  const { backends } = await ask(io, "Model status error", { type: "model", command: "status" });
  showObject(io, { status: "ok", backends });
  return EXIT.ok;
}
