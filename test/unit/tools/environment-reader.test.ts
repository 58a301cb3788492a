/** Expected lists: spec/tools.md section 7.6. */
import { afterAll, describe, expect, test } from "bun:test";
import { bench, failure, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

const ENV = {
  PATH: "/bin",
  HOME: "/home/ada",
  LC_ALL: "C",
  LC_TIME: "de_DE",
  TZ: "UTC",
  AWS_REGION: "eu",
  OPENAI_API_KEY: "sk-secret",
  LC_SECRET: "hidden",
  DB_PASSWORD: "hidden",
  MY_APP_MODE: "dev",
  EMPTY: "",
};

function reader(allowed: string[] = []) {
  const { tools } = bench(
    (draft) => {
      draft.tools.system.allowed_env_vars = allowed;
    },
    { env: ENV },
  );
  return (params: Record<string, unknown>) => tools.execute("environment_reader", params);
}

describe("environment-reader", () => {
  test("get reads an allowed variable, and tells when it is not set", async () => {
    expect(await reader()({ operation: "get", variable_name: "HOME" })).toMatchObject({
      result: { variable_name: "HOME", value: "/home/ada", found: true },
      primary: "/home/ada",
    });
    expect((await reader()({ operation: "get", name: "SHELL" })).result).toEqual({
      variable_name: "SHELL",
      value: null,
      found: false,
    });
  });

  test.each(["MY_APP_MODE", "path", "PATHX", "LD_PRELOAD"])(
    "get refuses %s, which is not on the list",
    async (name) => {
      const error = await failure(reader()({ operation: "get", name }));
      expect(error.code).toBe("permission_denied");
      expect(error.message).toContain("not in allowlist");
      expect(error.hint).toContain("allowed_env_vars");
    },
  );

  test.each([
    "OPENAI_API_KEY",
    "DB_PASSWORD",
    "AWS_REGION",
    "LC_SECRET",
    "github_token",
    "SSH_AUTH_SOCK",
    "X_PRIVATE_Y",
  ])("get refuses %s even when the configuration allows everything", async (name) => {
    const error = await failure(reader(["*"])({ operation: "get", name }));
    expect(error.message).toContain("blocked pattern");
    expect(error.message).not.toContain("hidden");
  });

  test("configured names are readable, patterns too", async () => {
    expect((await reader(["MY_APP_*"])({ operation: "get", name: "MY_APP_MODE" })).primary).toBe("dev");
    expect((await reader(["EMPTY"])({ operation: "get", name: "EMPTY" })).result).toMatchObject({
      value: "",
      found: true,
    });
  });

  test("list leaves out what may not be read, and takes a pattern", async () => {
    expect((await reader()({ operation: "list" })).result).toEqual({
      variables: { HOME: "/home/ada", LC_ALL: "C", LC_TIME: "de_DE", PATH: "/bin", TZ: "UTC" },
      count: 5,
    });
    expect((await reader()({ operation: "list", pattern: "LC_*" })).result).toMatchObject({ count: 2 });
  });

  test("pattern matches whole names with * and ?", async () => {
    expect((await reader()({ operation: "pattern", pattern: "?Z" })).result).toEqual({
      pattern: "?Z",
      variables: { TZ: "UTC" },
      count: 1,
    });
    expect((await failure(reader()({ operation: "pattern" }))).message).toBe(
      "Missing required parameter 'pattern'",
    );
  });

  test("a pattern made to be slow is not", async () => {
    const pattern = `${"*A".repeat(2000)}!`;
    const { tools } = bench(() => {}, { env: { PATH: "A".repeat(5000), [`LC_${"A".repeat(5000)}`]: "x" } });
    expect(
      (await tools.execute("environment-reader", { operation: "pattern", pattern })).result,
    ).toMatchObject({ count: 0 });
  });

  test("returns at most 100 variables", async () => {
    const env = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`LC_${i}`, "x"]));
    const { tools } = bench(() => {}, { env });
    expect((await tools.execute("environment-reader", { operation: "list" })).result).toMatchObject({
      count: 100,
      truncated: true,
    });
  });

  test("does not set variables", async () => {
    expect((await failure(reader()({ operation: "set", variable_name: "TZ", value: "x" }))).code).toBe(
      "invalid_argument",
    );
  });
});
