/** `Hook`: spec/lua-api.md section 6. */
import { Type } from "typebox";
import { SpellError } from "../core/errors.ts";
import {
  Handle,
  isPlainObject,
  isScriptFunction,
  type ScriptFunction,
  type ScriptValue,
} from "../core/values.ts";
import type { CompositeOptions, Pattern, TieBreak } from "../hooks/composite.ts";
import type {
  HookFigures,
  HookFilter,
  HookFunction,
  HookService,
  HookSpec,
  RegisteredHook,
} from "../hooks/service.ts";
import {
  AnyTable,
  AnyValue,
  type CallContext,
  type GlobalDecl,
  LuaFunction,
  methodsOf,
  optional,
  param,
  wait,
} from "./declare.ts";
import { readOptions, readPriority } from "./hook/options.ts";
import { scriptHook } from "./hook/protocol.ts";

/** The script's handle: it outlives the hook. */
interface HookHandle {
  readonly hook: RegisteredHook;
}

const point = param(
  "point",
  Type.String(),
  "A point such as `BeforeToolExecution` or `before_tool_execution`, or `custom:NAME`",
);
const OPTIONS = optional(
  "priority",
  AnyValue,
  "`highest`, `high`, `normal`, `low`, `lowest` or a number; or `{priority?, name?, description?, version?, tags?, breaker?, when?}`, where `when` is `{component_type?, component?, point?, metadata?, has_error?, path?, equals?, debug_mode?, execution_state?, always?, never?}`",
);
const builtinName = param(
  "name",
  Type.String(),
  "logging, metrics, debugging, security, caching, rate_limit, retry, cost_tracking, artifact_collector, session_policy, state_validation, state_audit or state_cache",
);

async function register(
  { services }: CallContext,
  name: string,
  fns: readonly ScriptFunction[],
  given: ScriptValue,
  combine: (hooks: readonly HookFunction[]) => HookFunction | Promise<HookFunction>,
): Promise<Handle<HookHandle>> {
  const { when, ...spec } = readOptions(given);
  const hooks = await services.hooks();
  let hook: RegisteredHook | undefined;
  const ended = () => {
    if (hook !== undefined) hooks.unregister(hook.id);
  };
  const whole: HookSpec = {
    ...spec,
    points: [name],
    language: "lua",
    tags: ["cross-language", "lua", ...(spec.tags ?? [])],
    run: await combine(fns.map((fn) => scriptHook(fn, ended))),
    ...(when === undefined
      ? {}
      : {
          condition: (await import("../hooks/conditions.ts")).conditionOf(when, () => services.kernelState()),
        }),
    onRemoved: () => {
      for (const fn of fns) fn.release();
    },
  };
  hook = await hooks.register(whole);
  return new Handle<HookHandle>("HookHandle", { hook });
}

/** False for what is no handle, and for the handle of a hook that is gone. */
async function unregister({ services }: CallContext<unknown>, value: unknown): Promise<boolean> {
  if (!(value instanceof Handle) || value.className !== "HookHandle") return false;
  return (await services.hooks()).unregister((value.object as HookHandle).hook.id);
}

function readFilter(given: ScriptValue): HookFilter {
  if (typeof given === "string") return { point: given };
  if (!isPlainObject(given)) return {};
  const { hook_point, language, priority, tag } = given;
  return {
    ...(typeof hook_point === "string" ? { point: hook_point } : {}),
    ...(typeof language === "string" ? { language } : {}),
    ...(priority === undefined || priority === null ? {} : { priority: readPriority(priority) }),
    ...(typeof tag === "string" ? { tag } : {}),
  };
}

function entryOf({ name, priority, language, version, description, tags }: RegisteredHook): ScriptValue {
  return { name, priority: `Priority(${priority})`, language, version, description, tags: [...tags] };
}

function figuresOf(figures: HookFigures): ScriptValue {
  const { name, count, failures, skipped, totalMs, minMs, maxMs, avgMs, breaker } = figures;
  return {
    name,
    count,
    failures,
    skipped,
    total_ms: totalMs,
    min_ms: minMs,
    max_ms: maxMs,
    avg_ms: avgMs,
    p50_ms: figures.p50Ms,
    p95_ms: figures.p95Ms,
    p99_ms: figures.p99Ms,
    last_execution: figures.lastExecutionMs,
    breaker,
  };
}

const { wait: method } = methodsOf<HookHandle>();

/** @throws SpellError not_found for the handle of a hook that is gone */
function registered(hooks: HookService, { hook }: HookHandle): RegisteredHook {
  if (hooks.find(hook.id) !== undefined) return hook;
  throw new SpellError("not_found", "Cannot use the hook's handle: the hook is unregistered");
}

export const HookGlobal: GlobalDecl = {
  name: "Hook",
  doc: "Functions of the script that run at points of what agents, tools and the kernel do, and may change it.",
  functions: {
    register: wait({
      doc: "Runs `fn` at a point from now on, until it is unregistered or the script's VM ends. `fn` gets `{point, correlation_id, component_id = {type, name}, language, metadata, data}` and returns what is to happen: nil or `continue`; `skip`; any other text cancels for that reason; or a table with `type` `modified{data}`, `cancel{reason}`, `redirect{target}`, `replace{data}`, `retry{delay_ms, max_attempts}`, `fork{operations}`, `cache{key, ttl_ms}` or `skipped{reason}`. Raises for an unknown point.",
      params: [point, param("fn", LuaFunction, "Called with the context"), OPTIONS],
      returns: "HookHandle",
      handler: (ctx, name, fn, options) => register(ctx, name, [fn], options, ([hook]) => hook!),
    }),
    register_composite: wait({
      doc: "One hook made of several functions. `sequential`: each sees what those before it changed. `parallel`: all are asked at once. `first_match`: the first that does not go on. `voting`: the answer that enough of them give.",
      params: [
        point,
        param(
          "pattern",
          Type.Union([
            Type.Literal("sequential"),
            Type.Literal("parallel"),
            Type.Literal("first_match"),
            Type.Literal("voting"),
          ]),
          "How the answers are put together",
        ),
        param("fns", AnyValue, "A list of functions"),
        OPTIONS,
        optional(
          "voting",
          AnyTable,
          "`{threshold = 0.5, tie = first_result | prefer_continue | prefer_action | by_priority, priorities = integer[]}`",
        ),
      ],
      returns: "HookHandle",
      handler: async (ctx, name, pattern, fns, options, voting) =>
        register(ctx, name, functionsOf(fns), options, async (hooks) => {
          const { compositeHook } = await import("../hooks/composite.ts");
          return compositeHook(pattern as Pattern, hooks, votingOptions(voting ?? {}));
        }),
    }),
    unregister: wait({
      doc: "Removes a hook.",
      params: [optional("handle", AnyValue, "What register returned")],
      returns: "boolean: false for an invalid handle and a hook that is gone",
      handler: unregister,
    }),
    list: wait({
      doc: "The hooks there are, in the order in which they run.",
      params: [optional("filter", AnyValue, "A point, or `{hook_point?, language?, priority?, tag?}`")],
      returns: "{name, priority, language, version, description, tags}[]",
      handler: async ({ services }, filter) =>
        (services.activeHooks()?.list(readFilter(filter)) ?? []).map(entryOf),
    }),
    metrics: wait({
      doc: "How often hooks ran and what they took, in the order of `list`.",
      params: [optional("name", Type.String(), "Only the hooks of this name")],
      returns:
        "{name, count, failures, skipped, total_ms, min_ms?, max_ms?, avg_ms?, p50_ms?, p95_ms?, p99_ms?, last_execution?, breaker}[]",
      handler: ({ services }, name) =>
        (services.activeHooks()?.figures() ?? [])
          .filter((figures) => name === undefined || figures.name === name)
          .map(figuresOf),
    }),
    enable_builtin: wait({
      doc: "Switches a built-in hook on for this process. Raises for an unknown name and a wrong option.",
      params: [builtinName, optional("options", AnyTable, "Keys of `[hooks.builtin.NAME]`")],
      returns: "HookHandle",
      handler: async ({ services }, name, options) =>
        new Handle<HookHandle>("HookHandle", {
          hook: await (await services.hooks()).enableBuiltin(name, options),
        }),
    }),
    disable_builtin: wait({
      doc: "Switches a built-in hook off.",
      params: [builtinName],
      returns: "boolean: whether it was on",
      handler: async ({ services }, name) => (await services.hooks()).disableBuiltin(name),
    }),
    builtin_report: wait({
      doc: "What a built-in hook has gathered. Raises where it is not on.",
      params: [builtinName],
      returns: "table",
      handler: async ({ services }, name) => (await services.hooks()).builtinReport(name),
    }),
  },
  classes: [
    {
      name: "HookHandle",
      doc: "A registered hook. A handle that is collected leaves its hook alone.",
      methods: {
        id: method({
          doc: "The hook's id. Raises once it is unregistered.",
          params: [],
          returns: "string",
          handler: async (ctx) => registered(await ctx.services.hooks(), ctx.self).id,
        }),
        hook_point: method({
          doc: "The point; `*` for a hook with several. Raises once it is unregistered.",
          params: [],
          returns: "string",
          handler: async (ctx) => registered(await ctx.services.hooks(), ctx.self).point,
        }),
        unregister: method({
          doc: "Removes the hook.",
          params: [],
          returns: "boolean: false where it is gone already",
          handler: async (ctx) => (await ctx.services.hooks()).unregister(ctx.self.hook.id),
        }),
      },
    },
  ],
};

function functionsOf(value: ScriptValue): ScriptFunction[] {
  const fns = Array.isArray(value) ? value.filter(isScriptFunction) : [];
  if (Array.isArray(value) && fns.length === value.length && fns.length > 0) return fns;
  throw new SpellError(
    "invalid_argument",
    'Cannot call Hook.register_composite: "fns" must be a list of functions',
  );
}

const TIES: readonly string[] = ["first_result", "prefer_continue", "prefer_action", "by_priority"];

function votingOptions({ threshold, tie, priorities }: Record<string, ScriptValue>): CompositeOptions {
  const word = tie?.toString();
  if (word !== undefined && !TIES.includes(word))
    throw new SpellError(
      "invalid_argument",
      `Cannot call Hook.register_composite: "voting.tie" must be one of ${TIES.join(", ")}`,
    );
  return {
    ...(typeof threshold === "number" ? { threshold } : {}),
    ...(word === undefined ? {} : { tie: word as TieBreak }),
    ...(Array.isArray(priorities) ? { priorities: priorities.map(Number) } : {}),
  };
}
