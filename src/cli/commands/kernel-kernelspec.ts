import { resolve } from "node:path";
import { installKernelspec, type KernelspecPlace } from "../../kernel/kernelspec.ts";
import type { CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { usageError } from "../usage.ts";

export const kernelspecCommand: CommandDecl = {
  name: "install-kernelspec",
  summary: "Let Jupyter find this kernel",
  details:
    "Notebooks then offer LLMSpell as a kernel. It is started as this executable, with --config and --profile as they are given here. `jupyter kernelspec remove llmspell` takes it away.",
  options: [
    { flag: "--user", doc: "For this user (default)" },
    { flag: "--sys-prefix", doc: "For the active Python environment (VIRTUAL_ENV or CONDA_PREFIX)" },
    { flag: "--prefix", value: "DIRECTORY", doc: "For the Python environment in a directory" },
  ],
  run: install,
};

async function install(io: CommandIo, _args: unknown, options: OptionValues): Promise<number> {
  const { config, profile } = io.globals;
  const flags = [
    ...(config === undefined ? [] : ["--config", resolve(io.cwd, config)]),
    ...(profile === undefined ? [] : ["--profile", profile]),
  ];
  if (flags.length > 0) await io.loadConfig(); // a kernel that cannot start is of no use
  const { directory, argv } = installKernelspec(placeOf(io, options), io.env, [process.execPath], flags);
  if (io.mode === "json") io.json({ status: "installed", path: directory, argv });
  else io.out(`Kernelspec installed: ${directory}`);
  return EXIT.ok;
}

function placeOf(io: CommandIo, { user, "sys-prefix": environment, prefix }: OptionValues): KernelspecPlace {
  const chosen = [user === true, environment === true, prefix !== undefined].filter(Boolean);
  if (chosen.length > 1)
    throw usageError("Cannot install in several places: --user, --sys-prefix and --prefix", "Choose one");
  if (prefix !== undefined) return { type: "prefix", directory: resolve(io.cwd, prefix as string) };
  return { type: environment === true ? "sys-prefix" : "user" };
}
