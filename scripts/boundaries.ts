/** The rules of the house about imports (docs/design.md): who may import what, and no cycles. */

import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** `[importers, imports, rule]`: files matching `importers` must not import what matches `imports`. */
const FORBIDDEN: readonly (readonly [RegExp, RegExp, string])[] = [
  [/^src\/(?!ffi\/)/, /^bun:ffi$/, "only src/ffi imports bun:ffi"],
  [/^src\/(?!engine\/lua\/)/, /^wasmoon/, "only src/engine/lua imports wasmoon"],
  [
    // jq.ts reads its own embedded module, nothing of the user's.
    /^src\/tools\/\w+\/(?!json-processor\/jq\.ts)/,
    /^(node:|bun$|bun:)(?!crypto|util|buffer|path)/,
    "tools reach files, network and processes through their capabilities",
  ],
  [/^src\/core\//, /^src\/(?!core\/)/, "core imports nothing above it"],
  [/^src\/ffi\//, /^src\/(?!ffi\/|core\/)/, "ffi stands below the services"],
  [/^src\/security\//, /^src\/(?!security\/|core\/|config\/)/, "security stands below the services"],
  [/^src\/config\//, /^src\/(?!config\/|core\/|kernel\/services)/, "config stands below the services"],
  [/^src\/storage\//, /^src\/(?!storage\/|core\/)/, "storage stands below the services"],
  [/^src\/metrics\//, /^src\/(?!metrics\/|core\/)/, "metrics stand below the services"],
  [/^src\/tracing\//, /^src\/(?!tracing\/|metrics\/|core\/)/, "services know spans, not who watches them"],
  [
    /^src\/(tools|models|agents|debug|events|hooks|state|sessions|workflows|metrics|tracing|tape)\//,
    /^src\/(cli|engine|globals)\//,
    "services know nothing of scripts and front ends",
  ],
  [/^src\/(?!cli\/|main)/, /^src\/cli\//, "nothing below imports the command line"],
  [
    /^src\/cli\//,
    /^src\/(tools|models|agents|engine|globals|ffi|security|storage|events|hooks|state|sessions|workflows|metrics|tracing|tape)\//,
    "the command line talks to the kernel API and the configuration only",
  ],
  [
    /^src\/(?!tape\/|kernel\/)/,
    /^src\/tape\//,
    "services know the seam (core/tape.ts), not what records and replays",
  ],
  [/^src\/globals\//, /^src\/(cli|engine\/lua|ffi)\//, "globals translate for services"],
  [/^src\/(?!kernel\/)/, /^src\/kernel\/(protocol|transport|serve)\//, "only the kernel knows wire formats"],
];

interface Import {
  from: string;
  to: string;
}

function importsOf(file: string, source: string): Import[] {
  return transpiler.scanImports(source).map(({ path }) => {
    const to = path.startsWith(".") ? normalize(join(dirname(file), path)) : path;
    return { from: file, to };
  });
}

function findCycle(graph: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, trail: string[]): string[] | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...trail, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Every broken rule, one line each. Type-only imports are free: they load nothing. */
export async function brokenBoundaries(): Promise<string[]> {
  const problems: string[] = [];
  const graph = new Map<string, string[]>();
  for (const file of [...new Glob("src/**/*.ts").scanSync(".")].sort()) {
    const source = await Bun.file(file).text();
    const imports = importsOf(file, source);
    graph.set(
      file,
      imports.map((i) => i.to).filter((to) => to.startsWith("src/")),
    );
    for (const { to } of imports) {
      for (const [importers, imported, rule] of FORBIDDEN) {
        if (importers.test(file) && imported.test(to)) problems.push(`${file} imports ${to}: ${rule}`);
      }
    }
    if (
      /^src\/tools\/\w+\//.test(file) &&
      /\b(Bun\.(file|write|spawn|spawnSync|env|connect|listen)|process\.env|fetch)\b/.test(source)
    ) {
      problems.push(`${file} reaches files, network, processes or the environment past its capabilities`);
    }
    if (/\bprocess\.exit\(/.test(source) && file !== "src/main.ts" && file !== "src/cli/surroundings.ts") {
      problems.push(`${file} calls process.exit: only src/main.ts ends the process, and the second Ctrl-C`);
    }
  }
  const cycle = findCycle(graph);
  if (cycle !== undefined) problems.push(`import cycle: ${cycle.join(" → ")}`);
  return problems;
}

if (import.meta.main) {
  const problems = await brokenBoundaries();
  for (const problem of problems) console.error(problem);
  process.exit(problems.length === 0 ? 0 : 1);
}
