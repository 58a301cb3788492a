import release from "../../../native/release.json";
import { ownFiles, strangerFiles } from "../../config/discover.ts";
import { type LoadedConfig, loadConfig } from "../../config/load.ts";
import { PROFILES } from "../../config/profiles.ts";
import { errorFromJson, errorToJson, SpellError } from "../../core/errors.ts";
import { Log } from "../../core/log.ts";
import { homeDirectory } from "../../core/paths.ts";
import { build, shortVersion } from "../../core/version.ts";
import type { DoctorProblem, DoctorReply, KernelClient } from "../../kernel/api.ts";
import type { CommandDecl, CommandIo } from "../command.ts";
import { doctorText } from "../doctor-text.ts";
import { EXIT } from "../exit-codes.ts";

export const command: CommandDecl = {
  name: "doctor",
  summary: "Examine what local models need on this machine",
  details:
    "Shows what was found, what was chosen and why, and a next step for each problem. The built-in model is tried on the chosen device. No network is touched. The exit code is 1 when local models cannot be run.",
  options: [],
  run: doctor,
};

export interface Program {
  version: string;
  target: string;
  executable: string;
  bun: string;
  llama_cpp: string;
}

export interface Configuration {
  source: string | null;
  /** Configuration files that are there, in the order of precedence; the first counts. */
  files: string[];
  ignored_keys: readonly string[];
  error: string | null;
}

export interface DoctorDocument extends Omit<DoctorReply, "status"> {
  status: "ok" | "unusable";
  program: Program;
  configuration: Configuration;
  profiles: string[];
  network: "not touched";
}

async function doctor(io: CommandIo): Promise<number> {
  const { configuration, problems, kernel } = await configurationOf(io);
  const reply = await (await kernel).request({ type: "doctor" }, { signal: io.signal });
  if (reply.status === "error") throw errorFromJson(reply.error as Parameters<typeof errorFromJson>[0]);
  const { status: _, ...found } = reply as DoctorReply;
  const all = [...problems, ...found.problems];
  const isUsable = !all.some(({ severity }) => severity === "error");
  const document: DoctorDocument = {
    status: isUsable ? "ok" : "unusable",
    program: {
      version: shortVersion(),
      target: build.target,
      executable: process.execPath,
      bun: Bun.version,
      llama_cpp: release.llamaCpp,
    },
    ...found,
    configuration,
    profiles: PROFILES.map(({ name }) => name),
    network: "not touched",
    problems: all,
  };
  if (io.mode === "json") io.json(document, true);
  else io.out(doctorText(document, io.mode === "pretty"));
  return isUsable ? EXIT.ok : EXIT.failure;
}

/** With a configuration that cannot be used, the rest is examined under the defaults. */
async function configurationOf(io: CommandIo): Promise<{
  configuration: Configuration;
  problems: DoctorProblem[];
  kernel: Promise<KernelClient>;
}> {
  const { existsSync } = await import("node:fs");
  const home = homeDirectory(io.env);
  const [first, ...others] = ownFiles(io.env, home);
  const files = [first!, ...strangerFiles(io.cwd), ...others].filter((path) => existsSync(path));
  try {
    const { source, ignoredUntrusted } = await io.loadConfig();
    const configuration = { source, files, ignored_keys: ignoredUntrusted, error: null };
    return { configuration, problems: ignoredKeys(ignoredUntrusted, source), kernel: io.kernel() };
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    const { message, hint } = errorToJson(error);
    const defaults = await loadConfig({ profile: "minimal", env: {}, cwd: io.cwd, home });
    return {
      configuration: { source: null, files, ignored_keys: [], error: message },
      problems: [
        { severity: "error", message, hint: hint ?? "`llmspell config validate` shows all problems" },
      ],
      kernel: kernelOf(io, defaults),
    };
  }
}

function ignoredKeys(keys: readonly string[], source: string): DoctorProblem[] {
  if (keys.length === 0) return [];
  const message = `Settings of ${source} are ignored, because the file was found and not named: ${keys.join(", ")}`;
  return [{ severity: "warning", message, hint: `Read the file, then run: llmspell config trust ${source}` }];
}

async function kernelOf(io: CommandIo, loaded: LoadedConfig): Promise<KernelClient> {
  const { createKernel } = await import("../../kernel/kernel.ts");
  return createKernel({ loaded, log: new Log(() => {}, "error"), env: io.env, cwd: io.cwd });
}
