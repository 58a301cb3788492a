/** What goes wrong on the way from a hub, and what is left behind then. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { SPELL_MINI } from "../../support/gguf-models.ts";
import { HubBox } from "../../support/hub/box.ts";
import { BlobServer, HuggingFaceServer } from "../../support/hub/hubs.ts";
import { json, LoopbackServer, redirect, status } from "../../support/hub/server.ts";
import { Terminal } from "../../support/terminal.ts";

const mini = readFileSync(SPELL_MINI);
const SPEC = "acme/tiny:Q8_0";
const PART = ".pull-acme--tiny@Q8_0/tiny.gguf.part";
const DONE = ["acme--tiny/Q8_0/model.json", "acme--tiny/Q8_0/tiny.gguf"];
const HALF = 2_000_000;

let blobs: BlobServer;
let hub: HuggingFaceServer;
let box: HubBox;

beforeEach(async () => {
  blobs = await new BlobServer().start();
  hub = await new HuggingFaceServer({ "acme/tiny": { files: { "tiny.Q8_0.gguf": mini } } }, blobs).start();
  box = new HubBox();
  box.configure({ hub: hub.origin });
});

afterEach(async () => {
  box[Symbol.dispose]();
  await Promise.all([hub, blobs].map((server) => server[Symbol.asyncDispose]()));
});

const pull = (...more: string[]) => box.model(["pull", SPEC, ...more]);
const ranges = () => blobs.asked.map(({ headers }) => headers.range);

describe("A pull whose connection is cut", () => {
  test("goes on where it was, asking for the rest of the same version", async () => {
    blobs.disturb(/blobs/, blobs.cutAfter(HALF), 2);
    expect((await pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges()).toHaveLength(3);
    expect(ranges()[0]).toBeUndefined();
    const [second, third] = ranges()
      .slice(1)
      .map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]));
    expect(second).toBeGreaterThan(0);
    expect(third).toBeGreaterThan(second!);
    expect(blobs.asked[1]!.headers["if-range"]).toMatch(/^"[0-9a-f]{64}"$/);
    expect(box.stored()).toEqual(DONE);
    expect(box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test("gives up after the configured attempts, keeps what came, names it, and goes on with it later", async () => {
    blobs.disturb(/blobs/, blobs.cutAfter(HALF), 1);
    blobs.disturb(/blobs/, status(503));
    const { code, document } = await pull();
    expect(code).toBe(1);
    expect(document).toMatchObject({ code: "provider", data: { status: 503 } });
    expect(blobs.asked).toHaveLength(1 + 3);

    const downloads = [{ id: SPEC, bytes_downloaded: expect.any(Number), bytes_total: mini.length }];
    for (const command of ["list", "status"])
      expect((await box.model([command])).document).toMatchObject({ downloads });
    expect((await box.model(["list"])).document.count).toBe(1);
    expect((await box.run(["-c", "my.toml", "model", "list", "--format", "pretty"])).stdout).toContain(
      "pull not finished",
    );
    const size = box.bytes(PART).length;
    expect(size).toBeGreaterThan(0);

    await blobs[Symbol.asyncDispose]();
    blobs = await new BlobServer().start();
    blobs.put(mini);
    hub.disturb(/resolve/, (_request, response) =>
      redirect(blobs.url([...blobs.blobs.keys()][0]!))(_request, response),
    );
    expect((await pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges()).toEqual([`bytes=${size}-`]);
    expect(box.bytes(DONE[1]!).equals(mini)).toBe(true);
    expect((await box.model(["list"])).document).not.toHaveProperty("downloads");
  });

  test("can be given up with remove", async () => {
    blobs.disturb(/blobs/, blobs.cutAfter(HALF), 1);
    blobs.disturb(/blobs/, status(403));
    expect((await pull()).code).toBe(1);
    expect(box.stored()).toContain(PART);
    expect(await box.model(["remove", SPEC, "--yes"])).toMatchObject({
      code: 0,
      document: { removed: true },
    });
    expect(box.stored()).toEqual([]);
    expect((await box.model(["remove", SPEC, "--yes"])).document).toMatchObject({ code: "not_found" });
  });

  test("survives kill -9 and goes on", async () => {
    blobs.disturb(/blobs/, blobs.stallAfter(HALF), 1);
    const process = box.start(["-c", "my.toml", "model", "pull", SPEC]);
    while (!box.stored().includes(PART) || box.bytes(PART).length < HALF) await Bun.sleep(20);
    process.kill("SIGKILL");
    await process.exited;
    expect((await pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges()).toEqual([undefined, `bytes=${HALF}-`]);
    expect(box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test("ends at once on Ctrl-C, keeping what came", async () => {
    blobs.disturb(/blobs/, blobs.stallAfter(HALF), 1);
    const process = box.start(["-c", "my.toml", "model", "pull", SPEC]);
    while (!box.stored().includes(PART) || box.bytes(PART).length < HALF) await Bun.sleep(20);
    process.kill("SIGINT");
    expect(await process.exited).toBe(130);
    expect(box.bytes(PART)).toHaveLength(HALF);
  });

  test("begins anew where the file has changed in the middle", async () => {
    blobs.disturb(/blobs/, blobs.cutAfter(HALF), 1);
    blobs.disturb(
      /blobs/,
      () => {
        blobs.etag = '"another version"';
        return false;
      },
      1,
    );
    expect((await pull()).document).toMatchObject({ download_status: "complete" });
    expect(blobs.asked).toHaveLength(2);
    expect(box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test.each([
    ["416 to what it asks for", status(416)],
    [
      "another part than it asks for",
      (_request: unknown, response: import("node:http").ServerResponse) => {
        response.writeHead(206, { "content-range": `bytes 5-9/${mini.length}`, "content-length": 5 });
        response.end("wrong");
        return true;
      },
    ],
  ] as const)("begins anew where the server gives %s", async (_name, fault) => {
    blobs.disturb(/blobs/, blobs.cutAfter(HALF), 1);
    blobs.disturb(/blobs/, fault, 1);
    expect((await pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges().at(-1)).toBeUndefined();
    expect(box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });
});

describe("A pull of a file that is not what was published", () => {
  test("of another digest leaves nothing that could be taken for a model", async () => {
    const wrong = Buffer.from(mini);
    wrong[wrong.length - 1]! ^= 1;
    const [digest] = blobs.blobs.keys();
    blobs.blobs.set(digest!, wrong);
    const { code, document } = await pull();
    expect(code).toBe(1);
    expect(document.error).toContain("its sha256 is not the published one");
    expect(box.stored()).toEqual([".pull-acme--tiny@Q8_0/pull.json"]);
  });

  test("whose first part on disk is damaged is fetched once more as a whole", async () => {
    blobs.disturb(/blobs/, blobs.cutAfter(HALF), 1);
    blobs.disturb(/blobs/, status(403), 1);
    await pull();
    await Bun.write(`${box.store}/${PART}`, new Uint8Array(box.bytes(PART).length));
    expect((await pull()).document).toMatchObject({ download_status: "complete" });
    expect(box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test.each([
    ["longer", Buffer.concat([mini, Buffer.from("more")])],
    ["shorter", mini.subarray(0, HALF)],
  ])("is refused where the server offers a %s one", async (_name, bytes) => {
    blobs.blobs.set([...blobs.blobs.keys()][0]!, bytes);
    const { document } = await pull();
    expect(document).toMatchObject({ code: "provider" });
    expect(document.error).toContain(`${bytes.length} bytes where ${mini.length} are published`);
    expect(blobs.asked).toHaveLength(1);
  });
});

describe("A hub that fails", () => {
  test("for a moment is asked again", async () => {
    hub.disturb(/revision/, status(500), 1);
    hub.disturb(/tree/, status(429, { "retry-after": "0" }), 1);
    expect((await pull()).code).toBe(0);
  });

  test("and asks for an absurd wait is not waited for", async () => {
    hub.disturb(/revision/, status(429, { "retry-after": "86400" }));
    const { code, document } = await pull();
    expect(code).toBe(1);
    expect(document).toMatchObject({ data: { status: 429, retryAfterSeconds: 86_400 } });
    expect(document.hint).toContain("86400 s");
    expect(hub.asked).toHaveLength(1);
  });

  test("answers HTML, or JSON of another shape", async () => {
    hub.disturb(
      /revision/,
      (_request, response) => {
        response.writeHead(200, { "content-type": "text/html" });
        response.end("<html>Please log in</html>");
        return true;
      },
      1,
    );
    const html = await pull();
    expect(html.document).toMatchObject({
      code: "provider",
      error: expect.stringContaining("not JSON (text/html)"),
    });
    hub.disturb(/revision/, (_request, response) => json(response, 200, { sha: 5 }), 1);
    expect((await pull()).document.error).toContain("the answer is not as expected: /sha");
  });

  test("sends nothing more is left after the idle time", async () => {
    box.configure({ hub: hub.origin, idleSeconds: 1, maxRetries: 0 });
    blobs.disturb(/blobs/, blobs.stallAfter(HALF));
    const { document } = await pull();
    expect(document).toMatchObject({ code: "timeout", data: { timeoutMs: 1000 } });
    expect(box.bytes(PART)).toHaveLength(HALF);
  });

  test("that is not there is not waited for, and the way without a network is named", async () => {
    box.configure({ hub: "http://127.0.0.1:9" });
    const { document } = await pull();
    expect(document.code).toBe("network");
    expect(document.hint).toContain("llmspell model export MODEL FILE");
    box.configure({ hub: "http://hub.invalid" });
    const unresolved = await pull();
    expect(unresolved.document.error).toContain("Cannot resolve the name of the host: hub.invalid");
    expect(unresolved.document.hint).toContain("llmspell model import FILE");
  });
});

test("A pull for which the disk has no room does not begin", async () => {
  hub.disturb(/tree/, (_request, response) =>
    json(response, 200, [
      {
        type: "file",
        path: "tiny.Q8_0.gguf",
        size: 1e15,
        oid: "0",
        lfs: { oid: "0".repeat(64), size: 1e15 },
      },
    ]),
  );
  const { document } = await pull();
  expect(document).toMatchObject({ code: "io", data: { sizeBytes: 1e15 } });
  expect(document.error).toContain("Cannot pull the model: the disk has");
  expect(blobs.asked).toEqual([]);
});

test("A terminal shows percent and bytes while a pull runs", async () => {
  blobs.disturb(/blobs/, blobs.cutAfter(HALF), 1);
  const terminal = new Terminal(box, ["-c", "my.toml", "model", "pull", SPEC]);
  expect(await terminal.exited()).toBe(0);
  const shown = /acme\/tiny:Q8_0: downloading (\d+) % \((\d+\.\d) of 4\.9 MB\)/.exec(terminal.screen);
  expect(Number(shown?.[2])).toBeLessThanOrEqual(4.9);
  expect(terminal.screen).toContain("acme/tiny:Q8_0: complete 100 % (4.9 of 4.9 MB)");
});

test("A script that is interrupted ends at once, and the bytes stay", async () => {
  blobs.disturb(/blobs/, blobs.stallAfter(HALF), 1);
  box.write("pull.lua", `LocalLLM.pull("${SPEC}")`);
  const process = box.start(["-c", "my.toml", "run", "pull.lua"]);
  while (!box.stored().includes(PART) || box.bytes(PART).length < HALF) await Bun.sleep(20);
  process.kill("SIGINT");
  expect(await process.exited).toBe(130);
  expect(box.bytes(PART)).toHaveLength(HALF);
});

describe("Redirects", () => {
  test("to an address of this machine are refused unless the configuration names it", async () => {
    box.configure({ hub: hub.origin, allowed: ["*"] });
    const { document } = await pull();
    expect(document).toMatchObject({ code: "permission_denied" });
    expect(document.error).toContain("URL validation failed: Host blocked: 127.0.0.1");
    expect(blobs.asked).toEqual([]);
    box.configure({ hub: hub.origin, allowed: ["*", "127.0.0.0/8"] });
    expect((await pull()).code).toBe(0);
  });

  test.each([
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]:8080/",
    "http://[::ffff:10.0.0.1]/",
    "http://2130706433/",
    "http://localhost/",
    "file:///etc/passwd",
  ])("to %s are refused", async (location) => {
    box.configure({ hub: hub.origin, allowed: ["*"] });
    hub.disturb(/resolve/, redirect(location));
    expect((await pull()).document).toMatchObject({
      code: "permission_denied",
      error: expect.stringContaining("URL validation failed"),
    });
  });

  test("without end are given up", async () => {
    hub.disturb(/resolve/, redirect(`${hub.origin}/acme/tiny/resolve/again`));
    const { document } = await pull();
    expect(document.error).toContain("more than 8 redirects");
  });
});

test("With the network switched off, only a hub on this machine is asked", async () => {
  const env = { LLMSPELL_ALLOW_NETWORK_ACCESS: "false" };
  expect((await box.model(["pull", SPEC], { env })).code).toBe(0);
  box.configure({});
  const { document } = await box.model(["pull", "acme/other"], { env });
  expect(document.error).toContain("Network access is disabled: https://huggingface.co");
  expect(document.hint).toContain("runtime.security.allow_network_access");
  expect(document.hint).toContain("llmspell model import FILE");
});

test("A proxy of the environment is used, and NO_PROXY goes past it", async () => {
  await using proxy = await new LoopbackServer((_request, response) => json(response, 502, {})).start();
  box.configure({ hub: hub.origin, maxRetries: 0 });
  const env = { HTTP_PROXY: proxy.origin };
  expect((await box.model(["pull", SPEC], { env })).document).toMatchObject({ data: { status: 502 } });
  expect(proxy.paths()[0]).toBe(`${hub.origin}/api/models/acme/tiny/revision/main`);
  expect(hub.asked).toEqual([]);
  expect((await box.model(["pull", SPEC], { env: { ...env, NO_PROXY: "127.0.0.1" } })).code).toBe(0);
});

test("HF_ENDPOINT names another hub", async () => {
  box.configure({});
  expect((await box.model(["pull", SPEC], { env: { HF_ENDPOINT: hub.origin } })).code).toBe(0);
});

test("Two processes that pull the same model fetch it once", async () => {
  const gate = Promise.withResolvers<void>();
  blobs.disturb(
    /blobs/,
    (request, response) => {
      gate.promise.then(() => blobs.cutAfter(mini.length)(request, response));
      return true;
    },
    1,
  );
  const first = box.start(["-c", "my.toml", "model", "pull", SPEC]);
  while (blobs.asked.length === 0) await Bun.sleep(20);
  const second = box.start(["-c", "my.toml", "model", "pull", SPEC]);
  const told = second.stderr.getReader();
  expect(new TextDecoder().decode((await told.read()).value)).toContain(
    "another process downloads this model",
  );
  gate.resolve();
  expect(await Promise.all([first.exited, second.exited])).toEqual([0, 0]);
  expect(blobs.asked).toHaveLength(1);
  expect(box.stored()).toEqual(DONE);
});
