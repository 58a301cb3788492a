/** The library that makes calls on files fail, or kills the program at one (`test/support/native/faulty_files.c`). */
import { join } from "node:path";
import { check } from "../soak.ts";

const SOURCE = join(import.meta.dir, "../../support/native/faulty_files.c");

/** Why it cannot be used here; undefined where it can. */
export const noFaultsHere = (): string | undefined =>
  process.platform === "linux" && Bun.which("gcc") !== null
    ? undefined
    : "faults are put under a program on Linux with gcc only";

/** @returns its path */
export function buildFaultyFiles(directory: string): string {
  const library = join(directory, "faulty_files.so");
  const built = Bun.spawnSync(["gcc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], {
    stderr: "pipe",
  });
  check(built.exitCode === 0, "the library of faults does not compile", built.stderr.toString());
  return library;
}
