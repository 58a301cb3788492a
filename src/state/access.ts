/** Reading and writing one value with its hooks around it and its event after it (spec/kernel.md section 13.3). */
import { SpellError } from "../core/errors.ts";
import type { EventService } from "../events/service.ts";
import type { HookRunner } from "../hooks/service.ts";
import type { Awaitable } from "./backend.ts";
import type { StatePlace } from "./keys.ts";
import { COMPONENT, operationOn, StatePoints } from "./points.ts";
import { type StateRecords, VersionConflict } from "./records.ts";
import type { StateCallOptions } from "./service.ts";

export interface StateSurroundings {
  hooks: () => Promise<HookRunner>;
  events: () => Promise<EventService>;
  /** As the configuration stands now. */
  emitsEvents: () => boolean;
  /** A value without secrets. */
  shown: (key: string, value: unknown) => unknown;
}

const CONFLICTS_IN_A_ROW = 10_000;
const CONFLICT_PAUSE_MS = 3;

/** What becomes of a value: its new value, or undefined where it is removed. */
interface Written {
  value: unknown;
  /** Whether a value was removed. */
  removed: boolean;
}

interface Writing {
  expected: number | undefined;
  /** Undefined where none run for the key. */
  hooks: HookRunner | undefined;
  /** Whether a hook stands at the kernel's own points. */
  isWatched: boolean;
}

export class StateAccess {
  readonly points: StatePoints;

  constructor(
    private readonly records: StateRecords,
    private readonly around: StateSurroundings,
  ) {
    this.points = new StatePoints(around.hooks);
  }

  /** Undefined where there is none. */
  async read(place: StatePlace, options: StateCallOptions): Promise<unknown> {
    if (!isHooked(place)) return this.find(place, options);
    const hooks = await this.around.hooks();
    const find = hooks.has("StateError")
      ? () => this.points.watched(operationOn("state_get", place), options, () => this.find(place, options))
      : () => this.find(place, options);
    if (!hooks.has("BeforeStateRead") && !hooks.has("AfterStateRead")) return find();
    return hooks.around(
      {
        before: "BeforeStateRead",
        after: "AfterStateRead",
        resultKey: "value",
        component: COMPONENT,
        data: { ...operationOn("state_get", place), ...(options.exact ? { exact: true } : {}) },
        ...options,
      },
      find,
    );
  }

  private find(place: StatePlace, { exact }: StateCallOptions): Awaitable<unknown> {
    const found = this.records.find(place, exact);
    if (found instanceof Promise) return found.then((record) => record && this.records.decode(record));
    return found && this.records.decode(found);
  }

  /** @param value undefined removes @throws VersionConflict where a version is expected */
  async write(
    place: StatePlace,
    value: unknown,
    options: StateCallOptions,
    expected?: number,
  ): Promise<Written> {
    const hooks = isHooked(place) ? await this.around.hooks() : undefined;
    if (hooks === undefined || !this.points.stand(hooks))
      return this.writeHooked(place, value, options, { expected, hooks, isWatched: false });
    const operation = operationOn(value === undefined ? "state_delete" : "state_set", place);
    return this.points.change(operation, options, () =>
      this.writeHooked(place, value, options, { expected, hooks, isWatched: true }),
    );
  }

  private async writeHooked(
    place: StatePlace,
    value: unknown,
    options: StateCallOptions,
    { expected, hooks, isWatched }: Writing,
  ): Promise<Written> {
    const store = (changed: unknown): Promise<Written> => {
      const stored = () => this.store(place, changed, options, expected);
      return isWatched
        ? this.points.persist(
            operationOn(changed === undefined ? "state_delete" : "state_set", place),
            options,
            stored,
          )
        : stored();
    };
    const hooked = hooks !== undefined && (hooks.has("BeforeStateWrite") || hooks.has("AfterStateWrite"));
    const emits = this.around.emitsEvents();
    if (!hooked && !emits) return store(value);
    const before = await this.records.find(place, options.exact);
    const oldValue = before === undefined ? null : this.records.decode(before);
    let written: Written = { value, removed: false };
    const work = async (changed: unknown) => {
      written = await store(changed);
      if (emits) await this.emit(place, oldValue, changed ?? null, options);
      return { success: true, final_value: changed ?? null };
    };
    if (!hooked) await work(value);
    else {
      const data = {
        ...operationOn(value === undefined ? "state_delete" : "state_set", place),
        old_value: oldValue,
        new_value: value ?? null,
        ...(value === undefined ? {} : { value }),
      };
      await hooks.around(
        { before: "BeforeStateWrite", after: "AfterStateWrite", component: COMPONENT, data, ...options },
        (changed) => work(value !== undefined && Object.hasOwn(changed, "value") ? changed.value : value),
      );
    }
    return written;
  }

  /**
   * Reads, changes and writes again and again until nobody wrote in between.
   * @throws SpellError limit when others never give way
   */
  async update(
    place: StatePlace,
    change: (value: unknown) => unknown,
    options: StateCallOptions,
  ): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      const exact = await this.records.at(place.storageKey);
      const record = exact ?? (await this.records.find(place, options.exact));
      const next = await change(record && this.records.decode(record));
      options.signal?.throwIfAborted();
      try {
        return (await this.write(place, next, options, exact?.version ?? 0)).value;
      } catch (error) {
        if (!(error instanceof VersionConflict)) throw error;
        await this.tellConflict(place, error, options);
        if (attempt === CONFLICTS_IN_A_ROW) throw busy(place);
        if (attempt > 3) await Bun.sleep(Math.random() * CONFLICT_PAUSE_MS);
      }
    }
  }

  private async store(
    place: StatePlace,
    value: unknown,
    { exact }: StateCallOptions,
    expected: number | undefined,
  ): Promise<Written> {
    if (value === undefined) return { value, removed: await this.records.remove(place, { expected, exact }) };
    await this.records.set(place, value, expected);
    return { value, removed: false };
  }

  private async tellConflict(place: StatePlace, { conflict }: VersionConflict, options: StateCallOptions) {
    const hooks = await this.around.hooks();
    if (!hooks.has("StateConflict")) return;
    const { correlationId } = options;
    await hooks.run({
      point: "StateConflict",
      component: COMPONENT,
      data: { scope: place.scope, key: place.key, expected: conflict.expected, actual: conflict.actual },
      ...(correlationId === undefined ? {} : { correlationId }),
    });
  }

  /** Events go to logs and to other programs: without secrets. */
  private async emit(place: StatePlace, oldValue: unknown, newValue: unknown, options: StateCallOptions) {
    const { correlationId } = options;
    (await this.around.events()).publish({
      type: "state.changed",
      source: "state",
      data: {
        scope: place.scope,
        key: place.key,
        old_value: this.around.shown(place.key, oldValue),
        new_value: this.around.shown(place.key, newValue),
      },
      ...(correlationId === undefined ? {} : { correlationId }),
    });
  }
}

const isHooked = ({ class: kind }: StatePlace): boolean => kind !== "ephemeral" && kind !== "trusted";

function busy({ scope, key }: StatePlace): SpellError {
  return new SpellError("limit", `Cannot update state: others keep changing it: "${key}" of ${scope}`, {
    data: { limit: "conflicts" },
    hint: "Use a key of its own for each writer",
  });
}
