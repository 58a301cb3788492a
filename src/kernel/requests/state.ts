/** State requests of front ends: spec/kernel.md section 3.3, spec/cli.md section 10. */
import { messageOf, SpellError } from "../../core/errors.ts";
import { parseStorageKey, splitKey } from "../../state/keys.ts";
import type { StateEntry, StateService } from "../../state/service.ts";
import type { KernelReply, StateRequest } from "../api.ts";
import type { Services } from "../services.ts";

type Fields = Record<string, unknown>;

/** The kinds of scope that `component` stands for. */
const COMPONENTS = ["agent", "tool", "hook"];

/** @throws SpellError */
export async function answerStateRequest(
  request: StateRequest,
  services: Services,
  dataDirectory: string,
): Promise<KernelReply> {
  if (request.command === "repair") return { status: "ok", ...(await repair(services, dataDirectory)) };
  return { status: "ok", ...(await fieldsOf(request, await services.state())) };
}

async function fieldsOf(
  request: Exclude<StateRequest, { command: "repair" }>,
  state: StateService,
): Promise<Fields> {
  switch (request.command) {
    case "get":
      return valueAt(state, await placeOf(state, request));
    case "set": {
      const { scope, key } = await placeOf(state, request);
      await state.save(scope, key, request.value);
      return { key: request.key };
    }
    case "delete": {
      const { scope, key } = await placeOf(state, request);
      return { key: request.key, deleted: await state.delete(scope, key) };
    }
    case "list": {
      const keys = (await entriesOf(state, request.scope)).map((entry) => nameOf(entry, request.scope));
      return { keys, count: keys.length };
    }
    case "show": {
      const { scope, key } = request;
      if (key !== undefined) {
        const place = await placeOf(state, { ...request, key });
        const { found, value } = await valueAt(state, place);
        return { found, value: state.shown(place.key, value) };
      }
      const entries = await entriesOf(state, scope);
      return {
        state: byName(
          entries,
          (e) => nameOf(e, scope),
          (e) => state.shown(e.key, e.value),
        ),
      };
    }
    case "clear":
      return { cleared: await clear(state, request) };
    case "export":
      return {
        state: byName(
          await entriesOf(state, request.scope),
          (entry) => entry.storageKey,
          (entry) => entry.value,
        ),
      };
    case "import": {
      const entries = Object.entries(request.state);
      await state.import(
        entries.map(([name, value]) => ({ ...storedAs(name), value })),
        !request.merge,
      );
      return { imported: entries.length };
    }
    case "check":
      return check(state);
  }
}

interface Named {
  scope?: string;
  key: string;
}

interface Place {
  scope: string;
  key: string;
}

/** With its scope, as `list` shows it, or a key of `global`. */
const storedAs = (name: string): Place =>
  name.includes(":") ? parseStorageKey(name) : { scope: "global", key: name };

/** What a user means by a key: one of `global`, or one with its scope in front. */
async function placeOf(state: StateService, { scope, key }: Named): Promise<Place> {
  if (scope !== undefined) return { scope, key };
  const usual = splitKey(key);
  const stored = storedAs(key);
  const isStored =
    !(await state.exists(usual.scope, usual.key)) && (await state.exists(stored.scope, stored.key));
  return isStored ? stored : usual;
}

async function valueAt(state: StateService, { scope, key }: Place) {
  const value = await state.load(scope, key);
  return { found: value !== undefined, value: value ?? null };
}

async function entriesOf(state: StateService, scope: string | undefined): Promise<StateEntry[]> {
  if (scope === undefined) return state.entries();
  const scopes = scope === "component" ? COMPONENTS : [scope];
  return (await Promise.all(scopes.map((one) => state.entries({ scope: one })))).flat();
}

/** The key within the scope that was asked for; the storage key where several were. */
function nameOf(entry: StateEntry, scope: string | undefined): string {
  if (scope === undefined || scope === "component") return entry.storageKey;
  return entry.scope === scope ? entry.key : entry.storageKey;
}

function byName(
  entries: readonly StateEntry[],
  name: (entry: StateEntry) => string,
  value: (entry: StateEntry) => unknown,
): Fields {
  return Object.fromEntries(entries.map((entry) => [name(entry), value(entry)]));
}

async function clear(state: StateService, { scope, key }: { scope?: string; key?: string }): Promise<number> {
  if (key !== undefined) {
    const place = await placeOf(state, { key, ...(scope === undefined ? {} : { scope }) });
    return (await state.delete(place.scope, place.key)) ? 1 : 0;
  }
  if (scope !== "component") return state.clear(scope);
  let cleared = 0;
  for (const one of COMPONENTS) cleared += await state.clear(one);
  return cleared;
}

/** The database as a whole, then every value. */
async function check(state: StateService): Promise<Fields> {
  const { backend, decode } = state.raw;
  const problems: string[] = [...(await backend.problems())];
  const records = await backend.list("");
  for (const record of records) {
    try {
      decode.call(state.raw, record);
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  const sound = problems.length === 0;
  return { state: sound ? "sound" : "damaged", backend: backend.name, records: records.length, problems };
}

async function repair({ config }: Services, dataDirectory: string): Promise<Fields> {
  const { backend_type, schema_directory } = config.current.runtime.state_persistence;
  if (backend_type === "postgres" || backend_type === "memory")
    throw new SpellError("usage", `Cannot repair state: there is no database file: ${backend_type}`);
  const { repairStorage } = await import("../../storage/repair.ts");
  return { ...(await repairStorage(schema_directory ?? dataDirectory)) };
}
