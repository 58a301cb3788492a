/** The thread on which user queries and schemas run; it is ended when one takes too long. */
import { errorToJson, SpellError } from "../../../core/errors.ts";
import { parseJson } from "../../../core/json.ts";
import { checkDepth } from "./depth.ts";
import { runJq } from "./jq.ts";
import type { Answer, Job } from "./protocol.ts";
import { validate } from "./schema-check.ts";

declare const self: { onmessage: (event: { data: Job }) => void; postMessage(answer: Answer): void };

self.onmessage = async ({ data: job }) => {
  self.postMessage(await answer(job));
};

async function answer(job: Job): Promise<Answer> {
  try {
    return { value: await run(job) };
  } catch (error) {
    return { error: errorToJson(error) };
  }
}

async function run(job: Job): Promise<unknown> {
  switch (job.kind) {
    case "query": {
      read(job.input, job.maxDepth);
      const values = (await runJq(job.input, job.query)).map(parseJson);
      return values.length === 1 ? values[0] : values;
    }
    case "validate":
      return validate(job.schema, read(job.input, job.maxDepth));
    case "lines": {
      const values = readLines(job.input, job.maxDepth);
      if (job.query === undefined) return values;
      return (await runJq(job.input, job.query)).map(parseJson);
    }
  }
}

function read(text: string, maxDepth: number): unknown {
  checkDepth(text, maxDepth);
  return parseJson(text);
}

function readLines(text: string, maxDepth: number): unknown[] {
  const values: unknown[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      values.push(read(line, maxDepth));
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      throw new SpellError(error.code, `Line ${index + 1}: ${error.message}`, {
        data: { ...error.data, line: index + 1 },
        cause: error,
      });
    }
  }
  return values;
}
