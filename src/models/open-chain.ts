import { messageOf, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { withFallback } from "./fallback.ts";
import { isMendable } from "./provider-error.ts";
import type { ModelOverrides, SpellModel } from "./service.ts";

export interface ChainSources {
  /** @throws as `ModelService.resolve` */
  open(specifier: string, overrides: ModelOverrides): Promise<SpellModel>;
  /** What the provider of the first model names. @throws not_found for an unknown provider */
  fallbackOf(): readonly string[] | undefined;
  log: Log;
}

/**
 * A model with those that are asked where it cannot answer. One that is not configured on this machine is left out with a
 * warning, as long as another is there.
 * @throws as `ModelService.resolve`, for each of them
 */
export async function openChain(
  specifier: string,
  overrides: ModelOverrides,
  { open, fallbackOf, log }: ChainSources,
): Promise<SpellModel> {
  const others = overrides.fallback ?? fallbackOf() ?? [];
  if (others.length === 0) return open(specifier, overrides);
  const { maxRetries } = overrides;
  const shared = maxRetries === undefined ? {} : { maxRetries };
  const attempts = await Promise.all([
    attempt(() => open(specifier, overrides)),
    ...others.map((other) => attempt(() => open(other, shared))),
  ]);
  const failures = attempts.filter((result) => result instanceof SpellError);
  const models = attempts.filter((result): result is SpellModel => !(result instanceof SpellError));
  if (models.length === 0) throw failures[0]!;
  for (const failure of failures)
    log.warn("model", "a model of a chain is left out", { reason: messageOf(failure) });
  return withFallback(models, log);
}

async function attempt(open: () => Promise<SpellModel>): Promise<SpellModel | SpellError> {
  try {
    return await open();
  } catch (error) {
    if (isMendable(error)) return error;
    throw error;
  }
}
