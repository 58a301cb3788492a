/** The way to a vendor in a company: a proxy that wants a password, and servers with the company's own certificates. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { type Certificates, companyCertificates } from "../../support/certificates.ts";
import { Sandbox } from "../../support/cli.ts";
import { ProviderServer } from "../../support/providers/server.ts";
import { KEY, VENDORS } from "../../support/providers/vendors.ts";

const { format } = VENDORS.find(({ type }) => type === "openai")!;
const PASSWORD = "p@ss:word 1";
const ASK = `print(Agent.create{name = "a", model = "openai/gpt-4o-mini", max_retries = 0}:execute("Hi").text)`;

const box = new Sandbox();
let vendor: ProviderServer;
let certificates: Certificates;

beforeAll(async () => {
  vendor = await ProviderServer.start(format);
  certificates = await companyCertificates(box.root, "blue");
});
afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  box[Symbol.dispose]();
});

/** The vendor's service behind TLS. @param chain files that the server shows, its own first */
function secured(chain: readonly string[]) {
  const cert = chain.map((path) => readFileSync(path, "utf8")).join("");
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { key: Bun.file(certificates.leafKey), cert },
    fetch: async (request) =>
      fetch(`${vendor.origin}${new URL(request.url).pathname}`, {
        method: "POST",
        headers: Object.fromEntries(request.headers),
        body: await request.text(),
      }),
  });
}

const ask = (port: number, settings: string, env: Record<string, string> = {}) => {
  vendor.script({ answer: { text: "secure" } });
  box.write(
    "c.toml",
    `[providers.openai]\nprovider_type = "openai"\napi_key = "${KEY}"\nbase_url = "https://localhost:${port}/v1"\n${settings}`,
  );
  return box.lua(ASK, { args: ["-c", "c.toml"], env });
};

describe("A server with a certificate of the company", () => {
  test("is trusted where ca_file holds the root, and the server shows what is between", async () => {
    const server = secured([certificates.leaf, certificates.intermediate]);
    const done = await ask(server.port!, `ca_file = "${certificates.root}"`);
    expect(done).toMatchObject({ code: 0, stdout: "secure\n", stderr: "" });
    const bySystem = await ask(server.port!, "", { SSL_CERT_FILE: certificates.root });
    expect(bySystem).toMatchObject({ code: 0, stdout: "secure\n" });
    await server.stop(true);
  });

  test("is trusted where ca_file holds the whole chain, and the server shows only its own", async () => {
    const bundle = join(box.root, "bundle.pem");
    const files = [certificates.root, certificates.intermediate];
    writeFileSync(bundle, `# the company's\n${files.map((path) => readFileSync(path, "utf8")).join("\n")}`);
    const server = secured([certificates.leaf]);
    expect(await ask(server.port!, `ca_file = "${bundle}"`)).toMatchObject({ code: 0, stdout: "secure\n" });
    await server.stop(true);
  });

  test("is refused without it, with another company's, and where a part of the chain is missing", async () => {
    const other = await companyCertificates(box.root, "red");
    const whole = secured([certificates.leaf, certificates.intermediate]);
    const bare = secured([certificates.leaf]);
    for (const [server, settings] of [
      [whole, ""],
      [whole, `ca_file = "${other.root}"`],
      [bare, `ca_file = "${certificates.root}"`],
    ] as const) {
      const done = await ask(server.port!, settings);
      expect([done.code, done.stdout, vendor.seen.length]).toEqual([1, "", 0]);
      expect(done.stderr).toMatch(/certificate/i);
      expect(done.stderr).toContain("ca_file");
    }
    await whole.stop(true);
    await bare.stop(true);
  });
});

describe("A proxy that wants a password", () => {
  let proxy: Server;
  const asked: { target: string | undefined; authorization: string | undefined }[] = [];
  beforeAll(() => {
    proxy = createServer().listen(0, "127.0.0.1");
    proxy.on("connect", (request, socket, head) => {
      const authorization = request.headers["proxy-authorization"];
      asked.push({ target: request.url, authorization });
      if (authorization !== `Basic ${btoa(`ada:${PASSWORD}`)}`) {
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
        return;
      }
      const [, port] = request.url!.split(":");
      const target = connect(Number(port), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        target.write(head);
        target.pipe(socket).pipe(target);
      });
      target.on("error", () => socket.destroy());
      socket.on("error", () => target.destroy());
    });
  });
  afterAll(() => proxy.close());

  const through = (password: string) => ({
    HTTPS_PROXY: `http://ada:${encodeURIComponent(password)}@127.0.0.1:${(proxy.address() as AddressInfo).port}`,
  });

  test("gets it from HTTPS_PROXY, and the vendor never sees it", async () => {
    asked.length = 0;
    const server = secured([certificates.leaf, certificates.intermediate]);
    const done = await ask(server.port!, `ca_file = "${certificates.root}"`, through(PASSWORD));
    expect(done).toMatchObject({ code: 0, stdout: "secure\n", stderr: "" });
    expect(asked).toEqual([
      { target: `localhost:${server.port}`, authorization: `Basic ${btoa(`ada:${PASSWORD}`)}` },
    ]);
    expect(vendor.seen[0]!.headers).not.toHaveProperty("proxy-authorization");
    expect(vendor.seen[0]!.headers.authorization).toBe(`Bearer ${KEY}`);
    await server.stop(true);
  });

  test("and gets a wrong one refuses, which is told without the password", async () => {
    const server = secured([certificates.leaf, certificates.intermediate]);
    const done = await ask(server.port!, `ca_file = "${certificates.root}"`, through("wrong-password-1"));
    expect([done.code, done.stdout, vendor.seen.length]).toEqual([1, "", 0]);
    expect(done.stderr).toMatch(/proxy/i);
    expect(done.stderr).not.toContain("wrong-password-1");
    await server.stop(true);
  });

  test("is not asked where NO_PROXY names the host", async () => {
    asked.length = 0;
    const server = secured([certificates.leaf, certificates.intermediate]);
    const env = { ...through(PASSWORD), NO_PROXY: "localhost" };
    expect(await ask(server.port!, `ca_file = "${certificates.root}"`, env)).toMatchObject({ code: 0 });
    expect(asked).toEqual([]);
    await server.stop(true);
  });
});
