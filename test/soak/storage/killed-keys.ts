/** Keys that are stored, replaced and removed by processes that are killed: those that were acknowledged are there, whole. */
import type { Sandbox } from "../../support/cli.ts";
import { between, check, checkSound, ended } from "../soak.ts";

const GUARD_MS = 60_000;
/** About what one takes. */
const LIFE_MS = 80;
const COMMANDS = 6;

interface Stored {
  provider: string;
  masked: string;
}

const PROVIDERS = ["one", "two", "three"];
/** Keys are shown with their last four characters. */
const shownOf = (n: number): string => `sk-…${String(n).padStart(4, "0")}`;
const keyOf = (n: number): string => `sk-0123456789abcdefghij${String(n).padStart(4, "0")}`;

let made = 0;

/** Some commands one after the other, each killed at a random moment or left to end. @returns how many were acknowledged */
export async function killedKeys(box: Sandbox, random: () => number, what: string): Promise<number> {
  let acknowledged = 0;
  for (let i = 0; i < COMMANDS; i++) {
    const provider = PROVIDERS[between(random, 0, PROVIDERS.length)]!;
    const before = await keysOf(box, what);
    const removes = random() < 0.2 && before.has(provider);
    const number = ++made % 10_000;
    const args = removes ? ["keys", "remove", provider] : ["keys", "add", provider, keyOf(number)];
    const proc = box.start(args);
    const kill = setTimeout(() => proc.kill("SIGKILL"), between(random, 0, LIFE_MS));
    const end = await ended(proc, GUARD_MS, what);
    clearTimeout(kill);
    checkSound(end, what);
    check(end.signal === "SIGKILL" || end.code === 0, `${what}: ${args[1]} failed`, end);
    const after = await keysOf(box, what);
    const done = new Map(before);
    if (removes) done.delete(provider);
    else done.set(provider, shownOf(number));
    const isNew = Bun.deepEquals(after, done);
    const isDone = end.stdout.startsWith("✓");
    check(
      isNew || (!isDone && Bun.deepEquals(after, before)),
      `${what}: the keys are neither the old nor the new`,
      {
        args,
        isDone,
        before: [...before],
        after: [...after],
      },
    );
    if (isDone) acknowledged++;
  }
  return acknowledged;
}

async function keysOf(box: Sandbox, what: string): Promise<Map<string, string>> {
  const end = await ended(box.start(["--output", "json", "keys", "list"]), GUARD_MS, `${what}: listing`);
  check(end.code === 0, `${what}: the keys cannot be read`, end);
  const { keys } = JSON.parse(end.stdout) as { keys: Stored[] };
  return new Map(keys.map(({ provider, masked }) => [provider, masked]));
}
