import type { HookComponent, HookService } from "../hooks/service.ts";
import type { ConfigChange } from "./reload.ts";

/** Tells hooks what has changed in the configuration, and who changed it. */
export async function tellChanges(
  hooks: HookService,
  changes: readonly ConfigChange[],
  source: "reload" | "script",
): Promise<void> {
  if (changes.length === 0 || !hooks.has("ConfigurationChange")) return;
  const changed = Object.fromEntries(changes.map(({ key, old, new: value }) => [key, { old, new: value }]));
  const component: HookComponent = { type: "System", name: "configuration" };
  await hooks.run({ point: "ConfigurationChange", component, data: { changed, source } });
}
