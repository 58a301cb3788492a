import { resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import {
  installService,
  managerCommands,
  removeService,
  type ServiceOptions,
  type ServiceType,
} from "../../kernel/daemon/service.ts";
import type { CommandDecl, CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { usageError } from "../usage.ts";
import { wholeNumber } from "../whole-number.ts";

const WHICH: readonly OptionDecl[] = [
  {
    flag: "--service-type",
    value: "TYPE",
    choices: ["systemd", "launchd", "auto"],
    default: "auto",
    doc: "Service manager (auto: that of this operating system)",
  },
  { flag: "--type", value: "TYPE", choices: ["systemd", "launchd", "auto"], doc: "The same" },
  { flag: "--system", doc: "A service of the machine, not of the user" },
  { flag: "--name", value: "NAME", default: "llmspell-kernel", doc: "Name of the service" },
];

export const serviceCommands: readonly CommandDecl[] = [
  {
    name: "install-service",
    summary: "Let systemd or launchd start a kernel",
    options: [
      ...WHICH,
      { flag: "--port", short: "-p", value: "N", default: "9555", doc: "First port of the kernel" },
      { flag: "--id", short: "-i", value: "ID", doc: "Name of the kernel (default NAME-PORT)" },
      { flag: "--log-file", value: "FILE", doc: "Log file (default: one of the service's own)" },
      { flag: "--pid-file", value: "FILE", doc: "PID file (default: one of the service's own)" },
      { flag: "--enable", doc: "Start it whenever the user logs in, or the machine starts" },
      { flag: "--start", doc: "Start it now" },
      { flag: "--force", doc: "Replace a service file that is there" },
    ],
    run: install,
  },
  {
    name: "uninstall-service",
    summary: "Stop the service and remove its file",
    options: [...WHICH, { flag: "--keep-running", doc: "Remove the file only" }],
    run: uninstall,
  },
];

async function install(io: CommandIo, _args: unknown, options: OptionValues): Promise<number> {
  const which = whichOf(options);
  const port = wholeNumber("--port", options.port as string, 1, 65_530);
  const path = (flag: string) =>
    options[flag] === undefined ? undefined : resolve(io.cwd, options[flag] as string);
  const [logFile, pidFile] = [path("log-file"), path("pid-file")];
  const service: ServiceOptions = {
    ...which,
    port,
    id: (options.id as string | undefined) ?? `${which.name}-${port}`,
    ...(logFile === undefined ? {} : { logFile }),
    ...(pidFile === undefined ? {} : { pidFile }),
  };
  const written = installService(service, io.env, options.force === true);
  const steps = (["enable", "start"] as const).filter((step) => options[step] === true);
  const commands = managerCommands(service, written, steps.length > 0 ? steps : ["enable", "start"]);
  if (io.mode !== "json") io.out(`Service file written: ${written}`);
  if (steps.length > 0) for (const command of commands) runCommand(command);
  else if (io.mode !== "json") io.out(`Next:\n${commands.map((words) => `  ${words.join(" ")}`).join("\n")}`);
  if (io.mode === "json")
    io.json({ status: "installed", type: service.type, path: written, id: service.id, steps, commands });
  return EXIT.ok;
}

async function uninstall(io: CommandIo, _args: unknown, options: OptionValues): Promise<number> {
  const which = whichOf(options);
  const path = removeService(which, io.env, (path) => {
    if (options["keep-running"] === true) return;
    for (const command of managerCommands(which, path, ["stop", "disable"])) runCommand(command);
  });
  if (io.mode === "json") io.json({ status: "removed", type: which.type, path });
  else io.out(`Service file removed: ${path}`);
  return EXIT.ok;
}

/** @throws SpellError usage */
function whichOf(options: OptionValues): { type: ServiceType; system: boolean; name: string } {
  const name = options.name as string;
  if (!/^[\w.-]{1,64}$/.test(name))
    throw usageError(`Cannot name the service: letters, digits, "-", "_" and "." only: "${name}"`);
  const type = (options.type ?? options["service-type"]) as string;
  const own = process.platform === "darwin" ? "launchd" : "systemd";
  return { type: type === "auto" ? own : (type as ServiceType), system: options.system === true, name };
}

/** @throws SpellError platform */
function runCommand(words: readonly string[]): void {
  const hint = `The service file is in place: run \`${words.join(" ")}\` yourself`;
  if (Bun.which(words[0]!) === null)
    throw new SpellError("platform", `Cannot run ${words[0]}: it is not installed`, { hint });
  const { exitCode } = Bun.spawnSync([...words], { stdio: ["inherit", 2, "inherit"] });
  if (exitCode !== 0)
    throw new SpellError("platform", `Command failed: ${words.join(" ")}: code ${exitCode}`, { hint });
}
