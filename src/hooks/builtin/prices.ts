/** What model calls cost: spec/kernel.md section 17.7. */
import { SpellError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";
import type { HookContext } from "../service.ts";

/** USD for 1000 tokens. */
interface Price {
  input: number;
  output: number;
}

const KNOWN: Readonly<Record<string, Price>> = {
  "gpt-4": { input: 0.03, output: 0.06 },
  "gpt-3.5-turbo": { input: 0.0005, output: 0.0015 },
  "claude-3-opus": { input: 0.015, output: 0.075 },
  "claude-3-sonnet": { input: 0.003, output: 0.015 },
};

export interface ModelUse {
  model: string;
  inputTokens: number;
  outputTokens: number;
  costUsd: number;
}

export class Prices {
  private readonly byModel: ReadonlyMap<string, Price>;

  /** @param given `[input, output]` by model, over the known ones @param path of the option, for the error */
  constructor(given: Record<string, unknown>, path: string) {
    this.byModel = new Map(Object.entries({ ...KNOWN, ...readPrices(given, path) }));
  }

  /** Of a model call that has ended, from the context of `AfterAgentExecution`. */
  use({ data, component }: HookContext): ModelUse {
    const model = typeof data.model === "string" ? data.model : component.name;
    const { prompt_tokens = 0, completion_tokens = 0 } = (isPlainObject(data.tokens) ? data.tokens : {}) as {
      prompt_tokens?: number;
      completion_tokens?: number;
    };
    const price = priceOf(this.byModel, model);
    const costUsd = (prompt_tokens * price.input + completion_tokens * price.output) / 1000;
    return { model, inputTokens: prompt_tokens, outputTokens: completion_tokens, costUsd };
  }
}

/** By exact name, or the name of a dated version of it: `gpt-4-0613`. Others cost nothing. */
function priceOf(prices: ReadonlyMap<string, Price>, model: string): Price {
  const name = model.slice(model.lastIndexOf("/") + 1);
  return (
    prices.get(model) ??
    prices.get(name) ??
    prices.get(name.replace(/-(\d{4}|\d{8}|\d{4}-\d\d-\d\d)$/, "")) ??
    FREE
  );
}

const FREE: Price = { input: 0, output: 0 };

function readPrices(given: Record<string, unknown>, path: string): Record<string, Price> {
  return Object.fromEntries(
    Object.entries(given).map(([model, pair]) => {
      const isPair =
        Array.isArray(pair) && pair.length === 2 && pair.every((n) => typeof n === "number" && n >= 0);
      if (!isPair) throw wrongOption(`${path}.${model}`, "must be [input, output] in USD for 1000 tokens");
      return [model, { input: pair[0], output: pair[1] }];
    }),
  );
}

export function wrongOption(path: string, rule: string): SpellError {
  return new SpellError("config", `Configuration validation failed in field '${path}': ${rule}`, {
    data: { path },
  });
}
