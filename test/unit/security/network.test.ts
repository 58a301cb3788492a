/** Special addresses as IANA lists them (RFC 6890 and its registries); rules of spec/tools.md sections 5.2 and 5.3. */
import { describe, expect, test } from "bun:test";
import { isLocalAddress } from "../../../src/security/network/addresses.ts";
import { fetchChecked } from "../../../src/security/network/fetch.ts";
import { proxyFor } from "../../../src/security/network/proxy.ts";
import { checkedAddresses, checkHost, type NetworkRules } from "../../../src/security/network/rules.ts";
import { LoopbackServer, redirect, status } from "../../support/hub/server.ts";
import { failure } from "../../support/model-service.ts";

const OPEN: NetworkRules = { enabled: true, allowed: ["*"], ownHosts: [] };

const verdict = (url: string, rules: Partial<NetworkRules> = {}): string => {
  try {
    checkHost(new URL(url), { ...OPEN, ...rules });
    return "allowed";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("Local addresses", () => {
  test.each([
    "0.0.0.0",
    "10.255.255.255",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "100::1",
  ])("%s is one", (address) => expect(isLocalAddress(address)).toBe(true));

  test.each([
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
  ])("%s is none", (address) => expect(isLocalAddress(address)).toBe(false));
});

describe("Rules for hosts", () => {
  test.each([
    ["https://hub.example/x", ["*"], true],
    ["https://hub.example/x", ["hub.example"], true],
    ["https://hub.example./x", ["hub.example"], true],
    ["https://HUB.example/x", ["Hub.Example"], true],
    ["https://a.hub.example/x", ["*.hub.example"], true],
    ["https://hub.example/x", ["*.hub.example"], false],
    ["https://evilhub.example/x", ["hub.example"], false],
    ["https://hub.example.evil/x", ["hub.example"], false],
    ["https://hub.example:8443/x", ["hub.example:8443"], true],
    ["https://hub.example/x", ["hub.example:8443"], false],
    ["https://hub.example/x", [], false],
    ["http://127.0.0.1/x", ["*"], false],
    ["http://127.0.0.1/x", ["127.0.0.1"], true],
    ["http://127.0.0.1:81/x", ["127.0.0.1:80"], false],
    ["http://10.1.2.3/x", ["*", "10.0.0.0/8"], true],
    ["http://11.1.2.3/x", ["10.0.0.0/8"], false],
    ["http://[fd00::1]/x", ["*", "fd00::/8"], true],
    ["http://0x7f.1/x", ["*"], false],
    ["http://017700000001/x", ["*"], false],
    ["http://localhost/x", ["*"], false],
    ["http://a.localhost/x", ["*"], false],
    ["http://localhost/x", ["localhost"], true],
    ["http://metadata.google.internal/x", ["*"], false],
    ["http://hub.example:22/x", ["*"], false],
    ["http://hub.example:6379/x", ["*"], false],
    ["ftp://hub.example/x", ["*"], false],
    ["file:///etc/passwd", ["*"], false],
  ])("%s under %j", (url, allowed, isAllowed) => {
    const result = verdict(url, { allowed });
    if (isAllowed) expect(result).toBe("allowed");
    else expect(result).toStartWith("URL validation failed: ");
  });

  test("a server of the configuration may be anywhere, on its own port", () => {
    const rules = { allowed: [], ownHosts: ["127.0.0.1:8080"] };
    expect(verdict("http://127.0.0.1:8080/x", rules)).toBe("allowed");
    expect(verdict("http://127.0.0.1:8081/x", rules)).not.toBe("allowed");
  });

  test("without a network, servers of this machine that are named are left", () => {
    const rules = { enabled: false, ownHosts: ["127.0.0.1:8080", "hub.example:443"] };
    expect(verdict("http://127.0.0.1:8080/", rules)).toBe("allowed");
    expect(verdict("https://hub.example/", rules)).toStartWith("Network access is disabled");
    expect(verdict("https://other.example/", rules)).toStartWith("Network access is disabled");
  });

  test("a name is judged by every address it stands for", async () => {
    const url = new URL("http://hub.example/");
    const resolve = async () => ["8.8.8.8", "10.0.0.1"];
    const error = await failure(() => checkedAddresses(url, { ...OPEN, resolve }));
    expect(error.code).toBe("permission_denied");
    expect(error.message).toContain("10.0.0.1 is an address of this machine or its network");
    expect(await checkedAddresses(url, { ...OPEN, allowed: ["hub.example"], resolve })).toEqual(
      await resolve(),
    );
  });
});

describe("Requests", () => {
  const options = (server: LoopbackServer) => ({
    rules: { ...OPEN, ownHosts: [new URL(server.origin).host] },
    env: {},
    maxRedirects: 3,
    signal: new AbortController().signal,
  });

  test("carry the secret to its origin only", async () => {
    await using other = await new LoopbackServer(
      (request, response) => void status(200)(request, response),
    ).start();
    await using first = await new LoopbackServer(
      (request, response) => void redirect(`${other.origin}/b`)(request, response),
    ).start();
    const both = { ...OPEN, ownHosts: [first, other].map(({ origin }) => new URL(origin).host) };
    const { url } = await fetchChecked(new URL(`${first.origin}/a`), {
      ...options(first),
      rules: both,
      secret: { origin: first.origin, headers: { Authorization: "Bearer x" } },
    });
    expect(url.href).toBe(`${other.origin}/b`);
    expect(first.asked[0]!.headers).toMatchObject({
      authorization: "Bearer x",
      host: new URL(first.origin).host,
    });
    expect(other.asked[0]!.headers.authorization).toBeUndefined();
  });

  test("go to the address that was checked, under the name that was asked for", async () => {
    await using server = await new LoopbackServer(
      (request, response) => void status(200)(request, response),
    ).start();
    const { port } = new URL(server.origin);
    const answers = [["127.0.0.1"], ["203.0.113.1"]];
    const rules = { ...OPEN, allowed: ["hub.example"], resolve: async () => answers.shift()! };
    const { response } = await fetchChecked(new URL(`http://hub.example:${port}/a`), {
      ...options(server),
      rules,
    });
    expect(response.status).toBe(200);
    expect(server.asked[0]!.headers.host).toBe(`hub.example:${port}`);
    expect(answers).toHaveLength(1);
  });

  test("check each redirect again", async () => {
    await using server = await new LoopbackServer(
      (request, response) => void redirect("http://10.0.0.1/")(request, response),
    ).start();
    const error = await failure(() => fetchChecked(new URL(server.origin), options(server)));
    expect(error.message).toContain("10.0.0.1 is an address of this machine or its network");
  });
});

describe("Proxies", () => {
  const env = { HTTPS_PROXY: "http://upper:1", https_proxy: "http://lower:1", HTTP_PROXY: "http://plain:1" };

  test.each([
    ["https://hub.example/", env, "http://lower:1"],
    ["http://hub.example/", env, "http://plain:1"],
    ["http://hub.example/", { ALL_PROXY: "http://all:1" }, "http://all:1"],
    ["https://hub.example/", { ...env, NO_PROXY: "hub.example" }, undefined],
    ["https://a.hub.example/", { ...env, NO_PROXY: "x.y, .hub.example" }, undefined],
    ["https://ahub.example/", { ...env, NO_PROXY: "hub.example" }, "http://lower:1"],
    ["https://hub.example/", { ...env, no_proxy: "*" }, undefined],
    ["https://hub.example:8443/", { ...env, NO_PROXY: "hub.example:8443" }, undefined],
    ["https://hub.example/", {}, undefined],
  ])("%s under %j", (url, variables, proxy) =>
    expect(proxyFor(new URL(url), variables)).toBe(proxy as string),
  );
});
