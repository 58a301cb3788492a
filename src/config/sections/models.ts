import { flag, integer, NOT_RAISED, number, PATH, POSITIVE, section, table, unset } from "../fields.ts";

export const Price = section("What a million tokens cost, in USD.", {
  input: number(0, "Tokens of prompts"),
  output: number(0, "Tokens of answers"),
  cached_input: unset.number("Tokens of prompts that the provider had in its cache; as `input` when absent", {
    minimum: 0,
  }),
});

export const Models = section("Calls of models: what they cost, may cost, and need not be made again.", {
  prices: table(Price, "By `provider/model` or by model; they win over the built-in list."),
  budget: section("What one run of a script may spend on models; absent keys bound nothing.", {
    tokens: unset.integer("Tokens of prompts and answers"),
    cost_usd: unset.number("USD; models whose price is unknown are then refused", { minimum: 0 }),
    calls: unset.integer("Calls"),
    time_seconds: unset.number("Time after which no call begins, in seconds", { minimum: 0 }),
  }),
  cache: section("Answers that are kept, so that the same request is not made again.", {
    enabled: flag(false, "Keep and use answers"),
    ttl_seconds: integer(86_400, "How long an answer is used, in seconds", POSITIVE),
    max_entries: integer(10_000, "Answers kept; the least recently used leave", POSITIVE),
    persistent: flag(
      true,
      "Keep them in the database of the data directory; else for the life of the process",
    ),
    sampled: flag(false, "Also answers with a temperature above 0 and no seed"),
  }),
});

export const Recording = section("Recording and replaying runs of scripts.", {
  record: unset.text("New file that everything a run takes from outside is written to (`--record`)", PATH),
  overwrite: flag(false, "Write over `record` where it exists (`--force`)", NOT_RAISED),
  replay: unset.text("Such a file: a run takes everything from it and calls nothing (`--replay`)", PATH),
});
