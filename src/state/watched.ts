/** State whose reads and writes are traced, and whose changes are recorded for replays. */
import { type RecorderSource, recorded } from "../core/recording.ts";
import { type SpanInput, span } from "../core/span.ts";
import type { StateCallOptions, StateService } from "./service.ts";

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
  /** What is recorded is only put together where something is. */
  const watched = <T>(
    operation: string,
    [scope, key, options]: readonly [scope: string, key: string, options: StateCallOptions | undefined],
    work: () => Promise<T>,
    outputOf: (result: T) => unknown,
    inputOf: () => Record<string, unknown> = () => ({}),
  ): Promise<T> =>
    span(traced(operation, scope), () => {
      const found = recorder();
      if (found === undefined) return work();
      const call = { kind: "state", name: `${scope}:${key}`, input: { operation, ...inputOf() } } as const;
      const { correlationId } = options ?? {};
      return recorded(
        () => found,
        correlationId === undefined ? call : { ...call, correlationId },
        work,
        outputOf,
      );
    });
  state.save = (scope, key, value, options) =>
    watched(
      "save",
      [scope, key, options],
      () => save(scope, key, value, options),
      () => null,
      () => ({ value: state.shown(key, value) }),
    );
  state.delete = (scope, key, options) =>
    watched(
      "delete",
      [scope, key, options],
      () => remove(scope, key, options),
      (removed) => removed,
    );
  state.update = (scope, key, next, options) =>
    watched(
      "update",
      [scope, key, options],
      () => update(scope, key, next, options),
      (value) => state.shown(key, value),
    );
  return state;
}
