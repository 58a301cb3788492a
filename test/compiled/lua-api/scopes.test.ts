/** Scopes and keys that look like others, or that no scope may be: spec/kernel.md section 13.1. */
import { luaTable } from "./support.ts";

/** Bob with a fullwidth colon, a Cyrillic е, a zero-width space, a right-to-left mark, in two letter cases. */
const LOOK_ALIKES = [
  "user\u{ff1a}bob",
  "us\u{435}r:bob",
  "user:b\u{43e}b",
  "user:bob\u{200b}",
  "user:\u{202e}bob",
  "User:bob",
];
const quoted = (text: string) =>
  `"${Buffer.from(text).reduce((all, byte) => `${all}\\x${byte.toString(16).padStart(2, "0")}`, "")}"`;

luaTable("A scope that looks like another", {
  setup: `State.save("user:bob", "k", "bob's")
    local alikes = {${LOOK_ALIKES.map(quoted).join(", ")}}`,
  cases: [
    [
      "is another one",
      `local seen = {}
      for i, scope in ipairs(alikes) do seen[i] = tostring(State.load(scope, "k")) State.save(scope, "k", i) end
      for i, scope in ipairs(alikes) do seen[i] = seen[i] .. State.load(scope, "k") end
      return seen, State.load("user:bob", "k"), State.list_keys("user:bob")`,
      `{${LOOK_ALIKES.map((_, i) => `"nil${i + 1}"`).join(", ")}} "bob's" {"k"}`,
    ],
    [
      "is not reached by who acts as the other",
      `local refused = {}
      for i, scope in ipairs(alikes) do
        local ok, err = pcall(function() return State.as("user:bob"):load(scope, "k") end)
        refused[i] = not ok and tostring(err):find("Access to state denied: user:bob may not reach ", 1, true) == 1
      end
      return refused`,
      `{${LOOK_ALIKES.map(() => "true").join(", ")}}`,
    ],
    [
      "reaches nothing of the other",
      `local got = {}
      for i, scope in ipairs(alikes) do
        local ok, found = pcall(function() return State.as(scope):load("user:bob", "k") end)
        got[i] = ok and found ~= nil
      end
      return got`,
      `{${LOOK_ALIKES.map(() => "false").join(", ")}}`,
    ],
    [
      "in another normal form is the same: é in one character or in two",
      String.raw`State.save("user:\xc3\xa9", "\xc3\xa9", 1) return State.load("user:e\xcc\x81", "e\xcc\x81")`,
      "1",
    ],
  ],
});

luaTable("A scope or key with dots and separators", {
  setup: `local function refused(...) local ok, err = pcall(...) return ok or tostring(err) end
    local function both(name)
      local scope, key = refused(State.save, name, "k", 1), refused(State.save, "global", name, 1)
      return scope, key
    end`,
  cases: [
    ["may have a dot", `both("a.b")`, "true true"],
    ["may have a slash", `both("a/b")`, "true true"],
    ["may begin with a dot", `both(".hidden")`, "true true"],
    [
      "may not have two dots",
      `both("../x")`,
      `"Invalid format: Scope contains invalid path traversal characters" "Invalid format: Key contains invalid path traversal characters"`,
    ],
    [
      "may not be two dots",
      `both("..")`,
      `"Invalid format: Scope contains invalid path traversal characters" "Invalid format: Key contains invalid path traversal characters"`,
    ],
    [
      "may not have a backslash",
      `both("a\\\\b")`,
      `"Invalid format: Scope contains invalid path traversal characters" "Invalid format: Key contains invalid path traversal characters"`,
    ],
    [
      "may not have two slashes",
      `both("a//b")`,
      `"Invalid format: Scope contains invalid path traversal characters" "Invalid format: Key contains invalid path traversal characters"`,
    ],
    [
      "may not have a line end",
      `both("a\\nb")`,
      `"Invalid format: Scope contains invalid control characters" "Invalid format: Key contains invalid control characters"`,
    ],
    [
      "may not have a zero byte",
      `both("a\\0b")`,
      `"Invalid format: Scope contains invalid control characters" "Invalid format: Key contains invalid control characters"`,
    ],
    [
      "may not be longer than 256 characters",
      `both(("x"):rep(257))`,
      `"Invalid format: Scope cannot be longer than 256 characters" "Invalid format: Key cannot be longer than 256 characters"`,
    ],
    [
      "tells ids with colons and percent signs apart",
      `State.save("user:a:b", "k", 1) State.save("user:a", "b:k", 2) State.save("user:a%3Ab", "k", 3)
      return State.load("user:a:b", "k"), State.load("user:a", "b:k"), State.load("user:a%3Ab", "k")`,
      "1 2 3",
    ],
  ],
});

luaTable("A scope or key that is not UTF-8", {
  setup: `local function refused(...) local ok, err = pcall(...) return ok, tostring(err) end`,
  cases: [
    [
      "is refused as a key",
      `refused(State.save, "global", "a\\xff", 1)`,
      /^false ".*"key" must be .*UTF-8.*"$/,
    ],
    [
      "is refused as a scope",
      `refused(State.load, "user:\\xc3", "k")`,
      /^false ".*"scope" must be .*UTF-8.*"$/,
    ],
    ["is refused where keys are listed", `refused(State.list_keys, "\\xe2\\x82")`, /^false ".*UTF-8.*"$/],
    [
      "is refused as an overlong form",
      `refused(State.save, "global", "\\xc0\\xaf", 1)`,
      /^false ".*UTF-8.*"$/,
    ],
    ["leaves nothing behind", `State.list_keys("global")`, "{}"],
  ],
});
