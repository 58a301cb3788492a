import { ask, showObject } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo } from "../command.ts";
import { connectable } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";

const name = { name: "name", doc: "Key of the provider, its type, or factory/provider/model" };

export const command: CommandDecl = {
  name: "providers",
  summary: "Show and test model providers",
  options: [],
  subcommands: connectable([
    {
      name: "list",
      summary: "List the providers: those configured, and the built-in `local`",
      options: [],
      run: list,
    },
    {
      name: "info",
      summary: "Show a provider and what is wrong with it",
      options: [],
      args: [name],
      run: info,
    },
    {
      name: "test",
      summary: "Send one short request to a provider's default model",
      details: "The exit code is 1 when it fails.",
      options: [],
      args: [name],
      run: test,
    },
  ]),
};

interface Listed {
  name: string;
  provider_type: string;
  default_model: string | null;
  is_default: boolean;
  problem: string | null;
}

async function list(io: CommandIo): Promise<number> {
  const { providers, count } = await ask(io, "Provider list error", { type: "providers", command: "list" });
  if (io.mode === "json") {
    io.json({ providers, count }, true);
    return EXIT.ok;
  }
  const bullet = io.mode === "pretty" ? "  • " : "";
  if (io.mode === "pretty") io.out("Providers:");
  for (const provider of providers as Listed[]) io.out(bullet + describe(provider));
  return EXIT.ok;
}

function describe(provider: Listed): string {
  const model = provider.default_model === null ? "" : `/${provider.default_model}`;
  const type = provider.provider_type === provider.name ? "" : ` (${provider.provider_type})`;
  const problem = provider.problem === null ? "" : `: ${provider.problem}`;
  return `${provider.name}${model}${type}${provider.is_default ? " [default]" : ""}${problem}`;
}

async function info(io: CommandIo, args: ArgValues): Promise<number> {
  const request = { type: "providers", command: "info", name: args.name as string } as const;
  showObject(io, await ask(io, "Provider info error", request));
  return EXIT.ok;
}

async function test(io: CommandIo, args: ArgValues): Promise<number> {
  const request = { type: "providers", command: "test", name: args.name as string } as const;
  const result = await ask(io, "Provider test error", request);
  if (io.mode === "json") io.json(result, true);
  else if (result.success === true)
    io.out(`${result.name}/${result.model} answered in ${result.duration_ms} ms: ${result.text}`);
  else {
    io.err(`Error: ${[result.name, result.model ?? []].flat().join("/")} failed: ${result.error}`);
    if (typeof result.hint === "string") io.err(`  Next: ${result.hint}`);
  }
  return result.success === true ? EXIT.ok : EXIT.failure;
}
