/**
 * Builds the executable: native libraries and shims for the target, everything embedded, one file in `dist/`.
 * `bun build.ts [--target linux-x64|linux-arm64|…] [--gpu cuda|cuda12|vulkan]…`; without a target it builds for this machine.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
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

/** Resolves `native:llama` to the library set of the target, each file embedded. */
function embedNative(set: NativeSet): BunPlugin {
  return {
    name: "native",
    setup(build) {
      build.onResolve({ filter: /^native:llama$/ }, () => ({ path: "llama", namespace: "native" }));
      build.onLoad({ filter: /.*/, namespace: "native" }, () => {
        const imports = set.files.map(
          (f, i) => `import f${i} from ${JSON.stringify(f.path)} with { type: "file" };`,
        );
        const files = set.files.map((f, i) => `{ name: ${JSON.stringify(f.name)}, path: f${i} }`);
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
    plugins: [embedNative(set)],
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
  if (result.success) renameSync(join(aside, name), outfile);
  rmSync(aside, { recursive: true });
  if (!result.success) {
    for (const log of result.logs) console.error(String(log));
    fail("the bundle has errors, see above");
  }
  const nativeBytes = set.files.reduce((sum, f) => sum + f.bytes, 0);
  const total = statSync(outfile).size;
  console.log(
    `${outfile}: ${megabytes(total)}, of it native libraries ${megabytes(nativeBytes)} in ${set.files.length} files`,
  );
  console.log(`Built for ${target} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

await main();
