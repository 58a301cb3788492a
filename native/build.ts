/** Builds the shims for a target and stages them with llama.cpp's libraries under `build/native/<target>/`. */
import { cp, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { didYouMean } from "../src/core/nearest.ts";
import { hashLibrarySet } from "../src/ffi/library-set.ts";
import { gpuBackends } from "./gpu.ts";
import { librariesOf } from "./packages.ts";
import release from "./release.json";
import { missingCompiler, TARGETS, type Target } from "./targets.ts";

export interface NativeSet {
  target: string;
  directory: string;
  files: { name: string; path: string; bytes: number }[];
  /** `hashLibrarySet` of the files. */
  hash: string;
}

const root = join(import.meta.dir, "..");
const SHIMS = [
  "llama_shim.c",
  "huge_pages.c",
  "chat_shim.cpp",
  "sampler_shim.cpp",
  "steps_shim.cpp",
  "history.cpp",
  "devices_shim.cpp",
  "tokenizer_shim.cpp",
  "trial_shim.cpp",
  "constraint.cpp",
  "gbnf.cpp",
  "grammar_rules.cpp",
  "grammar.cpp",
  "required_call.cpp",
  "bounded.cpp",
  "tool_rules.cpp",
];
const C_FLAGS = ["-O2", "-fPIC", "-fvisibility=hidden", `-I${join(import.meta.dir, "include")}`];
const CXX_FLAGS = [...C_FLAGS, "-std=c++17", `-I${join(import.meta.dir, "include/common")}`];

/**
 * @param name `linux-x64`, `linux-arm64`, `darwin-arm64`, `darwin-x64`
 * @param gpus names of `GPU_BACKENDS` that the set is to have as well
 * @throws Error with one line that says what is missing on this machine
 */
export async function buildNative(name: string, gpus: readonly string[] = []): Promise<NativeSet> {
  const target = TARGETS.find((t) => t.name === name);
  if (target === undefined) {
    if (/^windows-(x64|arm64)$/.test(name))
      throw new Error(
        `${name} cannot be built on this machine: the shim over libllama-common has to come from the C++ compiler of those libraries (MSVC on Windows)`,
      );
    const names = TARGETS.map((t) => t.name);
    throw new Error(
      `there is no target "${name}": ${didYouMean(name, names) ?? `there are ${names.join(", ")}`}`,
    );
  }
  const backends = gpuBackends(gpus, name);
  const compiler = target.compilers.find(({ c, cxx }) => Bun.which(c) && Bun.which(cxx));
  if (compiler === undefined)
    throw new Error(`${name} cannot be built on this machine: ${missingCompiler(target)}`);

  const directory = join(root, "build/native", [name, ...backends.map((gpu) => gpu.name)].join("-"));
  const stampPath = `${directory}.json`;
  const key = await contentKey(target, compiler.cxx);
  const stamp = Bun.file(stampPath);
  if (await stamp.exists()) {
    const { key: builtKey, set } = (await stamp.json()) as { key: string; set: NativeSet };
    if (builtKey === key && set.directory === directory && (await isComplete(set))) return set;
  }

  // Made aside: programs that use the old set keep it until the new one is whole.
  const aside = `${directory}.partial-${process.pid}`;
  await mkdir(aside, { recursive: true });
  await stageLibraries(target, aside);
  for (const { package: pack, library, file } of backends)
    await cp(join(await librariesOf(pack), library), join(aside, file));
  await compileShim(target, compiler, aside);
  await rm(directory, { recursive: true, force: true });
  await rename(aside, directory);
  const set = await verifySet(target, directory);
  await Bun.write(stampPath, JSON.stringify({ key, set }, undefined, 1));
  return set;
}

/** Changes whenever the staged set would: sources, headers, compiler, flags, release, target. */
async function contentKey(target: Target, cxx: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for (const path of (await readdir(import.meta.dir, { recursive: true })).sort()) {
    if (!/\.(c|cpp|h|ts|json)$/.test(path)) continue;
    hash.update(`${path}\0`).update(await Bun.file(join(import.meta.dir, path)).bytes());
  }
  const version = Bun.spawnSync([cxx, "--version"]).stdout.toString();
  return hash.update(`${target.name}\0${cxx}\0${version}`).digest("hex");
}

async function isComplete(set: NativeSet): Promise<boolean> {
  for (const file of set.files) if (Bun.file(file.path).size !== file.bytes) return false;
  return true;
}

async function stageLibraries(target: Target, directory: string): Promise<void> {
  const from = join(await librariesOf({ name: target.package, version: release.package }), target.bins);
  const names = (await readdir(from)).filter((name) => target.libraries.test(name));
  if (names.length === 0)
    throw new Error(`Cannot stage ${target.name}: ${target.package} has no libraries in ${target.bins}`);
  for (const name of names) await cp(join(from, name), join(directory, name));
}

async function compileShim(
  target: Target,
  compiler: { c: string; cxx: string },
  directory: string,
): Promise<void> {
  const objects = join(root, "build/native/objects", target.name);
  await mkdir(objects, { recursive: true });
  const object = (name: string) => join(objects, `${name}.o`);
  const source = (name: string) => join(import.meta.dir, name);
  const staged = await readdir(directory);
  const linked = target.linked.map((pattern) => staged.find((name) => pattern.test(name))!);

  await Promise.all(
    SHIMS.map((name) =>
      name.endsWith(".c")
        ? compile(compiler.c, ...C_FLAGS, "-c", source(name), "-o", object(name))
        : compile(compiler.cxx, ...CXX_FLAGS, "-c", source(name), "-o", object(name)),
    ),
  );
  await compile(
    compiler.cxx,
    "-o",
    join(directory, target.shim),
    ...SHIMS.map(object),
    ...target.linkFlags(directory, linked),
  );
}

async function compile(...command: string[]): Promise<void> {
  const run = Bun.spawn(command, { stdout: "inherit", stderr: "pipe" });
  const [messages, exitCode] = await Promise.all([run.stderr.text(), run.exited]);
  if (exitCode !== 0) throw new Error(`Cannot compile the native shims: ${command.join(" ")}\n${messages}`);
}

/** @throws Error naming a library that is not of the target's machine */
export async function verifySet(target: Target, directory: string): Promise<NativeSet> {
  const files = [];
  for (const name of (await readdir(directory)).sort()) {
    const path = join(directory, name);
    const file = Bun.file(path);
    const header = new DataView(await file.slice(0, 64).arrayBuffer());
    if (!name.endsWith(".metal") && !target.matches(header))
      throw new Error(`Cannot stage ${name}: its header is not that of ${target.name}`);
    files.push({ name, path, bytes: file.size });
  }
  return { target: target.name, directory, files, hash: await hashLibrarySet(files) };
}

if (import.meta.main) {
  const name = process.argv[2] ?? `${process.platform}-${process.arch}`;
  const startedMs = performance.now();
  const set = await buildNative(name);
  const bytes = set.files.reduce((sum, file) => sum + file.bytes, 0);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(2);
  console.log(`${set.directory}: ${set.files.length} files, ${(bytes / 1e6).toFixed(1)} MB, ${seconds} s`);
}
