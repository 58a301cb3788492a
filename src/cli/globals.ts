import { LOG_LEVELS } from "../core/log.ts";
import type { OptionDecl } from "./command.ts";

/** Options every command takes, before or after its name (spec/cli.md section 1.1). */
export const GLOBAL_OPTIONS: readonly OptionDecl[] = [
  { flag: "--config", short: "-c", value: "FILE", doc: "TOML configuration file (else LLMSPELL_CONFIG)" },
  {
    flag: "--profile",
    short: "-p",
    value: "NAME",
    doc: "Built-in profile (else LLMSPELL_PROFILE); the file of --config is then ignored",
  },
  {
    flag: "--trace",
    value: "LEVEL",
    choices: ["off", ...LOG_LEVELS],
    doc: "Log level on stderr (default warn; RUST_LOG and LLMSPELL_LOG win)",
  },
  {
    flag: "--output",
    value: "MODE",
    choices: ["text", "json", "pretty"],
    default: "text",
    doc: "How results are printed",
  },
  { flag: "--help", short: "-h", doc: "Show help" },
  { flag: "--version", short: "-V", doc: "Show the version" },
];
