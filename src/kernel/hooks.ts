/** The kernel's own part in hooks: what redirected operations run, and the points of system and kernel. */

import { currentRun } from "../agents/run-scope.ts";
import { errorToJson, SpellError } from "../core/errors.ts";
import type { RecorderSource } from "../core/recording.ts";
import { isPlainObject } from "../core/values.ts";
import { shortVersion } from "../core/version.ts";
import type { ExecuteOutcome } from "../engine/engine.ts";
import type { EventService } from "../events/service.ts";
import { createHookService } from "../hooks/create.ts";
import type { HookComponent, HookService } from "../hooks/service.ts";
import type { DebugReply, ExecuteRequest, KernelReply, KernelRequest } from "./api.ts";
import type { Excess } from "./health/report.ts";
import type { Broadcast } from "./hub.ts";
import type { RunContext, Services } from "./services.ts";

const SYSTEM: HookComponent = { type: "System", name: "kernel" };

/** The hooks of a kernel; those that are on from the start are told of it, others when they come. */
export async function createKernelHooks(
  services: Services,
  events: () => EventService | undefined,
  recorder: RecorderSource,
): Promise<HookService> {
  const { config, log } = services;
  const hooks = await createHookService({
    config,
    log,
    events,
    recorder,
    session: {
      current: async () =>
        config.current.runtime.sessions.enabled ? (await services.sessions()).current() : null,
      store: async (id, artifact) => {
        await (await services.sessions()).artifacts.store(id, artifact);
      },
      announce: async (id, name, data) => (await services.sessions()).announce(id, name, data),
    },
    targets: {
      tool: async (name, { params }, signal) => {
        const result = await (await services.tools()).execute(
          name,
          (params ?? {}) as Record<string, unknown>,
          signal === undefined ? {} : { signal },
        );
        if (!result.success) throw new SpellError("tool_failed", result.error?.message ?? "The tool failed");
        return result.result ?? result.text;
      },
      agent: async (name, parameters, signal) => {
        const agent = (await services.agents()).get(name);
        if (agent === undefined)
          throw new SpellError("not_found", `Cannot run agent "${name}" for a hook: no such agent`);
        const text = String(parameters.text ?? parameters.input ?? "");
        return (await agent.execute({ text }, currentRun() ?? runWithout(signal))).text;
      },
      workflow: async (name, parameters, signal) => {
        const workflow = (await services.workflows()).get(name);
        if (workflow === undefined)
          throw new SpellError("not_found", `Cannot run workflow "${name}" for a hook: no such workflow`);
        const input = isPlainObject(parameters.input) ? parameters.input : parameters;
        return (await workflow.execute(input, currentRun() ?? runWithout(signal))).output;
      },
    },
  });
  const data = { version: shortVersion(), profile: config.source };
  for (const point of ["PreKernelStartup", "SystemStartup", "PostKernelStartup"])
    await hooks.run({ point, component: SYSTEM, data });
  return hooks;
}

/** For an agent that no script asks for. */
function runWithout(signal: AbortSignal = new AbortController().signal): RunContext {
  return {
    id: crypto.randomUUID(),
    signal,
    scriptName: "hook",
    args: { script: "hook", positional: [], named: {} },
    emit: () => {},
    vm: { ended: signal, running: async () => {} },
    blockedTasks: () => new Set(),
  };
}

/** The end of the kernel, while scripts' functions still can be called. */
export async function endWithHooks(
  services: Services,
  hooks: HookService,
  hasAgents: boolean,
): Promise<void> {
  if (hasAgents) await (await services.agents()).dispose();
  await hooks.run({ point: "SystemShutdown", component: SYSTEM, data: { reason: "the kernel ends" } });
}

/** Tells hooks that a figure of the kernel's health has risen above its limit. */
export async function tellExcess(hooks: HookService, { point, ...data }: Excess): Promise<void> {
  await hooks.run({ point, component: { type: "System", name: "health" }, data: { ...data } });
}

/** Hooks around what all clients of a kernel are told; they watch only. */
export async function tellBroadcast(
  hooks: HookService,
  point: "PreIOPubBroadcast" | "PostIOPubBroadcast",
  broadcast: Broadcast,
): Promise<void> {
  const { type, client, request } = broadcast;
  const data = { message_type: type, client: client.name, request };
  await hooks.run({ point, component: SYSTEM, data, correlationId: request });
}

/** A request of a debugger that failed. */
export async function tellDebugError(
  hooks: HookService,
  { command, message }: DebugReply["message"],
): Promise<void> {
  await hooks.run({ point: "DebugError", component: SYSTEM, data: { command, error: message ?? null } });
}

/** A request between its hooks. @throws SpellError what `answer` throws */
export async function aroundMessage(
  hooks: HookService,
  { type }: KernelRequest,
  answer: () => Promise<KernelReply>,
): Promise<KernelReply> {
  try {
    return await hooks.around<KernelReply>(
      {
        before: "PreMessageHandle",
        after: "PostMessageHandle",
        component: SYSTEM,
        data: { message_type: type },
        describe: ({ status }) => ({ status }),
        adopt: (value, before) => before ?? { status: "ok", result: value },
      },
      answer,
    );
  } catch (error) {
    const { code, message } = errorToJson(error);
    if (code === "internal")
      await hooks.run({
        point: "SystemError",
        component: SYSTEM,
        data: { message_type: type, error: message },
      });
    throw error;
  }
}

/** Before a script runs. @returns its code as hooks left it @throws SpellError permission_denied where one cancels */
export async function beforeExecution(
  hooks: HookService,
  request: ExecuteRequest,
  code: string | Uint8Array,
  id: string,
): Promise<string | Uint8Array> {
  const component: HookComponent = { type: "System", name: request.name };
  const load = { path: request.path ?? null, name: request.name };
  if (request.path !== undefined && hooks.has("PreScriptLoad"))
    refuseIfCancelled(
      request,
      await hooks.run({ point: "PreScriptLoad", component, data: load, correlationId: id }),
    );
  if (request.path !== undefined && hooks.has("PostScriptLoad"))
    await hooks.run({
      point: "PostScriptLoad",
      component,
      data: { ...load, size_bytes: Buffer.byteLength(code) },
      correlationId: id,
    });
  if (!hooks.has("PreCodeExecution")) return code;
  const data = { code: textOf(code), name: request.name, execution_id: id };
  const result = await hooks.run({ point: "PreCodeExecution", component, data, correlationId: id });
  refuseIfCancelled(request, result);
  const changed = result.type === "modified" ? (result.data as { code?: unknown }).code : undefined;
  return typeof changed === "string" && changed !== data.code ? changed : code;
}

/** After a script has run; the hooks that it registered are told too. */
export async function afterExecution(
  hooks: HookService,
  request: ExecuteRequest,
  outcome: ExecuteOutcome,
  id: string,
): Promise<void> {
  const { error, value = null } = outcome;
  const component: HookComponent = { type: "System", name: request.name };
  const subject = { component, correlationId: id };
  const data = {
    session_id: "kernel",
    code: textOf(request.code),
    execution_id: id,
    success: error === undefined,
  };
  if (hooks.has("PostCodeExecution"))
    await hooks.run({
      point: "PostCodeExecution",
      ...subject,
      data: { ...data, ...(error === undefined ? { result: value } : { error: error.message }) },
    });
  if (error === undefined) return;
  if (hooks.has("ExecutionError"))
    await hooks.run({
      point: "ExecutionError",
      ...subject,
      data: { ...data, error: error.message, error_code: error.code },
    });
  if (error.code === "limit" && hooks.has("ResourceLimitExceeded"))
    await hooks.run({
      point: "ResourceLimitExceeded",
      ...subject,
      data: {
        resource: error.data?.limit ?? null,
        limit: error.data?.maxMs ?? error.data?.maxBytes ?? null,
        actual: null,
        detail: error.message,
      },
    });
}

function refuseIfCancelled({ name }: ExecuteRequest, result: Awaited<ReturnType<HookService["run"]>>): void {
  if (result.type !== "cancel") return;
  throw new SpellError("permission_denied", `Cannot run ${name}: a hook cancelled it: ${result.reason}`, {
    data: { reason: result.reason },
  });
}

const textOf = (code: string | Uint8Array): string =>
  typeof code === "string" ? code : new TextDecoder().decode(code);
