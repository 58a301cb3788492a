/** What the requests of the Jupyter protocol hold (jupyter-client.readthedocs.io, "Messaging in Jupyter"). */
import { Type } from "typebox";

const Cursor = { code: Type.String(), cursor_pos: Type.Integer({ minimum: 0 }) };

export const ExecuteContent = Type.Object({
  code: Type.String(),
  silent: Type.Boolean({ default: false }),
  store_history: Type.Boolean({ default: true }),
  user_expressions: Type.Record(Type.String(), Type.String(), { default: {} }),
  allow_stdin: Type.Boolean({ default: false }),
  stop_on_error: Type.Boolean({ default: true }),
});

export const CompleteContent = Type.Object(Cursor);

export const InspectContent = Type.Object({
  ...Cursor,
  detail_level: Type.Integer({ minimum: 0, maximum: 1, default: 0 }),
});

export const IsCompleteContent = Type.Object({ code: Type.String() });

export const ShutdownContent = Type.Object({ restart: Type.Boolean({ default: false }) });

const Session = Type.Integer({ default: 0 });
const Count = Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]);

export const HistoryContent = Type.Object({
  output: Type.Boolean({ default: false }),
  hist_access_type: Type.Union([Type.Literal("range"), Type.Literal("tail"), Type.Literal("search")]),
  session: Session,
  start: Type.Optional(Count),
  stop: Type.Optional(Count),
  n: Type.Optional(Count),
  pattern: Type.Optional(Type.String()),
  unique: Type.Boolean({ default: false }),
});
