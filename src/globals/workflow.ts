/** `Workflow`: spec/lua-api.md section 3. */
import type { GlobalDecl } from "./declare.ts";
import { builderClass } from "./workflow/builder.ts";
import { workflowClass } from "./workflow/object.ts";
import { runClass } from "./workflow/run.ts";
import { statics } from "./workflow/statics.ts";

export const WorkflowGlobal: GlobalDecl = {
  name: "Workflow",
  doc: "Workflows: steps that run tools, agents and other workflows, one after another, side by side, by condition or in a loop; durable ones survive the end of the process.",
  functions: statics,
  classes: [workflowClass, runClass, builderClass],
  bothSpellings: true,
};
