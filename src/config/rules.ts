/** Rules that the schema cannot say: keys that depend on each other, URLs, empty texts. */
import { messageOf } from "../core/errors.ts";
import { linearRegex } from "../core/linear-regex.ts";
import { didYouMean } from "../core/nearest.ts";
import { type Config, providerEntries } from "./schema.ts";
import { joinPath } from "./tree.ts";

const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

export interface RuleSink {
  problem(path: string, reason: string): void;
}

export function checkRules(config: Config, sink: RuleSink): void {
  checkEngine(config, sink);
  const names = providerEntries(config).map(([name]) => name);
  const wanted = config.providers.default_provider;
  if (wanted !== undefined && wanted !== "local" && !names.includes(wanted)) {
    const hint = didYouMean(wanted, [...names, "local"]);
    sink.problem(
      "providers.default_provider",
      `names no provider: ${JSON.stringify(wanted)}${hint === undefined ? "" : `. ${hint}`}`,
    );
  }
  for (const [name, provider] of providerEntries(config))
    if (provider.provider_type === "")
      sink.problem(joinPath(["providers", name, "provider_type"]), "must not be empty");
  if (config.tools.file_operations.allowed_paths.length === 0) {
    sink.problem(
      "tools.file_operations.allowed_paths",
      "must not be empty; set tools.file_operations.enabled = false to switch file tools off",
    );
  }
  checkEvents(config, sink);
  checkPatterns(config, sink);
  checkSchedule(config, sink);
  if (config.rag.enabled) checkIndex(config, sink);
}

function checkEngine(config: Config, sink: RuleSink): void {
  const engine = config.default_engine;
  const engines = Object.keys(config.engines);
  if (engine === "") sink.problem("default_engine", "must not be empty");
  else if (!engines.includes(engine)) {
    const hint = didYouMean(engine, engines);
    sink.problem(
      "default_engine",
      `engine is not configured: ${JSON.stringify(engine)}${hint === undefined ? "" : `. ${hint}`}`,
    );
  }
}

function checkSchedule({ runtime }: Config, sink: RuleSink): void {
  const { daily_time, weekly_days } = runtime.state_persistence.backup.schedule;
  const path = "runtime.state_persistence.backup.schedule";
  if (daily_time !== undefined && !/^([01]?\d|2[0-3]):[0-5]\d$/.test(daily_time))
    sink.problem(`${path}.daily_time`, `must be a time such as 03:30: ${JSON.stringify(daily_time)}`);
  const wrong = weekly_days.find((day) => !WEEKDAYS.includes(day.toLowerCase()));
  if (wrong !== undefined)
    sink.problem(
      `${path}.weekly_days`,
      `names no day: ${JSON.stringify(wrong)}. Days are ${WEEKDAYS.join(", ")}`,
    );
}

function checkPatterns({ runtime }: Config, sink: RuleSink): void {
  for (const [i, pattern] of runtime.state_persistence.redaction.patterns.entries()) {
    try {
      linearRegex(pattern);
    } catch (error) {
      sink.problem(`runtime.state_persistence.redaction.patterns[${i}]`, messageOf(error));
    }
  }
}

function checkEvents({ events }: Config, sink: RuleSink): void {
  const { include_types, exclude_types, include_components, exclude_components } = events.filtering;
  for (const [kind, included, excluded] of [
    ["types", include_types, exclude_types],
    ["components", include_components, exclude_components],
  ] as const) {
    const both = included.find((pattern) => excluded.includes(pattern));
    if (both !== undefined)
      sink.problem(
        "events.filtering",
        `pattern is both in include_${kind} and exclude_${kind}: ${JSON.stringify(both)}`,
      );
  }
  if (events.export.file === "") sink.problem("events.export.file", "must not be empty");
  const { webhook } = events.export;
  if (webhook === "") sink.problem("events.export.webhook", "must not be empty");
  else if (webhook !== undefined && !isHttpUrl(webhook))
    sink.problem("events.export.webhook", `must be an http or https URL: ${JSON.stringify(webhook)}`);
  if (events.low_water >= events.high_water)
    sink.problem("events.low_water", `must be below events.high_water: ${events.low_water}`);
  const { url } = events.redis;
  if (url !== undefined && !/^(rediss?|valkeys?)(\+(tls|unix))?:$/.test(URL.parse(url)?.protocol ?? ""))
    sink.problem("events.redis.url", "must be a redis:// or rediss:// URL");
}

export function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function checkIndex(config: Config, sink: RuleSink): void {
  const { m, ef_construction, ef_search, max_elements, nb_layers } = config.rag.vector_storage.hnsw;
  const at = (key: string) => `rag.vector_storage.hnsw.${key}`;
  if (m < 2 || m > 100) sink.problem(at("m"), `must be between 2 and 100: ${m}`);
  if (ef_construction < m)
    sink.problem(at("ef_construction"), `must be at least m (${m}): ${ef_construction}`);
  if (ef_search < 1) sink.problem(at("ef_search"), `must be greater than 0: ${ef_search}`);
  if (max_elements < 1) sink.problem(at("max_elements"), `must be greater than 0: ${max_elements}`);
  if (nb_layers !== undefined && (nb_layers < 1 || nb_layers > 64))
    sink.problem(at("nb_layers"), `must be between 1 and 64: ${nb_layers}`);
}
