import { TokenBucket } from "../../events/rate.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";
import { Prices, wrongOption } from "./prices.ts";

type Options = BuiltinOptions<"session_policy">;
type Resource = "tokens" | "operations" | "cost_usd";

/** What a session has used in this process. */
class Use {
  readonly used: Record<Resource, number> = { tokens: 0, operations: 0, cost_usd: 0 };
  readonly told = new Set<string>();
  private readonly buckets = new Map<string, TokenBucket>();

  constructor(
    private readonly burst: number,
    private readonly now: () => number,
  ) {}

  /** @param perMinute 0: no limit */
  takes(kind: string, perMinute: number): boolean {
    if (perMinute === 0) return true;
    let bucket = this.buckets.get(kind);
    if (bucket === undefined) {
      bucket = new TokenBucket(perMinute / 60, perMinute * this.burst, this.now);
      this.buckets.set(kind, bucket);
    }
    return bucket.take();
  }
}

const KINDS: Readonly<Record<string, "llm_call" | "tool_execution" | "state_update">> = {
  BeforeAgentExecution: "llm_call",
  BeforeToolExecution: "tool_execution",
  BeforeStateWrite: "state_update",
};
const MOST_SESSIONS = 10_000;

/** Limits of the current session: what it may use, and how fast. */
export function sessionPolicyHook(
  options: Options,
  { log, session, now = () => performance.now() }: BuiltinParts,
): Builtin {
  const prices = new Prices(options.prices, "hooks.builtin.session_policy.prices");
  const alerts = readShares(options.alerts);
  const all = new Use(options.burst, now);
  const uses = new Map<string, Use>();
  const counts = { allowed: 0, refused: 0 };
  const useOf = (id: string): Use => {
    const use = uses.get(id) ?? new Use(options.burst, now);
    uses.delete(id);
    uses.set(id, use);
    for (const oldest of uses.keys()) {
      if (uses.size <= MOST_SESSIONS) break;
      uses.delete(oldest);
    }
    return use;
  };
  const limits: Record<Resource, number> = {
    tokens: options.max_tokens,
    operations: options.max_operations,
    cost_usd: options.max_cost_usd,
  };

  /** Each tells why it refuses, or undefined. */
  const rulesFor = (kind: (typeof KINDS)[string], use: Use): (() => string | undefined)[] => {
    const rate = (taker: Use, name: string, perMinute: number) => () =>
      taker.takes(name, perMinute) ? undefined : `${name} is limited to ${perMinute} a minute`;
    return [
      ...(["tokens", "operations", "cost_usd"] as const).map((resource) => () => {
        const [limit, used] = [limits[resource], use.used[resource]];
        return limit === 0 || used < limit ? undefined : `${resource} is used up: ${used} of ${limit}`;
      }),
      () => {
        const limit = options.max_memory_bytes;
        const used = limit === 0 ? 0 : process.memoryUsage.rss();
        return used <= limit ? undefined : `memory is used up: ${used} of ${limit} bytes`;
      },
      rate(all, "global", options.global_per_minute),
      rate(use, "session", options.session_per_minute),
      rate(use, kind, options[`${kind}_per_minute`]),
    ];
  };
  const alert = async (id: string, use: Use) => {
    for (const [resource, limit] of Object.entries(limits) as [Resource, number][])
      for (const share of alerts) {
        const mark = `${resource} ${share}`;
        if (limit === 0 || use.used[resource] < limit * share || use.told.has(mark)) continue;
        use.told.add(mark);
        const data = { resource, used: use.used[resource], limit, share };
        log.warn("session", "a session uses much of what it may", { session: id, ...data });
        await session!.announce(id, "policy_alert", data);
      }
  };
  const before = async (id: string, use: Use, point: string): Promise<HookResult | undefined> => {
    const reasons = refusals(options.combination, rulesFor(KINDS[point]!, use));
    if (reasons.length === 0) {
      counts.allowed++;
      use.used.operations++;
      await alert(id, use);
      return undefined;
    }
    counts.refused++;
    return { type: "cancel", reason: `the policy of session ${id} refuses it: ${reasons.join("; ")}` };
  };
  const after = async (id: string, use: Use, context: HookContext): Promise<HookResult | undefined> => {
    const { inputTokens, outputTokens, costUsd } = prices.use(context);
    const tokens = inputTokens + outputTokens;
    use.used.tokens += tokens;
    use.used.cost_usd += costUsd;
    await alert(id, use);
    const most = options.max_tokens_per_operation;
    if (most === 0 || tokens <= most) return undefined;
    counts.refused++;
    return {
      type: "cancel",
      reason: `a model call of session ${id} took ${tokens} tokens, ${most} are allowed`,
    };
  };
  const run = async (context: HookContext): Promise<HookResult | undefined> => {
    const id = (await session?.current()) ?? null;
    if (id === null) return undefined;
    const use = useOf(id);
    return context.point === "AfterAgentExecution" ? after(id, use, context) : before(id, use, context.point);
  };
  return {
    description: "Limits what a session may use, and how fast",
    spec: {
      points: [...Object.keys(KINDS), "AfterAgentExecution"],
      run,
      priority: PRIORITIES.highest,
    },
    report: () => ({
      ...counts,
      sessions: Object.fromEntries([...uses].map(([id, { used }]) => [id, { ...used }])),
    }),
  };
}

/** Why it is refused; empty where it is allowed. */
function refusals(how: Options["combination"], rules: readonly (() => string | undefined)[]): string[] {
  const reasons: string[] = [];
  for (const rule of rules) {
    const reason = rule();
    if (reason === undefined) continue;
    reasons.push(reason);
    if (how === "sequential") break;
  }
  return how === "voting" && reasons.length * 2 <= rules.length ? [] : reasons;
}

function readShares(given: readonly string[]): number[] {
  return given.map((text) => {
    const share = Number(text);
    if (share > 0 && share <= 1) return share;
    throw wrongOption("hooks.builtin.session_policy.alerts", `must be shares between 0 and 1: ${text}`);
  });
}
