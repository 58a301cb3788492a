import { expect, test } from "bun:test";
import { silentLog } from "../../../src/core/log.ts";
import { Api } from "../../../src/kernel/serve/api.ts";
import { RunningRequests } from "../../../src/kernel/serve/running.ts";
import { ServedModels } from "../../../src/kernel/serve/served-models.ts";
import { Guard } from "../../../src/kernel/transport/http/guard.ts";
import { modelService, temporaryHome } from "../../support/model-service.ts";

test("while models are loaded, and when the server ends, requests get 503 and health says why", async () => {
  using home = temporaryHome();
  const { models } = await modelService(home);
  const api = new Api({
    guard: new Guard({ hosts: [], origins: [], token: undefined }),
    models: new ServedModels(models),
    running: new RunningRequests(1),
    log: silentLog,
  });
  const ask = async (path: string) => {
    const request = new Request(`http://localhost${path}`, { headers: { host: "localhost" } });
    const answer = await api.handle({ request, waitLong() {}, waitShort() {} });
    return { status: answer.status, body: await answer.json(), retry: answer.headers.get("retry-after") };
  };
  for (const state of ["loading", "ending"] as const) {
    api.state = state;
    expect(await ask("/health")).toMatchObject({ status: 503, body: { status: state } });
    expect(await ask("/v1/models")).toMatchObject({
      status: 503,
      body: { error: { type: "server_error", code: "unavailable" } },
      retry: "1",
    });
  }
  api.state = "ready";
  expect(await ask("/health")).toMatchObject({ status: 200, body: { status: "ok" } });
  expect((await ask("/v1/models")).status).toBe(200);
  await models.dispose();
});
