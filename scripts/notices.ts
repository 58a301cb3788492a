/** Third-party notices: every package that goes into the executable, with its licence text, from the installed packages. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };

interface PackageFacts {
  name: string;
  version: string;
  licence: string;
  text: string;
}

async function packageFacts(name: string): Promise<PackageFacts & { dependencies: string[] }> {
  const directory = join("node_modules", name);
  const json = await Bun.file(join(directory, "package.json")).json();
  const file = readdirSync(directory).find((f) => /^(licen[cs]e|copying)/i.test(f));
  const text = file === undefined ? "" : (await Bun.file(join(directory, file)).text()).trim();
  return {
    name,
    version: json.version,
    licence: json.license ?? "unknown",
    text,
    dependencies: [
      ...Object.keys(json.dependencies ?? {}),
      ...Object.keys(json.peerDependencies ?? {}).filter(
        (peer) => !json.peerDependenciesMeta?.[peer]?.optional,
      ),
    ],
  };
}

/** Dependencies of the project and theirs, by name. The optional ones carry native libraries: `native/NOTICES.md`. */
async function allPackages(): Promise<PackageFacts[]> {
  const wanted: string[] = Object.keys(packageJson.dependencies);
  const found = new Map<string, PackageFacts>();
  while (wanted.length > 0) {
    const name = wanted.pop()!;
    if (found.has(name) || name.startsWith("@types/")) continue;
    const { dependencies, ...facts } = await packageFacts(name);
    found.set(name, facts);
    wanted.push(...dependencies);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The notices as Markdown. Parts that are no npm packages are described in `native/NOTICES.md`. */
export async function notices(): Promise<string> {
  const parts = [
    "# Third-party notices",
    "",
    "The executable contains the following software besides llmspell itself (MIT, see LICENSE).",
  ];
  for (const p of await allPackages()) {
    parts.push("", `## ${p.name} ${p.version}`, "", `Licence: ${p.licence}`);
    if (p.text !== "") parts.push("", "```text", p.text, "```");
  }
  parts.push("", (await Bun.file("native/NOTICES.md").text()).trim());
  return `${parts.join("\n")}\n`;
}
