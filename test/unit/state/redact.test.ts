import { describe, expect, test } from "bun:test";
import { classOf } from "../../../src/state/keys.ts";
import { redactState, redactText, shownValue } from "../../../src/state/redact.ts";

const secret = "[REDACTED]";
const long = (n: number) => "aB3dE6gH9j".repeat(20).slice(0, n);

describe("Members with the name of a secret", () => {
  test.each(
    "api_key apikey api-key secret secret_key secret-key password passwd pwd token access_token auth_token bearer_token private_key private-key privatekey credential credentials authorization auth API_KEY accessToken openai_api_key x-auth-token".split(
      " ",
    ),
  )("%s are hidden", (name) => {
    expect(redactState({ [name]: "v", in: [{ [name]: { deep: 1 } }] })).toEqual({
      [name]: secret,
      in: [{ [name]: secret }],
    });
  });

  test.each("author token_count max_tokens tokens authority secretary passwords_changed keys".split(" "))(
    "%s are no secrets",
    (name) => {
      expect(redactState({ [name]: 12 })).toEqual({ [name]: 12 });
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
    expect(redactText(`before ${text} after`)).toBe(`before ${secret} after`);
  });

  test.each(["sk-short", "a token of thanks", "password: short", "AKIA123", "the secret of her success"])(
    "%s stays",
    (text) => {
      expect(redactText(text)).toBe(text);
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
  expect([shownValue("api_token", 42), shownValue("api_token", null), shownValue("n", 42)]).toEqual([
    secret,
    null,
    42,
  ]);
});
