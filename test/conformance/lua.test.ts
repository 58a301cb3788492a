import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { harness } from "../unit/engine/harness.ts";

const directory = new URL("./lua/", import.meta.url);

/** Addresses differ between any two runs, and the reference program was given its script under this name. */
const comparable = (text: string) =>
  text.replace(/0x[0-9a-f]+/g, "0x…").replaceAll("test/conformance/lua/cases.lua", "cases.lua");

test("the language and its libraries behave as Debian's lua5.4 does", async () => {
  const zone = process.env.TZ;
  process.env.TZ = "UTC";
  const h = harness();
  const outcome = await h.run(readFileSync(new URL("cases.lua", directory)), { name: "cases.lua" });
  await h.engine.dispose();
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
  expect(outcome.error).toBeUndefined();
  const expected = comparable(readFileSync(new URL("expected.txt", directory), "utf8")).split("\n");
  expect(comparable(h.output()).split("\n")).toEqual(expected);
});
