/**
 * Builds the executable: native libraries and shims for the target, everything embedded, one file in `dist/`.
 * `bun build.ts [--target linux-x64|linux-arm64|…] [--gpu cuda|cuda12|vulkan]…`; without a target it builds for this machine.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BunPlugin } from "bun";
import { buildNative, type NativeSet } from "./native/build.ts";
import packageJson from "./package.json" with { type: "json" };
import { messageOf } from "./src/core/errors.ts";

/** Files that run on threads of their own; `workerUrl` (src/core/worker.ts) names them without extension. */
const WORKERS = [
  "src/engine/lua/worker.ts",
  "src/models/llamacpp/worker.ts",
  "src/tools/data/json-processor/worker.ts",
];

const HOST = `${process.platform}-${process.arch}`;

function fail(message: string): never {
  console.error(`Cannot build: ${message}`);
  process.exit(1);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A third of the size; a better level would make the build wait ten times as long for a tenth less. */
const ZSTD_LEVEL = 12;

interface EmbeddedSet extends Pick<NativeSet, "hash"> {
  /** `path`: the file as it is embedded, compressed; `bytes`: its size when it is extracted. */
  files: NativeSet["files"];
}

async function compressed(set: NativeSet, directory: string): Promise<EmbeddedSet> {
  const compress = async ({ name, path, bytes }: NativeSet["files"][number]) => {
    const aside = join(directory, `${name}.zst`);
    await Bun.write(aside, await Bun.zstdCompress(await Bun.file(path).bytes(), { level: ZSTD_LEVEL }));
    return { name, path: resolve(aside), bytes };
  };
  return { hash: set.hash, files: await Promise.all(set.files.map(compress)) };
}

/** Resolves `native:llama` to the library set of the target, each file embedded. */
function embedNative(set: EmbeddedSet): BunPlugin {
  return {
    name: "native",
    setup(build) {
      build.onResolve({ filter: /^native:llama$/ }, () => ({ path: "llama", namespace: "native" }));
      build.onLoad({ filter: /.*/, namespace: "native" }, () => {
        const imports = set.files.map(
          (f, i) => `import f${i} from ${JSON.stringify(f.path)} with { type: "file" };`,
        );
        const files = set.files.map(
          (f, i) => `{ name: ${JSON.stringify(f.name)}, path: f${i}, bytes: ${f.bytes} }`,
        );
        const contents = `${imports.join("\n")}\nexport const files = [${files.join(", ")}];\nexport const hash = ${JSON.stringify(set.hash)};\n`;
        return { contents, loader: "js" };
      });
    },
  };
}

async function gitFacts(): Promise<Record<string, string>> {
  const run = async (...args: string[]) => {
    try {
      const proc = Bun.spawn(["git", ...args], { stdout: "pipe", stderr: "ignore" });
      const text = await new Response(proc.stdout).text();
      return (await proc.exited) === 0 ? text.trim() : "";
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return ""; // built from a source archive, without git
      throw error;
    }
  };
  const [commit, date, branch, status] = await Promise.all([
    run("rev-parse", "HEAD"),
    run("log", "-1", "--format=%cs"),
    run("rev-parse", "--abbrev-ref", "HEAD"),
    run("status", "--porcelain"),
  ]);
  return { commit: commit ?? "", date: date ?? "", branch: branch ?? "", dirty: status ? "true" : "" };
}

function wanted(): { target: string; gpu: string[] } {
  try {
    const { values } = parseArgs({
      options: {
        target: { type: "string", default: HOST },
        gpu: { type: "string", multiple: true, default: [] },
      },
    });
    return values;
  } catch (error) {
    return fail(messageOf(error));
  }
}

async function main(): Promise<void> {
  const expected = packageJson.packageManager.split("@")[1];
  if (Bun.version !== expected) {
    fail(
      `this is Bun ${Bun.version}, the project is pinned to ${expected}: run \`npx --yes bun@${expected} build.ts\``,
    );
  }
  const { target, gpu } = wanted();
  const started = performance.now();
  const set = await buildNative(target, gpu).catch((error: Error) => fail(error.message));
  mkdirSync("dist", { recursive: true });
  const windows = target.startsWith("windows");
  const variant = [target === HOST ? [] : target, [...new Set(gpu)].sort()].flat();
  const name = `${["llmspell", ...variant].join("-")}${windows ? ".exe" : ""}`;
  // Made aside and renamed: whoever runs the old executable meanwhile keeps it whole.
  const aside = mkdtempSync(join("dist", ".build-"));
  const workers = WORKERS.filter((file) => existsSync(file));
  const git = await gitFacts();
  const embedded = await compressed(set, aside);
  const result = await Bun.build({
    entrypoints: ["src/main.ts", ...workers],
    root: ".",
    minify: true,
    bytecode: true,
    splitting: true,
    format: "esm",
    define: {
      LLMSPELL_COMPILED: "true",
      LLMSPELL_WORKER_ROOT: JSON.stringify(windows ? "B:/~BUN/root/" : "/$bunfs/root/"),
      LLMSPELL_BUILD: JSON.stringify({
        version: packageJson.version,
        bun: expected,
        target,
        git,
        builtAt: new Date().toISOString(),
      }),
    },
    plugins: [embedNative(embedded)],
    compile: {
      target: `bun-${target}` as Bun.Build.CompileTarget,
      outfile: join(aside, name),
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
    throw: false,
  });
  const outfile = join("dist", name);
  const nativeBytes = embedded.files.reduce((sum, f) => sum + Bun.file(f.path).size, 0);
  if (result.success) renameSync(join(aside, name), outfile);
  rmSync(aside, { recursive: true });
  if (!result.success) {
    for (const log of result.logs) console.error(String(log));
    fail("the bundle has errors, see above");
  }
  const total = statSync(outfile).size;
  console.log(
    `${outfile}: ${megabytes(total)}, of it native libraries ${megabytes(nativeBytes)} in ${set.files.length} files`,
  );
  console.log(`Built for ${target} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

await main();
