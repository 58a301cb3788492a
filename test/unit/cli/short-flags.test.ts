/** Short options joined to their values and to each other, as POSIX's utility syntax guidelines 5 and 6 have them. */
import { describe, expect, test } from "bun:test";
import { parse } from "../../../src/cli/parse.ts";

const options = async (...argv: string[]) => (await parse(argv, {})).options;

describe("short options", () => {
  test("take the rest of the word as their value", async () => {
    for (const words of [["-cmy.toml"], ["-c", "my.toml"], ["-c=my.toml"], ["--config=my.toml"]]) {
      expect((await options(...words, "run", "a.lua")).config).toBe("my.toml");
      expect((await options("run", ...words, "a.lua")).config).toBe("my.toml");
    }
  });

  test("keep spaces, equals signs and dashes in such a value", async () => {
    for (const value of ["my file.toml", "a=b.toml", "-x.toml", "5"])
      expect((await options(`-c${value}`, "run", "a.lua")).config).toBe(value);
  });

  test("leave a value alone that looks like joined options", async () => {
    expect((await options("-c", "-pminimal", "run", "a.lua")).config).toBe("-pminimal");
  });

  test("stand together where they take none, the last one with a value", async () => {
    expect(await options("version", "-vcmy.toml")).toMatchObject({ verbose: true, config: "my.toml" });
    expect((await parse(["version", "-vh"], {})).help).toBe(true);
  });

  test("are refused as a whole where one of them does not exist", () => {
    expect(parse(["version", "-vz"], {})).rejects.toThrow("Unknown option of `llmspell version`: -vz");
    expect(parse(["version", "-zv"], {})).rejects.toThrow("Unknown option of `llmspell version`: -zv");
  });
});
