/** Writes the generated files; with `--check` it writes nothing and fails where one is out of date. */
import { apiPages } from "./docs/api.ts";
import { cliPage } from "./docs/cli.ts";
import { configurationPage, environmentPage } from "./docs/config.ts";
import { toolsPage } from "./docs/tools.ts";
import { notices } from "./notices.ts";

const pages = await apiPages();
pages.set("docs/reference/cli.md", await cliPage());
pages.set("docs/reference/configuration.md", await configurationPage());
pages.set("docs/reference/environment.md", await environmentPage());
pages.set("docs/reference/tools.md", await toolsPage());
pages.set("THIRD_PARTY_NOTICES.md", await notices());

const stale: string[] = [];
for (const [path, text] of pages) {
  const file = Bun.file(path);
  if ((await file.exists()) && (await file.text()) === text) continue;
  stale.push(path);
  if (!process.argv.includes("--check")) await Bun.write(path, text);
}
if (process.argv.includes("--check")) {
  for (const path of stale) console.error(`Out of date: ${path} (run \`bun run docs\`)`);
  process.exit(stale.length === 0 ? 0 : 1);
}
console.log(stale.length === 0 ? "All generated files are up to date" : `Wrote ${stale.join(", ")}`);
