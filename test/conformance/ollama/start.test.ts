/** `auto_start` and `model install-ollama`, with programs and an installer of the test's own. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LoopbackServer } from "../../support/hub/server.ts";
import { failure, modelService, type TestHome, temporaryHome } from "../../support/model-service.ts";
import { freePort, installFakeOllama } from "../../support/ollama/serve.ts";
import { says } from "../../support/ollama/service.ts";

const SYSTEM_PATH = "/usr/bin:/bin";

function homeWithPrograms(): TestHome & { programs: string } {
  const home = temporaryHome();
  const programs = join(home.directory, "bin");
  home.env.PATH = `${programs}:${SYSTEM_PATH}`;
  return Object.assign(home, { programs });
}

const table = (port: number, more = "auto_start = true") =>
  `[providers.ollama]\nprovider_type = "ollama"\nbase_url = "http://127.0.0.1:${port}"\n${more}`;

const answers = (port: number) =>
  fetch(`http://127.0.0.1:${port}/api/version`).then(
    () => true,
    () => false,
  );

describe("auto_start", () => {
  test("starts `ollama serve` for a call, once, and ends it with the service", async () => {
    using home = homeWithPrograms();
    installFakeOllama(home.programs);
    const port = await freePort();
    const { models } = await modelService(home, table(port));
    await models.list();
    await models.status();
    expect(await answers(port)).toBe(false);
    const model = await models.resolve("ollama/llama3");
    const call = () => model.doGenerate({ prompt: says("Hello") });
    const [first, second] = await Promise.all([call(), call()]);
    expect([first.content, second.content]).toEqual(Array(2).fill([{ type: "text", text: "Hello" }]));
    expect(await answers(port)).toBe(true);
    await models.dispose();
    expect(await answers(port)).toBe(false);
  });

  test("goes on for the others when one who waits gives up", async () => {
    using home = homeWithPrograms();
    installFakeOllama(home.programs);
    const { models } = await modelService(home, table(await freePort()));
    const model = await models.resolve("ollama/llama3");
    const abort = new AbortController();
    const first = model.doGenerate({ prompt: says("Hello"), abortSignal: abort.signal });
    const ended = first.then(undefined, (error: unknown) => error);
    const second = model.doGenerate({ prompt: says("Hello") });
    await Bun.sleep(20);
    abort.abort(new Error("stop"));
    expect(await ended).toMatchObject({ message: "stop" });
    expect((await second).content).toHaveLength(1);
    await models.dispose();
  });

  test("that fails says why", async () => {
    using home = homeWithPrograms();
    installFakeOllama(home.programs, "Error: listen tcp: bind: permission denied");
    const { models } = await modelService(home, table(await freePort()));
    const model = await models.resolve("ollama/llama3");
    const error = await failure(() => model.doGenerate({ prompt: says("Hello") }));
    expect(error.message).toBe(
      "Cannot start `ollama serve`: it ended at once: Error: listen tcp: bind: permission denied",
    );
    await models.dispose();
  });

  test("is left alone without the setting, and without the program", async () => {
    using home = homeWithPrograms();
    installFakeOllama(home.programs);
    const unset = await modelService(home, table(await freePort(), ""));
    const model = await unset.models.resolve("ollama/llama3");
    const error = await failure(() => model.doGenerate({ prompt: says("Hello") }));
    expect(error.hint).toContain("ollama serve");
    using bare = temporaryHome({ PATH: SYSTEM_PATH });
    const { models } = await modelService(bare, table(await freePort()));
    const other = await models.resolve("ollama/llama3");
    expect((await failure(() => other.doGenerate({ prompt: says("Hello") }))).hint).toContain(
      "install-ollama",
    );
  });
});

describe("The installer of Ollama", () => {
  async function withInstaller(script: string, home: TestHome) {
    const server = await new LoopbackServer((request, response) => {
      if (request.url === "/install.sh")
        response.writeHead(200, { "content-type": "text/plain" }).end(script);
      else response.writeHead(404).end("not here");
    }).start();
    const { models } = await modelService(
      home,
      `[providers.ollama]\ninstaller_url = "${server.origin}/install.sh"`,
    );
    return { server, models };
  }

  test("is fetched and run, and what it says is told", async () => {
    using home = homeWithPrograms();
    const script = `#!/bin/sh\necho ">>> Installing"\nmkdir -p '${home.programs}'\nprintf '#!/bin/sh\\n' > '${home.programs}/ollama'\nchmod +x '${home.programs}/ollama'\n`;
    const { server, models } = await withInstaller(script, home);
    await using _server = server;
    const said: string[] = [];
    const path = await models.installOllama({
      onEvent: (event) => event.type === "stream" && said.push(String(event.text)),
    });
    expect(path).toBe(join(home.programs, "ollama"));
    expect(said).toEqual([">>> Installing\n"]);
    const error = await failure(() => models.installOllama({}));
    expect(error.code).toBe("already_exists");
    expect(server.paths()).toEqual(["/install.sh"]);
  });

  test("that fails is an error with its last words", async () => {
    using home = homeWithPrograms();
    const { server, models } = await withInstaller("#!/bin/sh\necho 'ERROR: no curl' >&2\nexit 3\n", home);
    await using _server = server;
    const error = await failure(() => models.installOllama({}));
    expect(error.message).toBe("Cannot install Ollama: its installer ended with code 3: ERROR: no curl");
  });

  test("that is no script is not run", async () => {
    using home = homeWithPrograms();
    const mark = join(home.directory, "ran");
    const { server, models } = await withInstaller(`<html>\ntouch '${mark}'\n`, home);
    await using _server = server;
    expect((await failure(() => models.installOllama({}))).message).toContain("the answer is no script");
    expect(existsSync(mark)).toBe(false);
  });

  test("is not fetched where the network is switched off", async () => {
    using home = homeWithPrograms();
    const { models } = await modelService(home, "[runtime.security]\nallow_network_access = false");
    expect((await failure(() => models.installOllama({}))).code).toBe("permission_denied");
  });

  test("is interrupted with the command", async () => {
    using home = homeWithPrograms();
    const mark = join(home.directory, "pid");
    const { server, models } = await withInstaller(`#!/bin/sh\necho $$ > '${mark}'\nexec sleep 60\n`, home);
    await using _server = server;
    const abort = new AbortController();
    const ended = models.installOllama({ signal: abort.signal }).then(undefined, (error: unknown) => error);
    while (!existsSync(mark) || readFileSync(mark, "utf8") === "") await Bun.sleep(10);
    abort.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
  });
});
