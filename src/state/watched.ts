/** State whose reads and writes are traced, and whose changes are recorded for replays. */
import { type RecorderSource, recorded } from "../core/recording.ts";
import { type SpanInput, span } from "../core/span.ts";
import { shownValue } from "./redact.ts";
import type { StateService } from "./service.ts";

const traced = (operation: string, scope: string): SpanInput => ({
  category: "state",
  operation,
  attributes: { "llmspell.state.scope": scope },
});

/** The same state. Recordings hold no secrets. */
export function watchedState<S extends StateService>(state: S, recorder: RecorderSource): S {
  const load = state.load.bind(state);
  const save = state.save.bind(state);
  const remove = state.delete.bind(state);
  const update = state.update.bind(state);
  state.load = (scope, key, options) => span(traced("load", scope), () => load(scope, key, options));
  state.save = (scope, key, value, options) =>
    span(traced("save", scope), () =>
      recorded(
        recorder,
        {
          kind: "state",
          name: `${scope}:${key}`,
          ...change("save", options, { value: shownValue(key, value) }),
        },
        () => save(scope, key, value, options),
        () => null,
      ),
    );
  state.delete = (scope, key, options) =>
    span(traced("delete", scope), () =>
      recorded(
        recorder,
        { kind: "state", name: `${scope}:${key}`, ...change("delete", options) },
        () => remove(scope, key, options),
        (removed) => removed,
      ),
    );
  state.update = (scope, key, next, options) =>
    span(traced("update", scope), () =>
      recorded(
        recorder,
        { kind: "state", name: `${scope}:${key}`, ...change("update", options) },
        () => update(scope, key, next, options),
        (value) => shownValue(key, value),
      ),
    );
  return state;
}

function change(
  operation: string,
  options: { correlationId?: string } = {},
  more: Record<string, unknown> = {},
) {
  const { correlationId } = options;
  return {
    input: { operation, ...more },
    ...(correlationId === undefined ? {} : { correlationId }),
  };
}
