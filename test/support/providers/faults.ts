/** Random deliveries of answers, many at once: each call ends with the whole answer or with an error, never with a part. */
import assert from "node:assert/strict";
import type { ModelService } from "../../../src/models/service.ts";
import { modelService, temporaryHome } from "../model-service.ts";
import { uniform } from "../random.ts";
import { streamed, type Target } from "./cases/target.ts";
import { ProviderServer, plainly, type Step } from "./server.ts";
import { KEY, VENDORS, type VendorFacts } from "./vendors.ts";

const TEXT = 'Größe: 漢字 🦜 — "quoted" \\ and {braces}\nnext '.repeat(3);
const AT_ONCE = 8;

export interface FaultFigures {
  calls: number;
  whole: number;
  failed: number;
  repeated: number;
}

function randomStep(random: () => number): Step {
  const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)]!;
  const kind = random();
  if (kind < 0.12)
    return { status: pick(408, 429, 500, 502, 503, 529), ...pick({}, { html: true as const }) };
  if (kind < 0.16) return { status: 200, ...pick({ html: true as const }, { body: '{"error":"no"}' }) };
  const answer = { text: TEXT };
  return {
    answer,
    ...pick({}, {}, { pieceBytes: 1 + Math.floor(random() * 40) }),
    ...pick({}, {
      write: (events) => plainly(events).replaceAll("\n", pick("\n", "\r\n", "\r")),
    } satisfies Partial<Step>),
    ...(random() < 0.4
      ? { endAfter: { bytes: 1 + Math.floor(random() * 4000), how: pick("clean", "cut") as "clean" | "cut" } }
      : {}),
    ...(random() < 0.1 ? { errorAfter: { events: Math.floor(random() * 8), message: "broken" } } : {}),
  };
}

/** @throws AssertionError for a part of an answer that passes for the whole, or a failure without words */
export async function faultRounds(calls: number, seed: number): Promise<FaultFigures> {
  const random = uniform(seed);
  const figures: FaultFigures = { calls: 0, whole: 0, failed: 0, repeated: 0 };
  await using stack = new AsyncDisposableStack();
  const home = stack.use(temporaryHome());
  const servers = new Map<VendorFacts, ProviderServer>();
  for (const vendor of VENDORS) servers.set(vendor, stack.use(await ProviderServer.start(vendor.format)));
  const tables = [...servers].map(
    ([{ type, basePath }, { origin }]) => `[providers.${type}]
provider_type = "${type}"
base_url = "${origin}${basePath}"
api_key = "${KEY}"
[providers.${type}.retry]
initial_delay_ms = 1
max_delay_ms = 2`,
  );
  const { models } = await modelService(home, tables.join("\n"));
  while (figures.calls < calls)
    for (const [vendor, server] of servers) await round(vendor, server, models, random, figures);
  return figures;
}

async function round(
  vendor: VendorFacts,
  server: ProviderServer,
  models: ModelService,
  random: () => number,
  figures: FaultFigures,
): Promise<void> {
  server.script(...Array.from({ length: AT_ONCE * 4 }, () => randomStep(random)), { answer: { text: TEXT } });
  const target: Target = {
    vendor,
    server,
    models,
    open: () => models.resolve(`${vendor.type}/${vendor.modelId}`),
  };
  const results = await Promise.all(Array.from({ length: AT_ONCE }, () => streamed(target)));
  for (const { text, error, finish } of results) {
    figures.calls++;
    assert((finish === undefined) !== (error === undefined), "a call ends once, whole or failed");
    if (error === undefined) {
      assert.equal(text, TEXT, `a part of an answer of ${vendor.type} passes for the whole`);
      figures.whole++;
      figures.repeated += Number(finish!.providerMetadata!.llmspell!.retries);
      continue;
    }
    figures.failed++;
    assert(TEXT.startsWith(text), "what was said before the failure is the beginning of the answer");
    assert.match(error.message, /^Cannot call model /);
    assert(["provider", "network"].includes(error.code), error.code);
  }
}
