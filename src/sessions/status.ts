/** Which moves a session may make (spec/kernel.md section 14). */
import { SpellError } from "../core/errors.ts";
import type { SessionStatus } from "./service.ts";

const MOVES: Readonly<Record<SessionStatus, readonly SessionStatus[]>> = {
  active: ["suspended", "completed", "failed"],
  suspended: ["active", "completed", "failed"],
  completed: ["archived"],
  failed: ["archived"],
  archived: [],
};

export const STATUSES = Object.keys(MOVES) as SessionStatus[];

/** @throws SpellError invalid_argument */
export function checkMove(from: SessionStatus, to: SessionStatus): void {
  if (MOVES[from].includes(to)) return;
  const next = MOVES[from];
  throw new SpellError(
    "invalid_argument",
    `Invalid session state transition from ${capital(from)} to ${capital(to)}`,
    {
      data: { from, to },
      hint:
        next.length === 0
          ? "An archived session stays as it is"
          : `A session that is ${from} can become ${next.join(" or ")}`,
    },
  );
}

const capital = (word: string): string => `${word[0]!.toUpperCase()}${word.slice(1)}`;
