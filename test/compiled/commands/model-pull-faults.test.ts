/** What goes wrong on the way from a hub, and what is left behind then. */
import { describe, expect, test } from "bun:test";
import { BlobServer } from "../../support/hub/hubs.ts";
import { json, redirect, status } from "../../support/hub/server.ts";
import { DONE, mini, SPEC, TinyHub } from "../../support/hub/tiny.ts";
import { uniform } from "../../support/random.ts";
import { Terminal } from "../../support/terminal.ts";

const PART = ".pull-acme--tiny@Q8_0/tiny.gguf.part";
const HALF = 2_000_000;

const tiny = new TinyHub();
const ranges = () => tiny.blobs.asked.map(({ headers }) => headers.range);

describe("A pull whose connection is cut", () => {
  test("goes on where it was, asking for the rest of the same version", async () => {
    tiny.blobs.disturb(/blobs/, tiny.blobs.cutAfter(HALF), 2);
    expect((await tiny.pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges()).toHaveLength(3);
    expect(ranges()[0]).toBeUndefined();
    const [second, third] = ranges()
      .slice(1)
      .map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]));
    expect(second).toBeGreaterThan(0);
    expect(third).toBeGreaterThan(second!);
    expect(tiny.blobs.asked[1]!.headers["if-range"]).toMatch(/^"[0-9a-f]{64}"$/);
    expect(tiny.box.stored()).toEqual(DONE);
    expect(tiny.box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test("gives up after the configured attempts, keeps what came, names it, and goes on with it later", async () => {
    tiny.blobs.disturb(/blobs/, tiny.blobs.cutAfter(HALF), 1);
    tiny.blobs.disturb(/blobs/, status(503));
    const { code, document } = await tiny.pull();
    expect(code).toBe(1);
    expect(document).toMatchObject({ code: "provider", data: { status: 503 } });
    expect(tiny.blobs.asked).toHaveLength(1 + 3);

    const downloads = [{ id: SPEC, bytes_downloaded: expect.any(Number), bytes_total: mini.length }];
    for (const command of ["list", "status"])
      expect((await tiny.box.model([command])).document).toMatchObject({ downloads });
    expect((await tiny.box.model(["list"])).document.count).toBe(1);
    expect((await tiny.box.run(["-c", "my.toml", "model", "list", "--format", "pretty"])).stdout).toContain(
      "pull not finished",
    );
    const size = tiny.box.bytes(PART).length;
    expect(size).toBeGreaterThan(0);

    await tiny.blobs[Symbol.asyncDispose]();
    tiny.blobs = await new BlobServer().start();
    tiny.hub.disturb(/resolve/, redirect(tiny.blobs.url(tiny.blobs.put(mini))));
    expect((await tiny.pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges()).toEqual([`bytes=${size}-`]);
    expect(tiny.box.bytes(DONE[1]!).equals(mini)).toBe(true);
    expect((await tiny.box.model(["list"])).document).not.toHaveProperty("downloads");
  });

  test("can be given up with remove", async () => {
    tiny.blobs.disturb(/blobs/, tiny.blobs.cutAfter(HALF), 1);
    tiny.blobs.disturb(/blobs/, status(403));
    expect((await tiny.pull()).code).toBe(1);
    expect(tiny.box.stored()).toContain(PART);
    expect(await tiny.box.model(["remove", SPEC, "--yes"])).toMatchObject({
      code: 0,
      document: { removed: true },
    });
    expect(tiny.box.stored()).toEqual([]);
    expect((await tiny.box.model(["remove", SPEC, "--yes"])).document).toMatchObject({ code: "not_found" });
  });

  test("survives kill -9 and goes on", async () => {
    tiny.blobs.disturb(/blobs/, tiny.blobs.stallAfter(HALF), 1);
    const process = tiny.box.start(["-c", "my.toml", "model", "pull", SPEC]);
    while (!tiny.box.stored().includes(PART) || tiny.box.bytes(PART).length < HALF) await Bun.sleep(20);
    process.kill("SIGKILL");
    await process.exited;
    expect((await tiny.pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges()).toEqual([undefined, `bytes=${HALF}-`]);
    expect(tiny.box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test("killed again and again, at any moment, ends with the whole model and nothing else", async () => {
    const random = uniform(3);
    for (let i = 0; i < 12; i++) {
      const process = tiny.box.start(["-c", "my.toml", "model", "pull", SPEC]);
      await Promise.race([process.exited, Bun.sleep(40 + random() * 400)]);
      process.kill("SIGKILL");
      await process.exited;
      const { document } = await tiny.box.model(["list"]);
      const states = [...document.models, ...(document.downloads ?? [])].filter(({ id }) => id === SPEC);
      expect(states.length).toBeLessThanOrEqual(1);
      if (i % 4 === 3) await tiny.box.model(["remove", SPEC, "--yes"]);
    }
    expect((await tiny.pull()).document).toMatchObject({ download_status: "complete" });
    expect((await tiny.pull("--force")).document).toMatchObject({ download_status: "complete" });
    expect(tiny.box.stored()).toEqual(DONE);
    expect(tiny.box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test("ends at once on Ctrl-C, keeping what came", async () => {
    tiny.blobs.disturb(/blobs/, tiny.blobs.stallAfter(HALF), 1);
    const process = tiny.box.start(["-c", "my.toml", "model", "pull", SPEC]);
    while (!tiny.box.stored().includes(PART) || tiny.box.bytes(PART).length < HALF) await Bun.sleep(20);
    process.kill("SIGINT");
    expect(await process.exited).toBe(130);
    expect(tiny.box.bytes(PART)).toHaveLength(HALF);
  });

  test("begins anew where the file has changed in the middle", async () => {
    tiny.blobs.disturb(/blobs/, tiny.blobs.cutAfter(HALF), 1);
    tiny.blobs.disturb(
      /blobs/,
      () => {
        tiny.blobs.etag = '"another version"';
        return false;
      },
      1,
    );
    expect((await tiny.pull()).document).toMatchObject({ download_status: "complete" });
    expect(tiny.blobs.asked).toHaveLength(2);
    expect(tiny.box.bytes(DONE[1]!).equals(mini)).toBe(true);
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
    tiny.blobs.disturb(/blobs/, tiny.blobs.cutAfter(HALF), 1);
    tiny.blobs.disturb(/blobs/, fault, 1);
    expect((await tiny.pull()).document).toMatchObject({ download_status: "complete" });
    expect(ranges().at(-1)).toBeUndefined();
    expect(tiny.box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });
});

describe("A pull of a file that is not what was published", () => {
  test("of another digest leaves nothing that could be taken for a model", async () => {
    const wrong = Buffer.from(mini);
    wrong[wrong.length - 1]! ^= 1;
    const [digest] = tiny.blobs.blobs.keys();
    tiny.blobs.blobs.set(digest!, wrong);
    const { code, document } = await tiny.pull();
    expect(code).toBe(1);
    expect(document.error).toContain("its sha256 is not the published one");
    expect(tiny.box.stored()).toEqual([".pull-acme--tiny@Q8_0/pull.json"]);
  });

  test("whose first part on disk is damaged is fetched once more as a whole", async () => {
    tiny.blobs.disturb(/blobs/, tiny.blobs.cutAfter(HALF), 1);
    tiny.blobs.disturb(/blobs/, status(403), 1);
    await tiny.pull();
    await Bun.write(`${tiny.box.store}/${PART}`, new Uint8Array(tiny.box.bytes(PART).length));
    expect((await tiny.pull()).document).toMatchObject({ download_status: "complete" });
    expect(tiny.box.bytes(DONE[1]!).equals(mini)).toBe(true);
  });

  test.each([
    ["longer", Buffer.concat([mini, Buffer.from("more")])],
    ["shorter", mini.subarray(0, HALF)],
  ])("is refused where the server offers a %s one", async (_name, bytes) => {
    tiny.blobs.blobs.set([...tiny.blobs.blobs.keys()][0]!, bytes);
    const { document } = await tiny.pull();
    expect(document).toMatchObject({ code: "provider" });
    expect(document.error).toContain(`${bytes.length} bytes where ${mini.length} are published`);
    expect(tiny.blobs.asked).toHaveLength(1);
  });
});

describe("A hub that fails", () => {
  test("for a moment is asked again", async () => {
    tiny.hub.disturb(/revision/, status(500), 1);
    tiny.hub.disturb(/tree/, status(429, { "retry-after": "0" }), 1);
    expect((await tiny.pull()).code).toBe(0);
  });

  test("and asks for an absurd wait is not waited for", async () => {
    tiny.hub.disturb(/revision/, status(429, { "retry-after": "86400" }));
    const { code, document } = await tiny.pull();
    expect(code).toBe(1);
    expect(document).toMatchObject({ data: { status: 429, retryAfterSeconds: 86_400 } });
    expect(document.hint).toContain("86400 s");
    expect(tiny.hub.asked).toHaveLength(1);
  });

  test("answers HTML, or JSON of another shape", async () => {
    tiny.hub.disturb(
      /revision/,
      (_request, response) => {
        response.writeHead(200, { "content-type": "text/html" });
        response.end("<html>Please log in</html>");
        return true;
      },
      1,
    );
    const html = await tiny.pull();
    expect(html.document).toMatchObject({
      code: "provider",
      error: expect.stringContaining("not JSON (text/html)"),
    });
    tiny.hub.disturb(/revision/, (_request, response) => json(response, 200, { sha: 5 }), 1);
    expect((await tiny.pull()).document.error).toContain("the answer is not as expected: /sha");
  });

  test("and sends nothing more is left after the idle time", async () => {
    tiny.box.configure({ hub: tiny.hub.origin, idleSeconds: 1, maxRetries: 0 });
    tiny.blobs.disturb(/blobs/, tiny.blobs.stallAfter(HALF));
    const { document } = await tiny.pull();
    expect(document).toMatchObject({ code: "timeout", data: { timeoutMs: 1000 } });
    expect(tiny.box.bytes(PART)).toHaveLength(HALF);
  });

  test("that is not there is not waited for, and the way without a network is named", async () => {
    tiny.box.configure({ hub: "http://127.0.0.1:9" });
    const { document } = await tiny.pull();
    expect(document.code).toBe("network");
    expect(document.hint).toContain("llmspell model export MODEL FILE");
    tiny.box.configure({ hub: "http://hub.invalid" });
    const unresolved = await tiny.pull();
    expect(unresolved.document.error).toContain("Cannot resolve the name of the host: hub.invalid");
    expect(unresolved.document.hint).toContain("llmspell model import FILE");
  });
});

test("A pull for which the disk has no room does not begin", async () => {
  tiny.hub.disturb(/tree/, (_request, response) =>
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
  const { document } = await tiny.pull();
  expect(document).toMatchObject({ code: "io", data: { sizeBytes: 1e15 } });
  expect(document.error).toContain("Cannot pull the model: the disk has");
  expect(tiny.blobs.asked).toEqual([]);
});

test.each([
  ["a command", ["model", "pull", SPEC]],
  ["a script", ["run", "pull.lua"]],
])("A terminal shows percent and bytes while %s pulls", async (_name, words) => {
  tiny.box.write("pull.lua", `LocalLLM.pull("${SPEC}")`);
  tiny.blobs.disturb(/blobs/, tiny.blobs.cutAfter(HALF), 1);
  const terminal = new Terminal(tiny.box, ["-c", "my.toml", ...words]);
  expect(await terminal.exited()).toBe(0);
  const shown = /acme\/tiny:Q8_0: downloading (\d+) % \((\d+\.\d) of 4\.9 MB\)/.exec(terminal.screen);
  expect(Number(shown?.[2])).toBeLessThanOrEqual(4.9);
  expect(terminal.screen).toContain("acme/tiny:Q8_0: complete 100 % (4.9 of 4.9 MB)");
});

test("A script that is interrupted ends at once, and the bytes stay", async () => {
  tiny.blobs.disturb(/blobs/, tiny.blobs.stallAfter(HALF), 1);
  tiny.box.write("pull.lua", `LocalLLM.pull("${SPEC}")`);
  const process = tiny.box.start(["-c", "my.toml", "run", "pull.lua"]);
  while (!tiny.box.stored().includes(PART) || tiny.box.bytes(PART).length < HALF) await Bun.sleep(20);
  process.kill("SIGINT");
  expect(await process.exited).toBe(130);
  expect(tiny.box.bytes(PART)).toHaveLength(HALF);
});

test("Two processes that pull the same model fetch it once", async () => {
  const gate = Promise.withResolvers<void>();
  tiny.blobs.disturb(
    /blobs/,
    (request, response) => {
      gate.promise.then(() => tiny.blobs.cutAfter(mini.length)(request, response));
      return true;
    },
    1,
  );
  const first = tiny.box.start(["-c", "my.toml", "model", "pull", SPEC]);
  while (tiny.blobs.asked.length === 0) await Bun.sleep(20);
  const second = tiny.box.start(["-c", "my.toml", "model", "pull", SPEC]);
  const told = second.stderr.getReader();
  expect(new TextDecoder().decode((await told.read()).value)).toContain(
    "another process downloads this model",
  );
  gate.resolve();
  expect(await Promise.all([first.exited, second.exited])).toEqual([0, 0]);
  expect(tiny.blobs.asked).toHaveLength(1);
  expect(tiny.box.stored()).toEqual(DONE);
});
