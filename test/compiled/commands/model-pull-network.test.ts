/** Where a pull may go: addresses, redirects, proxies, certificates (spec/tools.md section 5.2). */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { $ } from "bun";
import { json, LoopbackServer, redirect } from "../../support/hub/server.ts";
import { SPEC, TinyHub } from "../../support/hub/tiny.ts";

const tiny = new TinyHub();

describe("Redirects", () => {
  test("to an address of this machine are refused unless the configuration names it", async () => {
    tiny.box.configure({ hub: tiny.hub.origin, allowed: ["*"] });
    const { document } = await tiny.pull();
    expect(document).toMatchObject({ code: "permission_denied" });
    expect(document.error).toContain("URL validation failed: Host blocked: 127.0.0.1");
    expect(tiny.blobs.asked).toEqual([]);
    tiny.box.configure({ hub: tiny.hub.origin, allowed: ["*", "127.0.0.0/8"] });
    expect((await tiny.pull()).code).toBe(0);
  });

  test.each([
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]:8080/",
    "http://[::ffff:10.0.0.1]/",
    "http://2130706433/",
    "http://localhost/",
    "file:///etc/passwd",
  ])("to %s are refused", async (location) => {
    tiny.box.configure({ hub: tiny.hub.origin, allowed: ["*"] });
    tiny.hub.disturb(/resolve/, redirect(location));
    expect((await tiny.pull()).document).toMatchObject({
      code: "permission_denied",
      error: expect.stringContaining("URL validation failed"),
    });
  });

  test("without end are given up", async () => {
    tiny.hub.disturb(/resolve/, redirect(`${tiny.hub.origin}/acme/tiny/resolve/again`));
    const { document } = await tiny.pull();
    expect(document.error).toContain("more than 8 redirects");
  });
});

test("With the network switched off, only a hub on this machine is asked", async () => {
  const env = { LLMSPELL_ALLOW_NETWORK_ACCESS: "false" };
  expect((await tiny.box.model(["pull", SPEC], { env })).code).toBe(0);
  tiny.box.configure({});
  const { document } = await tiny.box.model(["pull", "acme/other"], { env });
  expect(document.error).toContain("Network access is disabled: https://huggingface.co");
  expect(document.hint).toContain("runtime.security.allow_network_access");
  expect(document.hint).toContain("llmspell model import FILE");
});

test("A proxy of the environment is used, and NO_PROXY goes past it", async () => {
  await using proxy = await new LoopbackServer((_request, response) => json(response, 502, {})).start();
  tiny.box.configure({ hub: tiny.hub.origin, maxRetries: 0 });
  const env = { HTTP_PROXY: proxy.origin };
  expect((await tiny.box.model(["pull", SPEC], { env })).document).toMatchObject({ data: { status: 502 } });
  expect(proxy.paths()[0]).toBe(`${tiny.hub.origin}/api/models/acme/tiny/revision/main`);
  expect(tiny.hub.asked).toEqual([]);
  expect((await tiny.box.model(["pull", SPEC], { env: { ...env, NO_PROXY: "127.0.0.1" } })).code).toBe(0);
});

describe("Over TLS", () => {
  /** The hub behind a certificate for a name that its own authority signed. */
  async function secureHub(name: string) {
    const [key, cert] = ["key.pem", "cert.pem"].map((file) => join(tiny.box.root, file)) as [string, string];
    await $`openssl req -x509 -newkey rsa:2048 -nodes -keyout ${key} -out ${cert} -days 2 -subj /CN=${name} -addext subjectAltName=DNS:${name}`.quiet();
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { key: Bun.file(key), cert: Bun.file(cert) },
      fetch: ({ url }) => fetch(`${tiny.hub.origin}${new URL(url).pathname}`, { redirect: "manual" }),
    });
    tiny.box.configure({
      hub: `https://localhost:${server.port}`,
      allowed: ["*", "127.0.0.1", "localhost"],
      maxRetries: 0,
    });
    return { server, env: { NODE_EXTRA_CA_CERTS: cert } };
  }

  test("the certificate must be for the name, though the address is what is connected to", async () => {
    const right = await secureHub("localhost");
    const done = await tiny.box.model(["available", "acme/tiny"], { env: right.env });
    expect(done.document).toMatchObject({ models: [{ id: "acme/tiny", quantizations: [{ name: "Q8_0" }] }] });
    expect((await tiny.box.model(["available", "acme/tiny"])).document).toMatchObject({ code: "network" });
    right.server.stop(true);
    const wrong = await secureHub("elsewhere.example");
    const refused = await tiny.box.model(["available", "acme/tiny"], { env: wrong.env });
    expect(refused.document).toMatchObject({
      code: "network",
      data: { errno: "ERR_TLS_CERT_ALTNAME_INVALID" },
    });
    wrong.server.stop(true);
  });

  test("a redirect may not leave it", async () => {
    const { server, env } = await secureHub("localhost");
    const { document } = await tiny.box.model(["pull", SPEC], { env });
    expect(document).toMatchObject({
      code: "permission_denied",
      error: expect.stringContaining("a redirect drops https"),
    });
    server.stop(true);
  });
});

test("HF_ENDPOINT names another hub", async () => {
  tiny.box.configure({});
  expect((await tiny.box.model(["pull", SPEC], { env: { HF_ENDPOINT: tiny.hub.origin } })).code).toBe(0);
});
