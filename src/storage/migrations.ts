/**
 * The steps that made the database what it is, in order. Append only: a released step is never changed, removed or moved.
 * A step's name is recorded in the database with it.
 */
import { ANSWERS } from "./migrations/answers.ts";
import { EVENTS } from "./migrations/events.ts";
import { ARTIFACTS, REPLAY, REPLAY_WITHIN, SESSIONS } from "./migrations/sessions.ts";
import { STATE } from "./migrations/state.ts";
import { WORKFLOWS } from "./migrations/workflows.ts";

export interface Migration {
  /** `0001_state`, and so on: the number is the place in the list. */
  name: string;
  sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  { name: "0001_state", sql: STATE },
  { name: "0005_events", sql: EVENTS },
  { name: "0002_sessions", sql: SESSIONS },
  { name: "0003_artifacts", sql: ARTIFACTS },
  { name: "0004_replay", sql: REPLAY },
  { name: "0006_model_answers", sql: ANSWERS },
  { name: "0007_workflows", sql: WORKFLOWS },
  { name: "0008_replay_within", sql: REPLAY_WITHIN },
];
