/** The built-in hooks: spec/kernel.md section 17.7. A hook is on where its table stands and `hooks.enabled` is true. */
import {
  anything,
  choice,
  flag,
  integer,
  list,
  number,
  POSITIVE,
  section,
  table,
  text,
  unset,
} from "../fields.ts";

const enabled = flag(true, "Whether it is on");
const points = (byDefault: readonly string[], doc = "Points at which it stands") => list(byDefault, doc);

const BuiltinSections = {
  logging: unset.section("Logs what happens at hook points.", {
    enabled,
    level: choice(["error", "warn", "info", "debug", "trace"], "info", "Level of its lines"),
    max_data_bytes: integer(1024, "Where the data in a line is cut"),
    points: points(
      [],
      "Points at which it stands; none: all but events, those of the kernel, and those within every call of a tool",
    ),
  }),
  metrics: unset.section("Counts operations and measures their time.", {
    enabled,
    points: points([
      "AfterToolExecution",
      "ToolError",
      "AfterAgentExecution",
      "AgentError",
      "AfterWorkflowComplete",
      "WorkflowError",
    ]),
  }),
  debugging: unset.section("Keeps traces of what happens at hook points.", {
    enabled,
    max_traces: integer(1000, "Traces kept; the oldest leave first", POSITIVE),
    stack_traces: flag(true, "Keep the kernel's stack with each"),
    include_context: flag(true, "Keep data and metadata with each"),
    points: points(
      [],
      "Points at which it stands; none: all but events, those of the kernel, and those within every call of a tool",
    ),
  }),
  security: unset.section("Audits operations and looks at their parameters.", {
    enabled,
    audit: flag(true, "Keep events"),
    max_events: integer(10_000, "Events kept; the oldest leave first", POSITIVE),
    min_severity: choice(["info", "low", "medium", "high", "critical"], "info", "Least severe event kept"),
    check_parameters: flag(true, "Look at the texts in parameters"),
    max_parameter_length: integer(10_000, "Longest text that is not suspicious", POSITIVE),
    rate_limiting: flag(true, "Look at how often a component is called"),
    max_calls_per_minute: integer(600, "Calls of one component a minute that are not suspicious", POSITIVE),
    sensitive_names: list(
      ["password", "token", "key", "secret", "api_key", "auth", "authorization"],
      "Names of values that are not kept",
    ),
    blocking: flag(false, "Cancel suspicious operations"),
  }),
  caching: unset.section("Answers calls from the results of the same calls before.", {
    enabled,
    max_entries: integer(1000, "Results kept; the least used leave first", POSITIVE),
    ttl_secs: number(300, "Seconds for which a result is kept"),
    min_duration_ms: number(10, "Shortest call whose result is kept, in milliseconds"),
    points: points(["BeforeToolExecution", "BeforeAgentExecution"]),
  }),
  rate_limit: unset.section("Limits how often operations run: a bucket of tokens.", {
    enabled,
    capacity: integer(100, "Tokens at the start", POSITIVE),
    refill_per_second: number(10, "Tokens that come back each second"),
    burst: integer(50, "Tokens that gather above the capacity while nothing happens"),
    strategy: choice(
      ["Global", "PerComponent", "PerUser", "PerKey", "Custom"],
      "PerComponent",
      "What has a bucket of its own",
    ),
    key: text("", "PerKey: a path such as `data.params.account`. Custom: a text with such paths in braces"),
    action: choice(["Cancel", "Delay", "Redirect", "ReturnCached"], "Cancel", "What happens without a token"),
    redirect_to: text("", "Target of Redirect: a name, or `tool:NAME` and its like"),
    warn_share: number(0.8, "Share of the capacity in use from which a warning is logged", { maximum: 1 }),
    max_buckets: integer(10_000, "Buckets kept; the least used leave first", POSITIVE),
    bucket_ttl_secs: number(3600, "Seconds after which an unused bucket is forgotten"),
    points: points(["BeforeToolExecution", "BeforeAgentExecution", "BeforeWorkflowStart"]),
  }),
  retry: unset.section("Repeats operations that failed for a reason that may pass.", {
    enabled,
    max_attempts: integer(3, "Attempts in all", POSITIVE),
    initial_delay_ms: number(100, "Before the second attempt, in milliseconds"),
    multiplier: number(2, "How the wait grows", { minimum: 1 }),
    max_delay_ms: number(60_000, "Longest wait, in milliseconds"),
    jitter: choice(["None", "Full", "Equal", "Decorrelated"], "None", "How waits are spread"),
    errors: list(
      ["connection_error", "timeout", "service_unavailable", "internal_server_error"],
      "Kinds of failures that are repeated, or error codes",
    ),
    max_total_secs: number(300, "Longest time for all attempts, in seconds"),
    points: points(["ToolError", "AgentError", "AfterToolExecution", "AfterAgentExecution"]),
  }),
  cost_tracking: unset.section("Adds up what model calls cost.", {
    enabled,
    prices: table(
      anything("[input, output] in USD for 1000 tokens"),
      "Prices of further models by name, or other prices",
    ),
    alerts: list(["10", "50", "100"], "Sums in USD at which a warning is logged"),
    block_at: number(100, "Sum in USD from which model calls are cancelled; 0: never"),
    window_secs: number(3600, "Seconds for which costs count"),
  }),
  artifact_collector: unset.section("Keeps what tools and agents gave as artifacts of the current session.", {
    enabled,
    points: points(["AfterToolExecution", "AfterAgentExecution"]),
    components: list([], "Names of tools and agents, with `*`; none: all"),
    min_bytes: integer(1, "Smallest content that is kept"),
    max_bytes: integer(1_048_576, "Largest content that is kept", POSITIVE),
  }),
  state_validation: unset.section(
    "Refuses values of state that are too large, and keys that are not wanted.",
    {
      enabled,
      max_value_bytes: integer(1_000_000, "Largest value, in bytes of its JSON", POSITIVE),
      refused_keys: list([], "Keys that are not stored, with `*`"),
    },
  ),
  state_audit: unset.section("Keeps what was done to state, without values.", {
    enabled,
    max_entries: integer(10_000, "Entries kept; the oldest leave first", POSITIVE),
    points: points(
      ["AfterStateWrite", "StateError"],
      "Points at which it stands; `AfterStateRead` adds reads",
    ),
  }),
  state_cache: unset.section(
    "Answers reads of state from the reads before, until this process changes something.",
    {
      enabled,
      ttl_secs: number(5, "Seconds for which a value is kept; what other processes write is seen then"),
      max_entries: integer(1000, "Values kept, together with the results of `caching`", POSITIVE),
    },
  ),
  session_policy: unset.section("Limits what the current session may use, and how fast; 0: no limit.", {
    enabled,
    max_tokens: integer(1_000_000, "Tokens of all model calls"),
    max_tokens_per_operation: integer(100_000, "Tokens of one model call"),
    max_operations: integer(10_000, "Tool calls, model calls and changes of state"),
    max_cost_usd: number(100, "Cost of all model calls in USD"),
    max_memory_bytes: integer(1_073_741_824, "Memory of the process, in bytes"),
    alerts: list(["0.5", "0.75", "0.9"], "Shares of a limit at which a warning is logged and published"),
    global_per_minute: integer(1000, "Operations of all sessions a minute"),
    session_per_minute: integer(100, "Operations of one session a minute"),
    llm_call_per_minute: integer(60, "Model calls of one session a minute"),
    tool_execution_per_minute: integer(120, "Tool calls of one session a minute"),
    state_update_per_minute: integer(300, "Changes of state of one session a minute"),
    burst: number(1.5, "How many minutes' worth may come at once", { minimum: 1 }),
    combination: choice(
      ["sequential", "parallel", "voting"],
      "sequential",
      "The first limit that is reached refuses; all are named; or more than half must be reached",
    ),
    prices: table(
      anything("[input, output] in USD for 1000 tokens"),
      "Prices of further models by name, or other prices",
    ),
  }),
};

export const BuiltinHooks = section("Built-in hooks.", BuiltinSections);
