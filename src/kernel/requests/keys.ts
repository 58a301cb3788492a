/** Requests about stored API keys; replies have the fields of spec/cli.md section 13. Keys themselves are in none. */
import { messageOf, SpellError } from "../../core/errors.ts";
import type { KeyInfo, KeyStore } from "../../security/keys/store.ts";
import type { KernelReply, KeysRequest } from "../api.ts";

type Environment = Record<string, string | undefined>;
type Fields = Record<string, unknown>;

/** @throws SpellError */
export async function answerKeysRequest(
  request: KeysRequest,
  store: KeyStore,
  env: Environment,
): Promise<KernelReply> {
  return { status: "ok", ...(await reply(request, store, env)) };
}

async function reply(request: KeysRequest, store: KeyStore, env: Environment): Promise<Fields> {
  switch (request.command) {
    case "add": {
      const { info, replaced } = await store.add(request.provider, request.key, optionsOf(request));
      return { ...keyFields(info), replaced };
    }
    case "rotate":
      return keyFields(await store.rotate(request.provider, request.key, optionsOf(request)));
    case "list":
      return list(store);
    case "remove":
      await store.remove(request.provider);
      return { provider: request.provider.toLowerCase() };
    case "audit": {
      const entries = store.audit(request.limit);
      const shown = entries.map(({ at, action, service, key_id }) => ({
        at,
        action,
        provider: service,
        key_id,
      }));
      return { entries: shown, count: shown.length };
    }
    case "load_env":
      return loadEnvironment(request.prefix, request.interactive, store, env);
  }
}

function optionsOf({ expiresInDays, interactive }: Extract<KeysRequest, { key: string }>) {
  return { interactive, ...(expiresInDays === undefined ? {} : { expiresInDays }) };
}

/** Keys that cannot be opened are listed too, with the reason. */
async function list(store: KeyStore): Promise<Fields> {
  let masked: Record<string, string> = {};
  let problem: string | undefined;
  try {
    masked = await store.masked();
  } catch (error) {
    if (!(error instanceof SpellError) || error.code === "io") throw error;
    problem = messageOf(error);
  }
  const keys = store.list().map((info) => ({
    ...keyFields(info),
    masked: masked[info.provider] ?? "…",
    problem: problem ?? (masked[info.provider] === undefined ? "It is damaged" : null),
  }));
  return { keys, count: keys.length };
}

async function loadEnvironment(
  prefix: string,
  interactive: boolean,
  store: KeyStore,
  env: Environment,
): Promise<Fields> {
  const variables = Object.keys(env)
    .filter((name) => prefix !== "" && name.startsWith(prefix) && name !== prefix && env[name])
    .sort();
  if (variables.length === 0)
    throw new SpellError("not_found", `No environment variable begins with "${prefix}"`, {
      hint: `Set ${prefix || "LLMSPELL_API_KEY_"}OPENAI and its like, or name another --prefix`,
    });
  const providers: string[] = [];
  for (const name of variables) {
    const { info } = await store.add(name.slice(prefix.length), env[name]!, { interactive });
    providers.push(info.provider);
  }
  return { providers, count: providers.length };
}

function keyFields(info: KeyInfo): Fields {
  return {
    provider: info.provider,
    key_id: info.keyId,
    created_at: info.createdAt,
    last_used: info.lastUsed,
    expires_at: info.expiresAt,
    is_active: info.isActive,
    usage_count: info.usageCount,
    source: info.source,
  };
}
