/** Service files on this machine: where they go, and what the service manager is told. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import { dataDirectory, homeDirectory } from "../../core/paths.ts";
import { launchdLabel, launchdPlist, systemdUnit, type UnitFacts } from "./units.ts";

export type ServiceType = "systemd" | "launchd";

export interface ServiceOptions {
  type: ServiceType;
  system: boolean;
  name: string;
  port: number;
  id: string;
  logFile?: string;
  pidFile?: string;
}

type Env = Record<string, string | undefined>;

export function servicePath(
  { type, system, name }: Pick<ServiceOptions, "type" | "system" | "name">,
  env: Env,
) {
  const home = homeDirectory(env);
  if (type === "systemd")
    return system
      ? `/etc/systemd/system/${name}.service`
      : join(env.XDG_CONFIG_HOME || join(home, ".config"), "systemd", "user", `${name}.service`);
  const file = `${launchdLabel(name)}.plist`;
  return system ? `/Library/LaunchDaemons/${file}` : join(home, "Library", "LaunchAgents", file);
}

/** @throws SpellError already_exists unless `force`, io */
export function installService(options: ServiceOptions, env: Env, force: boolean): string {
  const path = servicePath(options, env);
  if (!force && existsSync(path))
    throw new SpellError("already_exists", `Service file already exists at ${path}`, {
      hint: "--force replaces it",
    });
  const facts = factsOf(options, env);
  try {
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(dirname(facts.logFile), { recursive: true });
    writeFileSync(path, options.type === "systemd" ? systemdUnit(facts) : launchdPlist(facts), {
      mode: 0o644,
    });
  } catch (error) {
    throw ioError(
      "Cannot write the service file",
      path,
      error,
      options.system ? "Run it with sudo" : undefined,
    );
  }
  return path;
}

/** @param before called with the path before the file is removed @throws SpellError not_found, io */
export function removeService(
  options: Pick<ServiceOptions, "type" | "system" | "name">,
  env: Env,
  before: (path: string) => void,
): string {
  const path = servicePath(options, env);
  if (!existsSync(path))
    throw new SpellError("not_found", `No service file at ${path}`, {
      hint: "--name, --system and --type say which one is meant",
    });
  before(path);
  try {
    rmSync(path);
  } catch (error) {
    throw ioError(
      "Cannot remove the service file",
      path,
      error,
      options.system ? "Run it with sudo" : undefined,
    );
  }
  return path;
}

function factsOf({ type, system, name, port, id, logFile, pidFile }: ServiceOptions, env: Env): UnitFacts {
  const data = dataDirectory(env);
  const ofSystemd = type === "systemd";
  const defaults = system
    ? {
        pid: ofSystemd ? `/run/${name}/${name}.pid` : `/var/run/${name}.pid`,
        log: ofSystemd ? `/var/log/${name}/${name}.log` : `/var/log/${name}.log`,
      }
    : {
        pid: ofSystemd ? `%t/${name}.pid` : join(env.TMPDIR || "/tmp", `${name}.pid`),
        log: join(data, "logs", `${name}.log`),
      };
  const user = env.SUDO_USER || userInfo().username;
  return {
    executable: process.execPath,
    name,
    id,
    port,
    pidFile: pidFile ?? defaults.pid,
    logFile: logFile ?? defaults.log,
    system: system ? { user, group: user, dataDirectory: data } : undefined,
    environment: env.LLMSPELL_HOME ? { LLMSPELL_HOME: env.LLMSPELL_HOME } : {},
  };
}

/** What the service manager is told, one command after the other. */
export function managerCommands(
  { type, system, name }: Pick<ServiceOptions, "type" | "system" | "name">,
  path: string,
  steps: readonly ("enable" | "start" | "stop" | "disable")[],
): string[][] {
  const sudo = system ? ["sudo"] : [];
  if (type === "launchd") {
    const of = { enable: "load", start: "start", stop: "stop", disable: "unload" } as const;
    return steps.map((step) => {
      const verb = of[step];
      return [...sudo, "launchctl", verb, verb === "load" || verb === "unload" ? path : launchdLabel(name)];
    });
  }
  const systemctl = [...sudo, "systemctl", ...(system ? [] : ["--user"])];
  const begins = steps.includes("enable") || steps.includes("start");
  return [
    ...(begins ? [[...systemctl, "daemon-reload"]] : []),
    ...steps.map((step) => [...systemctl, step, `${name}.service`]),
  ];
}
