/**
 * Those who write to the data directory, as the soaks `kill`, `processes` and `fault` need them: each adds what it writes
 * and how that is judged afterwards. Scripts get ARGS[1], a number that no other run of theirs has.
 */
import { check } from "../soak.ts";

export interface Writer {
  name: string;
  /** Configuration beside the defaults, TOML. */
  config?: string;
  /**
   * Lua that writes without end and prints a line after each write that was acknowledged: what it wrote. Begins with
   * `local id = ARGS[1]`.
   */
  endless: string;
  /** Lua that prints, as one JSON document, what is there of the run with that number. */
  found: string;
  /** @throws SoakFailure where an acknowledged write is missing or a value is half there */
  judge(acknowledged: readonly string[], found: unknown, what: string): void;
}

/** The text of the i-th write: of any length from none to some pages of the database. */
const TEXT = 'local function text(i) return ("spell " .. i .. " "):rep(i * 7919 % 900) end\n';
const textOf = (i: number): string => `spell ${i} `.repeat((i * 7919) % 900);
const KEYS = 12;

interface Saved {
  i: number;
  text: string;
}

const state: Writer = {
  name: "state",
  endless: `local id = ARGS[1]
${TEXT}
local i = 0
while true do
  i = i + 1
  State.save("custom:" .. id, "k" .. i % ${KEYS}, {i = i, text = text(i)})
  State.update("custom:" .. id, "count", function(n) return (n or 0) + 1 end)
  print(i)
end`,
  found: `local scope, all = "custom:" .. ARGS[1], {}
for _, key in ipairs(State.list_keys(scope)) do all[key] = State.load(scope, key) end
print(JSON.stringify(all))`,
  judge(acknowledged, found, what) {
    const values = found as Record<string, Saved> & { count?: number };
    const done = acknowledged.length;
    check(
      acknowledged.every((line, at) => Number(line) === at + 1),
      `${what}: the script lost count`,
      acknowledged.slice(-3),
    );
    const count = values.count ?? 0;
    check(
      count === done || count === done + 1,
      `${what}: ${done} updates were acknowledged, ${count} are there`,
    );
    for (let key = 0; key < KEYS; key++) {
      const last = done - ((((done - key) % KEYS) + KEYS) % KEYS);
      const value = values[`k${key}`];
      if (last > 0) check(value !== undefined, `${what}: write ${last} is lost`);
      if (value === undefined) continue;
      check(value.i === last || value.i === done + 1, `${what}: write ${last} of k${key} is lost`, value.i);
      check(value.text === textOf(value.i), `${what}: write ${value.i} is there by half`, value.text);
    }
  },
};

export const writers: readonly Writer[] = [state];
