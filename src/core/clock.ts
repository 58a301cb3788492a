/** The time and chance as scripts and their results see them: a recorded run reads the same again when it is replayed. */
import { currentTape, type Reading, type ReadingKind } from "./tape.ts";

const read = <T extends Reading>(kind: ReadingKind, take: () => T): T => {
  const tape = currentTape();
  return tape === undefined ? take() : tape.reading(kind, take);
};

const SOURCES: Readonly<Record<ReadingKind, () => Reading>> = {
  time: Date.now,
  steady: () => performance.now(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  uuid: () => crypto.randomUUID(),
  bytes: () => crypto.getRandomValues(new Uint8Array(16)).toHex(),
};

/** What a script in another thread asks for. */
export function scriptReading(kind: ReadingKind): Reading {
  const take = SOURCES[kind];
  return currentTape()?.reading(kind, take, true) ?? take();
}

/** Milliseconds since 1970. */
export const nowMs = (): number => read("time", Date.now);

/** As ISO 8601. */
export const nowText = (): string => new Date(nowMs()).toISOString();

/** Milliseconds of a clock that never goes back. */
export const steadyMs = (): number => read("steady", () => performance.now());

/** CPU time of the process in milliseconds. */
export const cpuMs = (): number => read("cpu", SOURCES.cpu as () => number);

/** A version 4 UUID. */
export const randomId = (): string => read("uuid", () => crypto.randomUUID());

/** Random bytes as hexadecimal text. */
export const randomHex = (bytes: number): string =>
  read("bytes", () => crypto.getRandomValues(new Uint8Array(bytes)).toHex());
