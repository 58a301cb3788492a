/** Sessions whose steps are traced. */
import { span } from "../core/span.ts";
import type { SessionService } from "./service.ts";

const STEPS = [
  "create",
  "save",
  "load",
  "suspend",
  "resume",
  "complete",
  "fail",
  "archive",
  "delete",
  "checkpoint",
  "restore",
  "export",
  "import",
] as const satisfies readonly (keyof SessionService)[];

/** The same service. */
export function watchedSessions(sessions: SessionService): SessionService {
  for (const operation of STEPS) {
    const step = (sessions[operation] as (...args: unknown[]) => Promise<unknown>).bind(sessions);
    Object.assign(sessions, {
      [operation]: (...args: unknown[]) => span({ category: "session", operation }, () => step(...args)),
    });
  }
  return sessions;
}
