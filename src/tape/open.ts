/** Opens the recording that a run writes or is replayed from. */
import { redact } from "../config/redact.ts";
import type { Config } from "../config/schema.ts";
import { SpellError } from "../core/errors.ts";
import { errnoOf, ioError } from "../core/io-error.ts";
import type { Log } from "../core/log.ts";
import type { Tape } from "../core/tape.ts";
import { shortVersion } from "../core/version.ts";
import type { KeyStore } from "../security/keys/store.ts";
import { readTape, TAPE_VERSION } from "./format.ts";
import { environmentSecrets, Secrets } from "./secrets.ts";

export interface TapeRequest {
  record?: { path: string; overwrite: boolean };
  replay?: string;
}

export interface TapeSurroundings {
  config: Config;
  env: Readonly<Record<string, string | undefined>>;
  keys: KeyStore;
  log: Log;
  scriptName: string;
}

/** @throws SpellError already_exists, not_found, config, io */
export async function openTape(request: TapeRequest, around: TapeSurroundings): Promise<Tape & Disposable> {
  const secrets = new Secrets(await secretsOf(around));
  const { record, replay } = request;
  if (replay !== undefined) return player(replay, secrets, around);
  if (record === undefined) throw new SpellError("internal", "Cannot open a recording: none is named");
  const { Recorder } = await import("./recorder.ts");
  const header = {
    llmspell_recording: TAPE_VERSION,
    llmspell: shortVersion(),
    created: new Date().toISOString(),
    script: around.scriptName,
    time_zone: timeZone(),
  };
  const onRedacted = (name: string) =>
    around.log.warn(
      "cli",
      "An answer held a secret: the recording has [REDACTED] in its place, and so will a replay",
      {
        of: name,
      },
    );
  return new Recorder({ ...record, header, secrets, onRedacted });
}

async function player(path: string, secrets: Secrets, { log }: TapeSurroundings) {
  const { Player } = await import("./player.ts");
  let text: string;
  try {
    text = await Bun.file(path).text();
  } catch (error) {
    if (errnoOf(error) === "ENOENT")
      throw new SpellError("not_found", `Cannot replay: there is no such file: ${path}`, {
        data: { path },
        hint: `Record it first: llmspell run SCRIPT --record ${path}`,
      });
    throw ioError("Cannot replay", path, error, "Name a file that was recorded");
  }
  const tape = readTape(text, path);
  if (tape.header.time_zone !== timeZone())
    log.warn("cli", "The recording was made in another time zone: os.date may give other texts", {
      recorded: tape.header.time_zone,
      here: timeZone(),
    });
  return new Player({ path, tape, secrets });
}

const timeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What this process knows to be secret: of the configuration, the environment and the key store. */
async function secretsOf({ config, env, keys }: TapeSurroundings): Promise<string[]> {
  const found = [...environmentSecrets(env)];
  redact(config, [], (secret) => {
    found.push(secret);
    return secret;
  });
  for (const { provider } of keys.list()) {
    // A key that cannot be opened here cannot reach a request either.
    const key = await keys.reveal(provider).catch(() => undefined);
    if (key !== undefined) found.push(key);
  }
  return found;
}
