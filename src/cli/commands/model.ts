import { resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { ask, type ReplyFields, showObject } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { connectable } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";

const model = {
  name: "model",
  doc: "Id of the model, `name[:variant]`; `local/`, `@llamacpp` and `@ollama` may be added",
};

export const command: CommandDecl = {
  name: "model",
  summary: "Manage local models",
  options: [],
  subcommands: connectable([
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
      name: "pull",
      summary: "Download a model into the store, or with Ollama",
      details:
        "With `@ollama`, and without a backend where Ollama is configured, Ollama downloads and keeps the model: `name[:tag]`, `hf.co/owner/repo[:QUANTIZATION]`. Into llmspell's own store: `owner/repo[:QUANTIZATION]` comes from the Hugging Face Hub, `name[:tag]` from Ollama's registry, the names that `model available` lists from their repositories. What came before an interruption is kept: pull again to go on, `model remove` clears it. Tokens are read from HF_TOKEN.",
      options: [
        {
          flag: "--quantization",
          value: "NAME",
          doc: "Quantization, where the name gives none; else default_quantization of the configuration, Q4_K_M and the next best",
        },
        { flag: "--force", short: "-f", doc: "Fetch a model that is there already, and replace it" },
      ],
      args: [{ name: "model", doc: "What to download; `@llamacpp` and `@ollama` name the backend" }],
      run: pull,
    },
    {
      name: "available",
      summary: "Show models that can be pulled",
      details:
        "Without a query: the recommended ones, asking no network but a configured Ollama. With words: repositories of the Hugging Face Hub that have GGUF files. With `owner/repo`: its quantizations and their sizes.",
      options: [
        {
          flag: "--backend",
          value: "NAME",
          choices: ["all", "ollama", "llamacpp", "candle"],
          default: "all",
          doc: "Only what this backend runs",
        },
        { flag: "--recommended", doc: "The recommended ones only, whatever the query" },
      ],
      args: [{ name: "query", doc: "Words, or owner/repo", optional: true }],
      run: available,
    },
    {
      name: "import",
      summary: "Copy a model into the store",
      details:
        "Takes a GGUF file (of a split set, any part), a bundle of `model export`, a directory with safetensors of a T5 or BERT shape, or Ollama's models directory. Everything is checked first. Without --name, the file's own name and quantization make the id. An interrupted import leaves nothing.",
      options: [
        { flag: "--name", value: "NAME[:VARIANT]", doc: "Id of the model in the store" },
        { flag: "--model", value: "NAME[:TAG]", doc: "Which model of Ollama's directory" },
        { flag: "--force", short: "-f", doc: "Replace a model of the same id, or store a file twice" },
      ],
      args: [{ name: "path", doc: "The file or directory" }],
      run: importPath,
    },
    {
      name: "export",
      summary: "Write a model into one file for another machine",
      details:
        "The file is a tar archive with a manifest, SHA256SUMS and the model. `model import` checks and takes it.",
      options: [{ flag: "--force", short: "-f", doc: "Replace the file" }],
      args: [model, { name: "file", doc: "The bundle to write" }],
      run: exportModel,
    },
    {
      name: "unload",
      summary: "Take a model out of memory",
      details:
        "Models of llmspell's own store are in memory in the process that uses them; a command of its own starts with none. `@ollama` unloads one from Ollama's.",
      options: [],
      args: [model],
      run: unload,
    },
    {
      name: "remove",
      summary: "Delete a model of the store or of Ollama's, or what an interrupted pull left of it",
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
    {
      name: "install-ollama",
      summary: "Install Ollama by its own installer",
      details:
        "Fetches the script of https://ollama.com/install.sh (`installer_url` of the provider names another) and runs it, on Linux and macOS. Asks before; without a terminal, --yes is needed.",
      options: [{ flag: "--yes", short: "-y", doc: "Do not ask" }],
      run: installOllama,
    },
  ]),
};

interface Listed {
  id: string;
  size_bytes: number;
  quantization: string | null;
}

interface Unfinished {
  id: string;
  bytes_downloaded: number;
  bytes_total: number;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

async function list(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const backend = options.backend as string;
  const reply = await ask(io, "Model list error", { type: "model", command: "list", backend });
  const { models, count, downloads = [] } = reply;
  const mode = typeof options.format === "string" ? options.format : io.mode;
  if (mode === "json") io.json(reply, true);
  else if (options.verbose === true) showObject(io, reply, mode);
  else if (mode === "pretty") {
    io.out("Local models:");
    for (const { id, size_bytes, quantization } of models as Listed[])
      io.out(`  • ${id} (${megabytes(size_bytes)}${quantization === null ? "" : `, ${quantization}`})`);
    for (const { id, bytes_downloaded, bytes_total } of downloads as Unfinished[])
      io.out(`  ◦ ${id} (pull not finished: ${megabytes(bytes_downloaded)} of ${megabytes(bytes_total)})`);
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

async function importPath(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const imported = await ask(io, "Model import error", {
    type: "model",
    command: "import",
    path: resolve(io.cwd, args.path as string),
    force: options.force === true,
    ...(typeof options.name === "string" ? { name: options.name } : {}),
    ...(typeof options.model === "string" ? { model: options.model } : {}),
  });
  if (io.mode === "json") io.json(imported, true);
  else io.out(`Model imported as ${imported.id}\nUse it as local/${imported.id}`);
  return EXIT.ok;
}

async function pull(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const pulled = await ask(io, "Model pull error", {
    type: "model",
    command: "pull",
    model: args.model as string,
    force: options.force === true,
    ...(typeof options.quantization === "string" ? { quantization: options.quantization } : {}),
  });
  if (io.mode !== "json") io.out(String(pulled.download_status));
  showObject(io, pulled);
  return EXIT.ok;
}

interface Available {
  id: string;
  about: string | null;
  quantizations: { name: string; size_bytes: number | null }[] | null;
}

async function available(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const reply = await ask(io, "Model available error", {
    type: "model",
    command: "available",
    backend: options.backend as string,
    recommended: options.recommended === true,
    ...(typeof args.query === "string" ? { query: args.query } : {}),
  });
  if (io.mode !== "pretty") {
    showObject(io, reply);
    return EXIT.ok;
  }
  for (const { id, about, quantizations } of reply.models as Available[]) {
    io.out(`  • ${id}${about === null ? "" : `: ${about}`}`);
    for (const { name, size_bytes } of quantizations ?? [])
      io.out(`      ${name}${size_bytes === null ? "" : ` (${megabytes(size_bytes)})`}`);
  }
  io.out(`Total: ${reply.count} models`);
  return EXIT.ok;
}

async function exportModel(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const path = resolve(io.cwd, args.file as string);
  const exported = await ask(io, "Model export error", {
    type: "model",
    command: "export",
    model: args.model as string,
    path,
    force: options.force === true,
  });
  if (io.mode === "json") io.json(exported, true);
  else
    io.out(`Model ${exported.model} written to ${path}\nTake it in with: llmspell model import ${args.file}`);
  return EXIT.ok;
}

async function unload(io: CommandIo, args: ArgValues): Promise<number> {
  const reply = await ask(io, "Model unload error", {
    type: "model",
    command: "unload",
    model: args.model as string,
  });
  if (io.mode === "json") io.json(reply);
  else io.out(reply.unloaded === true ? "Model unloaded" : "Model was not loaded");
  return EXIT.ok;
}

async function installOllama(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  if (options.yes !== true) {
    if (!io.isTty.stdin) {
      throw new SpellError("usage", "Cannot ask whether to install Ollama: standard input is no terminal", {
        hint: "Add --yes to fetch and run its installer without asking",
      });
    }
    const answer = await io.prompt("Fetch and run Ollama's installer from the network? [y/N]: ");
    if (answer?.trim().toLowerCase() !== "y") {
      if (io.mode === "json") io.json({ installed: false });
      else io.out("Cancelled");
      return EXIT.ok;
    }
  }
  const installed = await ask(io, "Ollama installation error", { type: "model", command: "install-ollama" });
  if (io.mode === "json") io.json(installed);
  else io.out("Ollama installed successfully");
  return EXIT.ok;
}

async function remove(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const name = args.model as string;
  if (options.yes !== true) {
    const id = await removableId(io, name);
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

/** A model of the store, or a download that was interrupted. */
async function removableId(io: CommandIo, name: string): Promise<unknown> {
  const { downloads = [] } = await ask(io, "Model remove error", {
    type: "model",
    command: "list",
    backend: "all",
  });
  const partial = (downloads as { id: string }[]).find(({ id }) => id.toLowerCase() === name.toLowerCase());
  return partial?.id ?? (await modelInfo(io, "Model remove error", name)).id;
}

async function status(io: CommandIo): Promise<number> {
  const reply = await ask(io, "Model status error", { type: "model", command: "status" });
  showObject(io, { status: "ok", ...reply });
  return EXIT.ok;
}
