import { expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { silentLog } from "../../../src/core/log.ts";
import { EventBus } from "../../../src/events/bus.ts";
import { EventStore } from "../../../src/events/store.ts";
import { openStorage } from "../../../src/storage/storage.ts";
import { failure } from "../sessions/support.ts";
import { DEFAULTS } from "./support.ts";

test("Events that could not be stored are told of once by the next flush; others are stored", async () => {
  const storage = await openStorage(":memory:");
  const batches = { name: "store", log: silentLog, maxWaiting: 100, maxBatch: 10, intervalMs: 1000 };
  const store = new EventStore(batches, storage, { days: 0, maxEvents: 0 });
  const bus = new EventBus(DEFAULTS, silentLog);
  bus.addStore(store);
  const { write } = storage;
  storage.write = async () => {
    throw new SpellError("io", "Cannot write: the disk is full");
  };
  bus.publish({ type: "lost", data: 1 });
  bus.publish({ type: "lost", data: 2 });
  const error = await failure(bus.flush());
  expect([error.code, error.message]).toEqual([
    "io",
    "Cannot store events: 2 are lost: Cannot write: the disk is full",
  ]);
  storage.write = write;
  bus.publish({ type: "kept", data: 3 });
  await bus.flush();
  expect((await bus.history({ pattern: "*" })).map(({ type }) => type)).toEqual(["kept"]);
  storage.write = async () => {
    throw new Error("gone");
  };
  bus.publish({ type: "lost", data: 4 });
  expect(await bus.history({ pattern: "lost" })).toEqual([]);
  expect((await failure(bus.flush())).message).toBe("Cannot store events: 1 are lost: gone");
  bus.publish({ type: "lost", data: 5 });
  await bus.dispose();
  storage.close();
});
