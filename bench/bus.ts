/** Prints how many events a second pass the bus: 100 correlations, one listener with a pattern, the default memory. */
import { loadConfig } from "../src/config/load.ts";
import { silentLog } from "../src/core/log.ts";
import { EventBus } from "../src/events/bus.ts";
import { busSettings } from "../src/events/settings.ts";

const COUNT = 1_000_000;

const { config } = await loadConfig({ env: {}, cwd: "/", home: "/" });
const bus = new EventBus(busSettings(config), silentLog);
const correlations = Array.from({ length: 100 }, () => crypto.randomUUID());
let heard = 0;
bus.listen("user.*", ({ sequence }) => {
  heard += sequence;
});
const publish = () => {
  for (let n = 0; n < COUNT; n++)
    bus.publish({ type: "user.login", data: { n }, correlationId: correlations[n % 100], language: "lua" });
};
publish();
const startedMs = performance.now();
publish();
const seconds = (performance.now() - startedMs) / 1000;
if (heard !== COUNT * (2 * COUNT + 1)) throw new Error("Not every event was heard");
console.log(Math.round(COUNT / seconds));
