/** What the operating system's signals do to a kernel: spec/kernel.md section 10.1. */
import type { Config } from "../config/schema.ts";

export interface SignalActions {
  shutDown(signal: NodeJS.Signals): void;
  /** Ends at once. */
  force(signal: NodeJS.Signals): void;
  /** False where nothing ran. */
  interrupt(): boolean;
  reload(): void;
  dump(): void;
  /** True from the beginning of a shutdown. */
  isEnding(): boolean;
}

/** @param foreground SIGINT ends a kernel that does nothing @returns takes the handlers away */
export function handleSignals(
  actions: SignalActions,
  settings: () => Config["signals"],
  foreground: boolean,
): () => void {
  const end = (signal: NodeJS.Signals) => {
    if (!actions.isEnding()) actions.shutDown(signal);
    else if (settings().force_shutdown_on_second_signal) actions.force(signal);
  };
  const handlers: Partial<Record<NodeJS.Signals, (signal: NodeJS.Signals) => void>> = {
    SIGTERM: (signal) => settings().handle_sigterm && end(signal),
    SIGINT: (signal) => {
      if (!settings().handle_sigint) return;
      const ends = actions.isEnding() || (!actions.interrupt() && foreground);
      if (ends) end(signal);
    },
    SIGHUP: () => settings().handle_sighup && actions.reload(),
    SIGUSR1: () => settings().handle_sigusr1 && actions.reload(),
    SIGUSR2: () => settings().handle_sigusr2 && actions.dump(),
    SIGPIPE: () => {}, // a client that has left shows as a failed write
  };
  const entries = Object.entries(handlers) as [NodeJS.Signals, (signal: NodeJS.Signals) => void][];
  for (const [signal, handler] of entries) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of entries) process.off(signal, handler);
  };
}
