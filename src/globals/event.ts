/** `Event`: spec/lua-api.md section 7. */
import type { GlobalDecl } from "./declare.ts";
import { past } from "./event/past.ts";
import { publishing } from "./event/publish.ts";
import { subscriptions } from "./event/subscriptions.ts";

export const EventGlobal: GlobalDecl = {
  name: "Event",
  doc: "What happens, told to all who want to know: events of scripts and of llmspell itself.",
  functions: { ...publishing, ...subscriptions, ...past },
  bothSpellings: true,
};
