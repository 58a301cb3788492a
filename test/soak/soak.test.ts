import { describe, expect, test } from "bun:test";
import { soaks } from "./list.ts";

/** A guard against a soak that hangs itself; each has guards of its own for what it runs. */
const GUARD_MS = 300_000;

describe("the short form of a soak holds", () => {
  for (const soak of soaks) {
    test(
      `${soak.name}: ${soak.description}`,
      async () => {
        const figures = await soak.run({ seed: 1, full: false });
        expect(Object.keys(figures)).not.toEqual([]);
      },
      GUARD_MS,
    );
  }
});
