/** `keys`: spec/cli.md section 13. Works on the keys of the user who runs it, never in a kernel that runs elsewhere. */
import type { KeysRequest } from "../../kernel/api.ts";
import { ask } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { usageError } from "../usage.ts";
import { wholeNumber } from "../whole-number.ts";

const provider = {
  name: "provider",
  doc: "Name of the provider: openai, anthropic, or a key of [providers]",
};
const key = {
  name: "key",
  doc: "The key; `-` reads it from standard input; without it you are asked",
  optional: true,
};
const expiresIn: OptionDecl = {
  flag: "--expires-in",
  value: "DAYS",
  doc: "Do not use the key after so many days",
};

export const command: CommandDecl = {
  name: "keys",
  summary: "Store API keys of model providers",
  details:
    "Keys lie sealed in the data directory (`keys`). A provider uses the key of the configuration (api_key, api_key_env) before a stored one, and a stored one before other environment variables.",
  options: [],
  subcommands: [
    {
      name: "add",
      summary: "Store a provider's key, in place of the one stored before",
      options: [expiresIn],
      args: [provider, key],
      run: add,
    },
    {
      name: "list",
      summary: "List the stored keys, masked",
      options: [{ flag: "--detailed", doc: "Also show use, expiry and protection" }],
      run: list,
    },
    {
      name: "remove",
      summary: "Delete a provider's stored key",
      options: [],
      args: [provider],
      run: remove,
    },
    {
      name: "rotate",
      summary: "Replace a provider's stored key",
      options: [expiresIn],
      args: [provider, key],
      run: rotate,
    },
    {
      name: "audit",
      summary: "Show what was done with stored keys, the newest first",
      options: [{ flag: "--limit", value: "N", default: "20", doc: "Entries shown at most" }],
      run: audit,
    },
    {
      name: "load-env",
      summary: "Store the keys of environment variables",
      options: [
        {
          flag: "--prefix",
          value: "TEXT",
          default: "LLMSPELL_API_KEY_",
          doc: "The variables' beginning; the provider's name is what follows",
        },
      ],
      run: loadEnv,
    },
  ],
};

async function add(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const reply = await ask(io, "Cannot add the key", await storing("add", io, args, options));
  const verb = reply.replaced === true ? "Replaced" : "Added";
  return done(io, "add", reply.provider as string, `${verb} API key for ${reply.provider}`, {
    expires_at: reply.expires_at,
  });
}

async function rotate(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const reply = await ask(io, "Cannot rotate the key", await storing("rotate", io, args, options));
  return done(io, "rotate", reply.provider as string, `Rotated API key for ${reply.provider}`, {
    expires_at: reply.expires_at,
  });
}

async function remove(io: CommandIo, args: ArgValues): Promise<number> {
  const request = { type: "keys", command: "remove", provider: args.provider as string } as const;
  const { provider } = await ask(io, "Cannot remove the key", request);
  return done(io, "remove", provider as string, `Removed API key for ${provider}`);
}

async function loadEnv(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const { providers } = await ask(io, "Cannot load keys", {
    type: "keys",
    command: "load_env",
    prefix: options.prefix as string,
    interactive: io.isTty.stdin,
  });
  const names = providers as string[];
  if (io.mode === "json")
    io.json({
      status: "success",
      action: "load-env",
      providers: names,
      message: `Added ${names.length} API keys`,
    });
  else for (const name of names) io.out(`✓ Added API key for ${name}`);
  return EXIT.ok;
}

function done(io: CommandIo, action: string, provider: string, message: string, more: object = {}): number {
  if (io.mode === "json") io.json({ status: "success", action, provider, message, ...more });
  else io.out(`✓ ${message}`);
  return EXIT.ok;
}

async function storing(
  command: "add" | "rotate",
  io: CommandIo,
  args: ArgValues,
  options: OptionValues,
): Promise<KeysRequest> {
  const days = options["expires-in"];
  return {
    type: "keys",
    command,
    provider: args.provider as string,
    ...(typeof days === "string" ? { expiresInDays: wholeNumber("--expires-in", days, 1, 36_500) } : {}),
    key: await givenKey(io, args),
    interactive: io.isTty.stdin,
  };
}

/** @throws SpellError usage where nobody can be asked */
async function givenKey(io: CommandIo, args: ArgValues): Promise<string> {
  if (typeof args.key === "string" && args.key !== "-") return args.key;
  if (args.key === undefined && !io.isTty.stdin)
    throw usageError('Missing argument "key": `-` reads it from standard input');
  if (io.isTty.stdin)
    return (await io.prompt(`API key for ${args.provider}: `, { secret: true }))?.trim() ?? "";
  const line = await io.inputLine("");
  return new TextDecoder().decode(line ?? new Uint8Array()).trim();
}

interface ListedKey {
  provider: string;
  masked: string;
  created_at: string;
  expires_at: string | null;
  last_used: string | null;
  usage_count: number;
  is_active: boolean;
  source: string;
  problem: string | null;
}

async function list(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const reply = await ask(io, "Cannot list the keys", { type: "keys", command: "list" });
  const keys = reply.keys as ListedKey[];
  if (io.mode === "json")
    io.json({
      status: "success",
      action: "list",
      provider: null,
      message: `${keys.length} stored keys`,
      keys,
    });
  else if (keys.length === 0) io.out("No stored API keys");
  else for (const entry of keys) io.out(describe(entry, options.detailed === true));
  return EXIT.ok;
}

function describe(entry: ListedKey, detailed: boolean): string {
  const expired = entry.is_active ? "" : " [expired]";
  const problem = entry.problem === null ? "" : `: ${entry.problem}`;
  const line = `${entry.provider}  ${entry.masked}${expired}${problem}`;
  if (!detailed) return line;
  const facts = [
    `added ${entry.created_at}`,
    entry.expires_at === null ? "never expires" : `expires ${entry.expires_at}`,
    entry.last_used === null ? "never used" : `last used ${entry.last_used}, by ${entry.usage_count} runs`,
    `sealed under the ${WORDS[entry.source] ?? entry.source}`,
  ];
  return [line, ...facts.map((fact) => `  ${fact}`)].join("\n");
}

const WORDS: Record<string, string> = { file: "key file", keychain: "keychain", passphrase: "passphrase" };

interface Audited {
  at: string;
  action: string;
  provider: string;
  key_id: string;
}

async function audit(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const limit = wholeNumber("--limit", options.limit as string, 1);
  const { entries, count } = await ask(io, "Cannot show the audit", {
    type: "keys",
    command: "audit",
    limit,
  });
  if (io.mode === "json") io.json({ status: "success", action: "audit", entries, count });
  else if (count === 0) io.out("Nothing was done with keys");
  else
    for (const { at, action, provider, key_id: id } of entries as Audited[])
      io.out(`${at}  ${action}  ${provider}  ${id}`);
  return EXIT.ok;
}
