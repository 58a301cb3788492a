/** Hooks, events and the script-side Debug global. */
import {
  choice,
  flag,
  integer,
  list,
  number,
  PATH,
  POSITIVE,
  required,
  SECRET,
  section,
  TRUSTED,
  table,
  text,
  unset,
} from "../fields.ts";
import { BuiltinHooks } from "./hooks.ts";
import { LOG_LEVEL_WORDS } from "./runtime.ts";

const SHARE = { minimum: 0, maximum: 1 } as const;

export const Hooks = section("Hooks.", {
  enabled: flag(
    false,
    "Whether the built-in hooks of `[hooks.builtin]` run. Hooks of scripts always do, unless this is set to false",
  ),
  rate_limit_per_minute: integer(100, "Calls of one hook a minute; counts only where it is set"),
  max_hooks: integer(1000, "Hooks registered at once", POSITIVE),
  timeout_ms: integer(5000, "Time for one hook, in milliseconds; 0: no limit"),
  circuit_breaker: choice(
    ["default", "production", "conservative", "off"],
    "default",
    "When a hook that fails or is slow is passed over for a while",
  ),
  circuit_breaker_threshold: number(
    0.01,
    "Share of slowdown from which a hook is switched off (0.01 is 1 %); counts only where it is set",
  ),
  builtin: BuiltinHooks,
});

const patterns = (byDefault: string[], doc: string) =>
  list(byDefault, `${doc}: exact, \`prefix*\`, \`*suffix\` or \`*\``);

export const Events = section("The event bus.", {
  enabled: flag(true, "Send events"),
  buffer_size: integer(10_000, "Events kept for slow readers", POSITIVE),
  emit_timing_events: flag(true, "Send timing events"),
  emit_state_events: flag(false, "Send events about state"),
  emit_debug_events: flag(false, "Send debug events"),
  max_events_per_second: unset.integer("Most events a second; no limit when absent", POSITIVE),
  burst: unset.integer("Events at once over that limit; twice `max_events_per_second` when absent", POSITIVE),
  overflow: choice(
    ["DropOldest", "DropNewest", "Block", "Reject"],
    "DropOldest",
    "What happens to an event for which a subscription has no room",
  ),
  high_water: number(0.8, "Share of a queue from which its subscription is behind", SHARE),
  low_water: number(0.2, "Share of a queue at which a subscription that was behind has caught up", SHARE),
  history_size: integer(10_000, "Past events kept in memory"),
  filtering: section("Which events are sent. Exclusion wins; an empty include list means all.", {
    include_types: patterns(["*"], "Types sent"),
    exclude_types: patterns([], "Types not sent"),
    include_components: patterns(["*"], "Components whose events are sent"),
    exclude_components: patterns([], "Components whose events are not sent"),
  }),
  export: section("Where events are written besides.", {
    stdout: flag(false, "Write events to standard output"),
    file: unset.text("Append events to this file, one JSON document a line", PATH),
    webhook: unset.text("Send events to this http(s) URL", { ...TRUSTED, "x-expand": true }),
    pretty_json: flag(false, "Indent exported JSON"),
  }),
  persistence: section("Events kept in the database.", {
    enabled: flag(false, "Store events"),
    flush_interval_ms: integer(50, "Longest time until an event is stored, in milliseconds", POSITIVE),
    retention_days: integer(30, "Age at which events are deleted; 0: never"),
    max_events: integer(1_000_000, "Most events stored; the oldest are deleted; 0: no limit"),
  }),
  redis: section("A Redis server through which several machines share one bus.", {
    url: unset.text("Its URL, such as redis://host:6379; the bus is not shared when absent", SECRET),
    channel: text("llmspell.events", "The channel; those who use the same one share a bus", TRUSTED),
  }),
});

export const Debug = section("The script-side Debug global.", {
  enabled: flag(false, "Whether scripts may log; they may unless this is set to false"),
  level: choice(LOG_LEVEL_WORDS, "info", "Least severe level written"),
  output: section("Where debug output goes.", {
    stdout: flag(true, "Write to the terminal"),
    colored: flag(true, "Use colours"),
    format: choice(["text", "json", "json_pretty"], "text", "Form of a line"),
    file: unset.section("A file besides the terminal.", {
      path: required("The file", PATH),
      append: flag(true, "Append to an existing file"),
      max_size: integer(10_485_760, 'Size at which a new file is begun, in bytes or as "100MB"', {
        minimum: 1,
        "x-size": true,
      }),
      max_files: integer(5, "Old files kept"),
    }),
    buffer: section("Entries kept for the script to read.", {
      enabled: flag(true, "Keep entries"),
      max_entries: integer(10_000, "Entries kept"),
    }),
  }),
  module_filters: section("Which modules write.", {
    enabled: list([], "Modules that write; none: all"),
    disabled: list([], "Modules that do not write"),
    levels: table(choice(LOG_LEVEL_WORDS, "info", "Level"), "Level of single modules"),
  }),
  performance: section("Reports of timers, logged now and then.", {
    enabled: flag(false, "Log reports"),
    auto_report_interval: integer(0, "Seconds between reports; 0: none"),
    include_children: flag(true, "Show timers that ran inside others"),
    min_duration_ms: integer(1, "Shortest total shown, in milliseconds"),
  }),
  stack_trace: section("Stack traces.", {
    enabled: flag(false, "Add stack traces to entries"),
    on_error: flag(true, "To errors only; false: to every entry"),
    max_depth: integer(50, "Frames shown"),
    include_source: flag(true, "Show file and line"),
  }),
});
