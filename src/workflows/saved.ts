/** Workflows that are kept in the state under a name. */
import type { Agent } from "../agents/service.ts";
import { SpellError } from "../core/errors.ts";
import { Handle, isPlainObject, isScriptFunction } from "../core/values.ts";
import type { StateService } from "../state/service.ts";
import type { WorkflowInstance } from "./instance.ts";

const SCOPE = "workflow_definitions";

export async function saveWorkflow(
  state: StateService | undefined,
  name: string,
  { table }: WorkflowInstance,
): Promise<void> {
  await on(state, "save").save(SCOPE, name, portable(table, name, ""));
}

export async function loadWorkflow(
  state: StateService | undefined,
  name: string,
): Promise<Record<string, unknown> | undefined> {
  const table = await state?.load(SCOPE, name);
  return isPlainObject(table) ? table : undefined;
}

export async function forgetWorkflow(state: StateService | undefined, name: string): Promise<boolean> {
  return on(state, "delete").delete(SCOPE, name);
}

function on(state: StateService | undefined, action: string): StateService {
  if (state !== undefined) return state;
  throw new SpellError("config", `Cannot ${action} a workflow: state is switched off`, {
    hint: "Set runtime.state_persistence.enabled = true",
  });
}

/** Agents by their name, workflows by what they are made of. */
function portable(value: unknown, name: string, path: string): unknown {
  if (value instanceof Handle) {
    if (value.className === "WorkflowObject")
      return portable((value.object as WorkflowInstance).table, name, path);
    return (value.object as Agent).name;
  }
  if (isScriptFunction(value))
    throw new SpellError("invalid_argument", `Cannot save workflow "${name}": "${path}" is a function`, {
      hint: "Write the condition as an expression",
    });
  if (Array.isArray(value)) return value.map((item, i) => portable(item, name, `${path}[${i + 1}]`));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      portable(member, name, path === "" ? key : `${path}.${key}`),
    ]),
  );
}
