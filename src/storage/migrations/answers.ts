/** Answers of models that need not be asked again (`src/models/calls/cache.ts`). */
export const ANSWERS = `
CREATE TABLE model_answer (
  key TEXT PRIMARY KEY,
  made_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  parts TEXT NOT NULL
);
CREATE INDEX model_answer_by_use ON model_answer (used_ms);
`;
