import { describe, expect, test } from "bun:test";
import { runJq } from "../../../src/tools/data/json-processor/jq.ts";
import expected from "./expected.json" with { type: "json" };

const input = JSON.stringify(expected.input);
const values = (texts: readonly string[]) => texts.map((text) => JSON.parse(text));

describe("json-processor answers as jq", () => {
  test.each(expected.cases as [string, string[] | null][])("%s", async (program, outputs) => {
    if (outputs === null) await expect(runJq(input, program)).rejects.toThrow();
    else expect(values(await runJq(input, program))).toEqual(values(outputs));
  });
});
