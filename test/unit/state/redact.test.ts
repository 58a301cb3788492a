import { describe, expect, test } from "bun:test";
import { classOf } from "../../../src/state/keys.ts";
import { type RedactionSettings, Redactor } from "../../../src/state/redact.ts";

const secret = "[REDACTED]";
const redactorWith = (settings: Partial<RedactionSettings> = {}) =>
  new Redactor({ enabled: true, hash_redacted: false, field_names: [], patterns: [], ...settings });
const plain = redactorWith();
const long = (n: number) => "aB3dE6gH9j".repeat(20).slice(0, n);

describe("Members with the name of a secret", () => {
  test.each(
    "api_key apikey api-key secret secret_key secret-key password passwd pwd token access_token auth_token bearer_token private_key private-key privatekey credential credentials authorization auth API_KEY accessToken openai_api_key x-auth-token".split(
      " ",
    ),
  )("%s are hidden", (name) => {
    expect(plain.redact({ [name]: "v", in: [{ [name]: { deep: 1 } }] })).toEqual({
      [name]: secret,
      in: [{ [name]: secret }],
    });
  });

  test.each("author token_count max_tokens tokens authority secretary passwords_changed keys".split(" "))(
    "%s are no secrets",
    (name) => {
      expect(plain.redact({ [name]: 12 })).toEqual({ [name]: 12 });
    },
  );
});

describe("Texts that look like a secret", () => {
  test.each([
    `sk-${long(48)}`,
    `sk-ant-${long(95)}`,
    `api_key = ${long(20)}`,
    `access-token: "${long(24)}`,
    `Bearer=${long(20)}`,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "AKIAIOSFODNN7EXAMPLE",
    `ghp_${long(36)}`,
    `gho_${long(36)}`,
    "password=correcthorse",
    "private key: abcdefgh".replace(" ", "_"),
  ])("%s", (text) => {
    expect(plain.redactText(`before ${text} after`)).toBe(`before ${secret} after`);
  });

  test.each(["sk-short", "a token of thanks", "password: short", "AKIA123", "the secret of her success"])(
    "%s stays",
    (text) => {
      expect(plain.redactText(text)).toBe(text);
    },
  );
});

test("The class of a key follows its own words", () => {
  const classes = Object.fromEntries(
    [
      ["temp:x", "ephemeral"],
      ["cache:x", "ephemeral"],
      ["temperature", "standard"],
      ["benchmark:x", "trusted"],
      ["test:x", "trusted"],
      ["testing", "standard"],
      ["external:x", "external"],
      ["user_input:x", "external"],
      ["api_token", "sensitive"],
      ["db:secret", "sensitive"],
      ["secret:db", "sensitive"],
      ["clientSecretOld", "sensitive"],
      ["credentials", "sensitive"],
      ["token_count", "standard"],
      ["max_tokens", "standard"],
      ["secretary", "standard"],
    ].map(([key, kind]) => [key!, kind!]),
  );
  for (const [key, kind] of Object.entries(classes))
    expect([key, classOf(key)]).toEqual([key, kind as never]);
});

test("A sensitive key hides its whole value, nil aside", () => {
  expect([plain.shown("api_token", 42), plain.shown("api_token", null), plain.shown("n", 42)]).toEqual([
    secret,
    null,
    42,
  ]);
});

describe("Marks with a hash", () => {
  const hashed = redactorWith({ hash_redacted: true });

  test("tell equal secrets from others, and nothing of the secret", () => {
    const shown = hashed.redact({ a: { token: "one" }, b: { token: "one" }, c: { token: "two" }, pwd: 7 });
    const { a, b, c, pwd } = shown as { a: object; b: object; c: object; pwd: string };
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    expect(JSON.stringify(a)).toMatch(/^\{"token":"\[REDACTED\]_[0-9a-f]{8}"\}$/);
    expect(pwd).toMatch(/^\[REDACTED\]_[0-9a-f]{8}$/);
    const plainHash = new Bun.CryptoHasher("sha256").update("one").digest("hex").slice(0, 8);
    expect(JSON.stringify(a)).not.toContain(plainHash);
  });

  test("stand for a whole value, bytes and tables included", () => {
    for (const value of [{ deep: [1n] }, new Uint8Array([255]), "text", 0])
      expect(hashed.shown("api_token", value)).toMatch(/^\[REDACTED\]_[0-9a-f]{8}$/);
  });

  test("stand within a text for the secret alone", () => {
    expect(hashed.redactText(`before ghp_${long(36)} after`)).toMatch(
      /^before \[REDACTED\]_[0-9a-f]{8} after$/,
    );
  });
});

describe("Settings", () => {
  test("add names of secrets, in every spelling, as whole names", () => {
    const redactor = redactorWith({ field_names: ["iban", "mother-name"] });
    expect(redactor.redact({ IBAN: 1, motherName: 2, iban_count: 3 })).toEqual({
      IBAN: secret,
      motherName: secret,
      iban_count: 3,
    });
  });

  test("add expressions, which cannot hang", () => {
    const redactor = redactorWith({ patterns: ["CARD-[0-9]{4}", "(a+)+b", "x*"] });
    expect(redactor.redactText("CARD-1234, CARD-12, é CARD-9999 xx")).toBe(
      `${secret}, CARD-12, é ${secret} ${secret}`,
    );
    const text = "a".repeat(100_000);
    expect(redactor.redactText(text)).toBe(text);
  });

  test("switch it off", () => {
    const off = redactorWith({ enabled: false });
    expect(off.shown("api_token", { password: 1 })).toEqual({ password: 1 });
  });
});
