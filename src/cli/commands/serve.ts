import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { errorFromJson } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import type { CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { ProgressLine } from "../progress.ts";
import { usageError } from "../usage.ts";

const TOKEN_VARIABLE = "LLMSPELL_SERVE_TOKEN";
const MIN_TOKEN_LENGTH = 16;

export const command: CommandDecl = {
  name: "serve",
  summary: "Offer the local models over an OpenAI-compatible HTTP API",
  details: `Prints its address when it is ready, and serves until Ctrl-C or SIGTERM: what is being answered may then end, for shutdown.grace_period_secs at most; a second signal ends it at once. Clients send the token of --token-file or ${TOKEN_VARIABLE}; without one, only this machine may be served. A token on the command line would be seen by all its users, so there is no option for one.`,
  options: [
    { flag: "--host", value: "ADDRESS", default: "127.0.0.1", doc: "Address to listen at" },
    { flag: "--port", value: "N", default: "8080", doc: "Port to listen at; 0 takes any that is free" },
    {
      flag: "--model",
      short: "-m",
      value: "ID",
      repeat: true,
      doc: "Load this model at once, and serve only those named (may be repeated; default: all local models)",
    },
    {
      flag: "--token-file",
      value: "FILE",
      doc: `File with the token that clients must send (else ${TOKEN_VARIABLE})`,
    },
    {
      flag: "--allow-origin",
      value: "ORIGIN",
      repeat: true,
      doc: "Web pages of this origin may call, such as https://example.org (may be repeated)",
    },
    {
      flag: "--allow-host",
      value: "NAME",
      repeat: true,
      doc: "Clients may reach the server under this name too (may be repeated)",
    },
    {
      flag: "--max-requests",
      value: "N",
      default: "256",
      doc: "Requests answered or waiting at the same time; more get status 429",
    },
  ],
  run: serve,
};

async function serve(io: CommandIo, _args: unknown, options: OptionValues): Promise<number> {
  const token = readToken(io, options["token-file"] as string | undefined);
  const models = listOf(options.model);
  const kernel = await io.kernel();
  const progress = new ProgressLine(io);
  const reply = await kernel.request(
    {
      type: "serve",
      host: options.host as string,
      port: wholeNumber("--port", options.port as string, 0, 65535),
      maxRequests: wholeNumber("--max-requests", options["max-requests"] as string, 1, 100_000),
      ...(token === undefined ? {} : { token }),
      models,
      origins: listOf(options["allow-origin"]).map(originOf),
      hosts: listOf(options["allow-host"]).map(hostOf),
    },
    {
      signal: io.signal,
      onEvent: (event) => {
        if (event.type === "progress") progress.show(event.label, event.done, event.total);
        if (event.type !== "listening") return;
        progress.clear();
        const { url, host, port } = event;
        if (io.mode === "json")
          io.json({ status: "listening", url, host, port, pid: process.pid, token: token !== undefined });
        else io.out(`Listening on ${url}`);
      },
    },
  );
  progress.clear();
  if (reply.status === "error") throw errorFromJson(reply.error);
  return EXIT.ok;
}

function listOf(value: OptionValues[string]): string[] {
  return Array.isArray(value) ? value : typeof value === "string" ? [value] : [];
}

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usageError(
    `Cannot serve: ${flag} must be a whole number between ${least} and ${most}: "${text}"`,
    "Run `llmspell serve --help` for its options",
  );
}

/** An origin as browsers write it. */
function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.origin !== "null" && text.replace(/\/$/, "").toLowerCase() === url.origin)
    return url.origin;
  throw usageError(
    `Cannot serve: --allow-origin must be a scheme, a host and no path: "${text}"`,
    "Write it as the address bar of a browser begins: https://example.org or http://localhost:3000",
  );
}

/** A name as it stands in the Host header, without its port. */
function hostOf(text: string): string {
  if (/^[\w-]+(\.[\w-]+)*$/.test(text)) return text;
  throw usageError(
    `Cannot serve: --allow-host must be the name of a host, without scheme, port and path: "${text}"`,
    "Write it as clients do between http:// and the port: models.lan",
  );
}

/** @throws SpellError usage for a token that is too weak, io for a file that cannot be read */
function readToken(io: CommandIo, file: string | undefined): string | undefined {
  const token =
    file === undefined ? io.env[TOKEN_VARIABLE] || undefined : readTokenFile(io, resolve(io.cwd, file));
  if (token === undefined) return undefined;
  const source = file === undefined ? TOKEN_VARIABLE : file;
  if (token.length >= MIN_TOKEN_LENGTH && /^[\x21-\x7e]+$/.test(token)) return token;
  throw usageError(
    `Cannot serve: the token must be ${MIN_TOKEN_LENGTH} characters or more, without spaces: ${source}`,
    `Make one with \`openssl rand -hex 32 > FILE\``,
  );
}

function readTokenFile(io: CommandIo, path: string): string {
  try {
    if (process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0)
      io.err(`Warning: other users of this machine can read the token: ${path} (chmod 600 ends that)`);
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw ioError("Cannot read the token", path, cause, "Check the path of --token-file");
  }
}
