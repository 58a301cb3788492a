/** The commands: name and summary here, so that help loads none of them; the rest in one file each. */
import type { CommandDecl } from "./command.ts";

export interface CommandEntry {
  name: string;
  summary: string;
  aliases?: readonly string[];
  hidden?: boolean;
  load: () => Promise<CommandDecl>;
}

export const commands: readonly CommandEntry[] = [
  { name: "run", summary: "Run a script", load: async () => (await import("./commands/run.ts")).command },
  {
    name: "exec",
    summary: "Run a piece of code",
    load: async () => (await import("./commands/exec.ts")).command,
  },
  {
    name: "repl",
    summary: "Type code at a prompt",
    load: async () => (await import("./commands/repl.ts")).command,
  },
  {
    name: "tool",
    summary: "List, inspect, call and test tools",
    load: async () => (await import("./commands/tool.ts")).command,
  },
  {
    name: "session",
    summary: "List, show, replay, move and remove sessions",
    load: async () => (await import("./commands/session.ts")).command,
  },
  {
    name: "workflow",
    summary: "List, show, resume and cancel durable workflow runs",
    load: async () => (await import("./commands/workflow.ts")).command,
  },
  {
    name: "model",
    summary: "Manage local models",
    load: async () => (await import("./commands/model.ts")).command,
  },
  {
    name: "state",
    summary: "Show, change, move, check and repair stored state",
    load: async () => (await import("./commands/state.ts")).command,
  },
  {
    name: "serve",
    summary: "Offer the local models over an OpenAI-compatible HTTP API",
    load: async () => (await import("./commands/serve.ts")).command,
  },
  {
    name: "kernel",
    summary: "Start, stop and watch kernels that other programs connect to",
    load: async () => (await import("./commands/kernel.ts")).command,
  },
  {
    name: "doctor",
    summary: "Examine what local models need on this machine",
    load: async () => (await import("./commands/doctor.ts")).command,
  },
  {
    name: "providers",
    summary: "Show and test model providers",
    load: async () => (await import("./commands/providers.ts")).command,
  },
  {
    name: "config",
    summary: "Create, check, show and trust configuration",
    load: async () => (await import("./commands/config.ts")).command,
  },
  {
    name: "backup",
    summary: "Save state to files, and restore it",
    load: async () => (await import("./commands/backup.ts")).command,
  },
  {
    name: "keys",
    summary: "Store API keys of model providers",
    load: async () => (await import("./commands/keys.ts")).command,
  },
  {
    name: "setup",
    summary: "Set up a provider step by step",
    load: async () => (await import("./commands/setup.ts")).command,
  },
  {
    name: "completion",
    summary: "Print a completion script for bash, zsh or fish",
    load: async () => (await import("./commands/completion.ts")).completionCommand(commands),
  },
  {
    name: "version",
    summary: "Show the version",
    load: async () => (await import("./commands/version.ts")).command,
  },
];

export function findCommand(word: string): CommandEntry | undefined {
  return commands.find((c) => c.name === word || c.aliases?.includes(word));
}
