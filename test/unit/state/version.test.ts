/** Expected order: semver.org, rule 11. */
import { describe, expect, test } from "bun:test";
import { compareVersions, isCompatible, parseVersion } from "../../../src/state/migration/version.ts";

const order = (a: string, b: string) => Math.sign(compareVersions(parseVersion(a), parseVersion(b)));

describe("A schema version", () => {
  test("is ordered as Semantic Versioning says", () => {
    const rising = [
      "0.9.9",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.10",
      "1.2.0",
      "2.0.0",
    ];
    for (const [i, a] of rising.entries())
      for (const [j, b] of rising.entries()) expect([a, b, order(a, b)]).toEqual([a, b, Math.sign(i - j)]);
    expect(order("1.0.0+a", "1.0.0+b")).toBe(0);
  });

  test.each(["", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-a..b", "1.0.0 "])(
    "is not %j",
    (text) => {
      expect(() => parseVersion(text)).toThrow(`Invalid version '${text}'`);
    },
  );

  test("is compatible within its major version, forwards", () => {
    const compatible = (a: string, b: string) => isCompatible(parseVersion(a), parseVersion(b));
    expect(compatible("1.0.0", "1.4.0")).toBe(true);
    expect(compatible("1.4.0", "1.0.0")).toBe(false);
    expect(compatible("1.0.0", "2.0.0")).toBe(false);
  });
});
