/** The library that makes calls on files fail, or kills the program at one (`test/support/native/faulty_files.c`). */
import { join } from "node:path";
import { check } from "../soak.ts";

const SOURCE = join(import.meta.dir, "../../support/native/faulty_files.c");

/** Why it cannot be used here; undefined where it can. */
export const noFaultsHere = (): string | undefined =>
  process.platform === "linux" ? undefined : "faults are put under a program on Linux only";

/** @returns its path */
export function buildFaultyFiles(directory: string): string {
  const library = join(directory, "faulty_files.so");
  const compiler = ["cc", "gcc", "clang"].find((name) => Bun.which(name) !== null);
  check(compiler !== undefined, "the library of faults needs a C compiler, as building from source does");
  const built = Bun.spawnSync([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], {
    stderr: "pipe",
  });
  check(built.exitCode === 0, "the library of faults does not compile", built.stderr.toString());
  return library;
}
