import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const SOURCE = join(import.meta.dir, "native/faulty_backend.c");
const ROOT = join(import.meta.dir, "../..");

/** Compiles `native/faulty_backend.c` against the release's libraries, where it is not, and returns the library's path. */
export function faultyGpu(): string {
  const libraries = join(ROOT, "build/native", `${process.platform}-${process.arch}`);
  const path = join(ROOT, "build/test", "libggml-faulty.so");
  if (existsSync(path) && statSync(path).mtimeMs > statSync(SOURCE).mtimeMs) return path;
  mkdirSync(dirname(path), { recursive: true });
  const ggml = [...new Bun.Glob("libggml.v*.so").scanSync(libraries)][0]!;
  const { exitCode, stderr } = Bun.spawnSync([
    ...["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-fvisibility=hidden", SOURCE, "-o", path],
    ...[`-I${join(ROOT, "native/include")}`, `-L${libraries}`, `-l:${ggml}`, "-l:libggml-base.so"],
  ]);
  if (exitCode !== 0) throw new Error(`Cannot compile the faulty GPU: ${stderr}`);
  return path;
}
