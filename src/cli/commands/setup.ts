/** `setup`: asks for a provider and writes the user's configuration file. Spec/cli.md section 17. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PROVIDER_TYPES } from "../../config/provider-types.ts";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import { dataDirectory } from "../../core/paths.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { refuseExisting, writeConfigFile } from "../config-file.ts";
import { EXIT } from "../exit-codes.ts";

type Settings = Record<string, string>;

const CHOICES: readonly { title: string; providers: readonly string[] }[] = [
  { title: "Built-in local models (llama.cpp), nothing to install", providers: ["llamacpp"] },
  { title: "Ollama on this machine", providers: ["ollama"] },
  { title: "OpenAI", providers: ["openai"] },
  { title: "Anthropic", providers: ["anthropic"] },
  { title: "OpenAI and Anthropic", providers: ["openai", "anthropic"] },
  { title: "Skip", providers: [] },
];

const KEYS: Readonly<Record<string, { label: string; prefix: string; moreThan: number }>> = {
  openai: { label: "OpenAI", prefix: "sk-", moreThan: 20 },
  anthropic: { label: "Anthropic", prefix: "sk-ant-", moreThan: 30 },
};

/** Models of providers that need no key, as they are suggested. */
const SUGGESTED: Readonly<Record<string, string>> = { llamacpp: "spell-mini", ollama: "llama3.1:8b" };

const ATTEMPTS = 3;

export const command: CommandDecl = {
  name: "setup",
  summary: "Set up a provider step by step",
  options: [{ flag: "--force", short: "-f", doc: "Replace an existing configuration file" }],
  run: setup,
};

async function setup(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const path = join(dataDirectory(io.env), "config.toml");
  const file = { shown: path, replace: options.force === true, mode: 0o600 };
  if (!io.isTty.stdin) {
    throw new SpellError("invalid_argument", "Cannot set up: standard input is no terminal", {
      hint: "Run `llmspell config init` and edit the file it writes",
    });
  }
  refuseExisting(path, file);
  const providers = await chooseProviders(io);
  if (providers === undefined || providers.length === 0) return cancelled(io);
  const tables: Record<string, Settings> = {};
  for (const provider of providers) {
    const settings = await askSettings(io, provider);
    if (settings === undefined) return cancelled(io);
    tables[provider] = settings;
  }
  const { stringify } = await import("smol-toml");
  const text = stringify({ providers: { default_provider: providers[0]!, ...tables } });
  await makeDirectory(dirname(path));
  await writeConfigFile(path, `${text.trimEnd()}\n`, file);
  report(io, path, providers);
  return EXIT.ok;
}

function cancelled(io: CommandIo): number {
  if (io.mode === "json") io.json({ created: null });
  else io.out("Cancelled");
  return EXIT.ok;
}

/** Undefined at the end of input. */
async function chooseProviders(io: CommandIo): Promise<readonly string[] | undefined> {
  io.err("Which models do you want to use?");
  for (const [i, { title }] of CHOICES.entries()) io.err(`  ${i + 1}. ${title}`);
  const read = (answer: string) => CHOICES[Number(answer || "1") - 1]?.providers;
  return insist(io, `Choose 1-${CHOICES.length} [1]: `, `Type a number from 1 to ${CHOICES.length}`, read);
}

/** Asks until the answer can be read. @throws invalid_argument after three answers that cannot */
async function insist<T>(
  io: CommandIo,
  question: string,
  rule: string,
  read: (answer: string) => T | undefined,
  secret = false,
): Promise<T | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const answer = await io.prompt(question, { secret });
    if (answer === null) return undefined;
    const value = read(answer.trim());
    if (value !== undefined) return value;
    io.err(rule);
  }
  throw new SpellError("invalid_argument", `Cannot set up: no usable answer in ${ATTEMPTS} attempts`, {
    hint: rule,
  });
}

async function askSettings(io: CommandIo, provider: string): Promise<Settings | undefined> {
  const key = KEYS[provider];
  if (key === undefined) {
    const suggested = SUGGESTED[provider]!;
    const model = await io.prompt(`Default model [${suggested}]: `);
    return model === null ? undefined : { provider_type: provider, default_model: model.trim() || suggested };
  }
  const apiKey = await insist(
    io,
    `${key.label} API key: `,
    `A key of ${key.label} starts with ${key.prefix} and is longer than ${key.moreThan} characters`,
    (answer) => (answer.startsWith(key.prefix) && answer.length > key.moreThan ? answer : undefined),
    true,
  );
  if (apiKey === undefined) return undefined;
  return { provider_type: provider, api_key: apiKey, default_model: PROVIDER_TYPES[provider]!.defaultModel! };
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw ioError("Cannot create the data directory", path, cause, "Name another with LLMSPELL_HOME");
  }
}

function report(io: CommandIo, path: string, providers: readonly string[]): void {
  if (io.mode === "json") {
    io.json({ created: path, providers });
    return;
  }
  io.out(`✓ Created configuration file: ${path}\n`);
  io.out("Next steps:");
  io.out(`  1. Test it: llmspell providers test ${providers[0]}`);
  io.out("  2. Run a script: llmspell run SCRIPT");
}
