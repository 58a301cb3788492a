import { describe, expect, test } from "bun:test";
import { validate } from "../../../src/tools/data/json-processor/schema-check.ts";
import expected from "./expected.json" with { type: "json" };

type Case = { schema: unknown; instances: [value: unknown, wrongAt: string[]][] };

describe("json-processor validates by draft 7", () => {
  test.each((expected as Case[]).map((one) => [JSON.stringify(one.schema), one] as const))(
    "%s",
    (_name, one) => {
      for (const [value, wrongAt] of one.instances) {
        const { is_valid, errors } = validate(one.schema, value);
        expect([value, is_valid]).toEqual([value, wrongAt.length === 0]);
        const isPlaced = errors.every(({ path }) =>
          wrongAt.some((place) => path.startsWith(place) || place.startsWith(path)),
        );
        expect([value, errors, isPlaced]).toEqual([value, errors, true]);
      }
    },
  );
});
