/** The parts of `config` that write, check and trust files. */
import { resolve } from "node:path";
import { type ConfigFile, discoverFile, readNamedFile } from "../../config/discover.ts";
import { examine, type LoadOptions, type Source, selectSource } from "../../config/load.ts";
import { defaultConfigText } from "../../config/template.ts";
import { removeUntrusted } from "../../config/trust-rule.ts";
import { trust, untrust } from "../../config/trust-store.ts";
import { errorToJson, SpellError } from "../../core/errors.ts";
import { dataDirectory, homeDirectory } from "../../core/paths.ts";
import type { ArgValues, CommandIo, OptionValues } from "../command.ts";
import { writeConfigFile } from "../config-file.ts";
import { EXIT } from "../exit-codes.ts";

export async function initialise(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const path = options.output as string;
  const target = resolve(io.cwd, path);
  await writeConfigFile(target, defaultConfigText(), { shown: path, replace: options.force === true });
  io.out(`✓ Created configuration file: ${path}\n`);
  io.out("Next steps:");
  io.out(`  1. Edit ${path}`);
  io.out("  2. Set API keys in the environment, for example OPENAI_API_KEY");
  io.out(`  3. Check it: llmspell config validate --file ${path}`);
  io.out(`  4. Run a script: llmspell -c ${path} run SCRIPT`);
  return EXIT.ok;
}

export async function validate(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const result = await check(io, options.file as string | undefined);
  if (io.mode === "json") io.json(result, true);
  else {
    io.out("Configuration validation:");
    io.out(`  File: ${result.path}`);
    io.out(`  Status: ${result.valid ? "✓ Valid" : "✗ Invalid"}`);
    printList(io, "Warnings", result.warnings);
    printList(io, "Errors", result.errors);
    if (!result.valid) io.err("Error: Configuration validation failed");
  }
  return result.valid ? EXIT.ok : EXIT.failure;
}

function printList(io: CommandIo, title: string, entries: readonly string[]): void {
  if (entries.length === 0) return;
  io.out(`\n${title}:`);
  for (const entry of entries) io.out(`  - ${entry}`);
}

async function check(io: CommandIo, path: string | undefined) {
  const options = loadOptions(io);
  const source: Source = path === undefined ? await selectSource(options) : named(path, io.cwd);
  try {
    const { config, problems, warnings } = await examine(source, options);
    const messages = warnings.map(({ message }) => message);
    const errors = problems.map(({ message }) => message);
    if (errors.length === 0) {
      if (Object.keys(config.providers).length === 0)
        messages.push("No provider is configured; agents use the built-in local model");
      if (!config.runtime.security.allow_network_access) messages.push("Network access is disabled");
    }
    return { valid: errors.length === 0, path: source.label, warnings: messages, errors };
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    return { valid: false, path: source.label, warnings: [], errors: [errorToJson(error).message] };
  }
}

function loadOptions(io: CommandIo): LoadOptions {
  const { profile, config } = io.globals;
  return {
    env: io.env,
    cwd: io.cwd,
    home: homeDirectory(io.env),
    ...(profile === undefined ? {} : { profile }),
    ...(config === undefined ? {} : { configPath: config }),
  };
}

function named(path: string, cwd: string): Source {
  const file = readNamedFile(path, cwd, "the command line");
  return { label: path, text: file.text, file };
}

export async function trustFile(io: CommandIo, args: ArgValues): Promise<number> {
  const file = fileOf(io, args.FILE as string | undefined);
  const { parseToml } = await import("../../config/toml.ts");
  const { moveSpellings } = await import("../../config/spellings.ts");
  const tree = parseToml(file.text, file.path);
  moveSpellings(tree);
  const keys = removeUntrusted(tree);
  await trust(dataDirectory(io.env), file.realPath, file.text);
  if (io.mode === "json") io.json({ trusted: file.realPath, keys });
  else {
    io.out(`✓ Trusted: ${file.realPath}`);
    printList(io, "Settings that count from now on", keys);
  }
  return EXIT.ok;
}

export async function untrustFile(io: CommandIo, args: ArgValues): Promise<number> {
  const file = fileOf(io, args.FILE as string | undefined);
  const was = await untrust(dataDirectory(io.env), file.realPath, file.text);
  if (io.mode === "json") io.json({ untrusted: file.realPath, was_trusted: was });
  else io.out(was ? `✓ No longer trusted: ${file.realPath}` : `It was not trusted: ${file.realPath}`);
  return EXIT.ok;
}

function fileOf(io: CommandIo, path: string | undefined): ConfigFile {
  if (path !== undefined) return readNamedFile(path, io.cwd, "the command line");
  const found = discoverFile(io.env, io.cwd, homeDirectory(io.env));
  if (found?.stranger) return found;
  throw new SpellError("not_found", "No configuration file was found in the current directory", {
    hint: "Name the file: llmspell config trust FILE",
  });
}
