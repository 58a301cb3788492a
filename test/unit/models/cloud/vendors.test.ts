/** Every case against a loopback server of every vendor (test/support/providers). */
import { afterAll, describe, expect, test } from "bun:test";
import { failure, modelService, temporaryHome } from "../../../support/model-service.ts";
import { cases } from "../../../support/providers/cases/all.ts";
import type { Target } from "../../../support/providers/cases/target.ts";
import { ProviderServer } from "../../../support/providers/server.ts";
import { KEY, VENDORS, type VendorFacts } from "../../../support/providers/vendors.ts";

async function start(vendor: VendorFacts) {
  const server = await ProviderServer.start(vendor.format);
  const home = temporaryHome();
  const { models } = await modelService(
    home,
    `[providers.${vendor.type}]
provider_type = "${vendor.type}"
base_url = "${server.origin}${vendor.basePath}"
api_key = "${KEY}"
default_model = "${vendor.modelId}"
[providers.${vendor.type}.retry]
initial_delay_ms = 1
max_delay_ms = 2`,
  );
  const target: Target = {
    vendor,
    server,
    models,
    open: (overrides, modelId = vendor.modelId) => models.resolve(`${vendor.type}/${modelId}`, overrides),
  };
  const stop = async () => {
    await server[Symbol.asyncDispose]();
    home[Symbol.dispose]();
  };
  return { target, stop };
}

describe.each(VENDORS.map((vendor) => [vendor.type, vendor] as const))("%s", (_type, vendor) => {
  const started = start(vendor);
  afterAll(async () => (await started).stop());

  const fitting = cases.filter(
    ({ needs = [], isSlow }) =>
      !needs.some((need) => vendor.lacks.includes(need)) && (!isSlow || vendor.type === "openai"),
  );
  for (const { name, run } of fitting) test(name, async () => run((await started).target), 20_000);

  if (vendor.lacks.includes("tools"))
    test("refuses tools, which the vendor would not call", async () => {
      const { open } = (await started).target;
      const error = await failure(async () =>
        (await open()).doStream({
          prompt: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
          tools: [{ type: "function", name: "clock", inputSchema: { type: "object" } }],
        }),
      );
      expect([error.code, error.message]).toEqual([
        "invalid_argument",
        `Cannot call model ${vendor.type}/${vendor.modelId}: it can call no tools`,
      ]);
    });

  if (vendor.lacks.includes("embeddings"))
    test("refuses vectors where the vendor has none", async () => {
      const { models } = (await started).target;
      const error = await failure(async () => {
        const model = await models.resolveEmbedding(`${vendor.type}/x`);
        return model.doEmbed({ values: ["a"] });
      });
      expect(["config", "provider"]).toContain(error.code);
    });
});
