import { DebugSession, type DebugSettings } from "../../debug/session.ts";
import type { LocalContext, LocalEnvironment } from "../declare.ts";

const sessions = new WeakMap<LocalEnvironment, DebugSession>();

/** The debug state of the VM that calls; its settings are fetched from the kernel at the first use. */
export function sessionOf(ctx: LocalContext<unknown>): DebugSession {
  const known = sessions.get(ctx.env);
  if (known !== undefined) return known;
  const settings = ctx.wait("Debug", "settings") as unknown as DebugSettings;
  const session = new DebugSession(settings, (output) => ctx.post("Debug", "write", { ...output }));
  sessions.set(ctx.env, session);
  return session;
}
