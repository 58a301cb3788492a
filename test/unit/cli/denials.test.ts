/** Options that begin with `--no-`. */
import { describe, expect, test } from "bun:test";
import type { CommandDecl } from "../../../src/cli/command.ts";
import { parse } from "../../../src/cli/parse.ts";
import { commands } from "../../../src/cli/registry.ts";

/** Of all commands: their words with an argument for each they need, and the option. */
async function denials(): Promise<[words: string[], flag: string][]> {
  const found: [string[], string][] = [];
  const look = (command: CommandDecl, path: string[]) => {
    const args = (command.args ?? []).filter((arg) => !arg.optional).map(() => "x");
    for (const { flag } of command.options)
      if (flag.startsWith("--no-")) found.push([[...path, ...args], flag]);
    for (const sub of command.subcommands ?? []) look(sub, [...path, sub.name]);
  };
  for (const { name, load } of commands) look(await load(), [name]);
  return found;
}

describe("An option that denies something", () => {
  test("is true where it is given, and false where not", async () => {
    const all = await denials();
    expect(all.map(([, flag]) => flag)).toContain("--no-backup");
    for (const [words, flag] of all) {
      const given = async (...more: string[]) =>
        (await parse([...words, ...more], {})).options[flag.slice(2)];
      expect([flag, await given(), await given(flag)]).toEqual([flag, false, true]);
    }
  });
});
