import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { type Row, row, rows } from "./row.ts";

const ROUNDS = 5;
/** What the reference implementation says of itself; it cannot be run here. */
const REFERENCE_CLAIM = 90_000;

/** Events a second: through the whole bus with correlation and one listener, and published from Lua. */
export async function events(): Promise<Row[]> {
  using scratch = new Scratch();
  const here = (...path: string[]) => join(import.meta.dir, ...path);
  const printed = async (command: readonly string[]) => Number((await run(command, scratch)).stdout);
  const figures = await medians(ROUNDS, {
    bus: () => printed([process.execPath, here("bus.ts")]),
    emitter: () => printed([process.execPath, here("peer", "event-emitter.ts")]),
    lua: () => printed([LLMSPELL, "run", here("lua", "events.lua"), "--", "--count", "200000"]),
  });
  return [
    ...rows(
      {
        name: "events: through the bus, with correlation",
        unit: "events/s",
        ours: figures.bus,
        target: { of: "ours", at: "least", value: 2_000_000 },
      },
      [
        {
          name: "node:events EventEmitter in Bun, which numbers and keeps nothing",
          figure: figures.emitter,
        },
        { name: "the reference's own claim", figure: REFERENCE_CLAIM },
      ],
    ),
    row({
      name: "events: published from Lua",
      unit: "events/s",
      ours: figures.lua,
      peer: { name: "the reference's own claim", figure: REFERENCE_CLAIM },
      target: { of: "ours", at: "least", value: 200_000 },
    }),
  ];
}
