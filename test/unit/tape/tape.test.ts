import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import type { Tape, TapedCall } from "../../../src/core/tape.ts";
import { runAsTask } from "../../../src/core/task.ts";
import { readTape } from "../../../src/tape/format.ts";
import { uniform } from "../../support/random.ts";
import { never, TapePlace } from "./support.ts";

const model = (text: string): TapedCall => ({
  kind: "model",
  name: "p/m",
  request: { prompt: text, seed: 1 },
});

async function failure(body: () => unknown): Promise<SpellError> {
  try {
    await body();
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("A recording", () => {
  test("gives back readings, answers and failures as they came", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      let now = 1000;
      for (let i = 0; i < 3; i++) tape.reading("time", () => now);
      now = 2000;
      tape.reading("time", () => now);
      await tape.call(model("a"), async () => ({ text: "A", bytes: new Uint8Array([0, 255]) }));
      const broken = new SpellError("provider", "Cannot call: no", {
        data: { statusCode: 500 },
        hint: "Wait",
      });
      await tape.call(model("b"), () => Promise.reject(broken)).catch(() => undefined);
      const foreign = Object.assign(new Error("Too many requests"), { statusCode: 429 });
      await tape.call(model("c"), () => Promise.reject(foreign)).catch(() => undefined);
    }
    using replay = place.player();
    const times = Array.from({ length: 4 }, () => replay.reading("time", () => 5));
    expect(times).toEqual([1000, 1000, 1000, 2000]);
    expect(await replay.call(model("a"), never)).toEqual({ text: "A", bytes: new Uint8Array([0, 255]) });
    const error = await failure(() => replay.call(model("b"), never));
    expect({ ...error, message: error.message }).toMatchObject({
      code: "provider",
      message: "Cannot call: no",
      hint: "Wait",
      data: { statusCode: 500 },
    });
    await expect(replay.call(model("c"), never)).rejects.toMatchObject({
      message: "Too many requests",
      statusCode: 429,
    });
  });

  test("is lines of JSON that people can read and compare", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      for (let i = 0; i < 1000; i++) tape.reading("time", () => 7);
      await tape.call(model("a"), async () => "A");
    }
    expect(place.text.split("\n")).toEqual([
      '{"llmspell_recording":1,"llmspell":"0.1.0","created":"2026-01-02T03:04:05.000Z","script":"test.lua","time_zone":"UTC"}',
      '{"kind":"time","lane":"script","value":7,"times":1000}',
      '{"kind":"model","lane":"script","name":"p/m","request":{"prompt":"a","seed":1},"answer":"A"}',
      "",
    ]);
  });

  test("is not written over unless it is asked for", async () => {
    using place = new TapePlace();
    place.recorder()[Symbol.dispose]();
    const error = await failure(() => place.recorder());
    expect([error.code, error.hint]).toEqual([
      "already_exists",
      "Name another file, or add --force to write over it",
    ]);
    place.recorder([], true)[Symbol.dispose]();
  });

  test("that was killed can be replayed as far as it goes, at whatever byte it was cut", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      for (const text of ["a", "b", "c"]) await tape.call(model(text), async () => text.toUpperCase());
    }
    const { text } = place;
    const ends = [...text.matchAll(/\n/g)].map(({ index }) => index + 1);
    for (let cut = ends[0]!; cut <= text.length; cut++) {
      const whole = ends.filter((end) => end <= cut).length - 1;
      using replay = place.player(text.slice(0, cut));
      for (const [i, asked] of ["a", "b", "c"].entries()) {
        // a line that lacks nothing but its end is whole
        const isThere = i < whole || cut === ends[i + 1]! - 1;
        if (isThere) expect(await replay.call(model(asked), never)).toBe(asked.toUpperCase());
        else expect((await failure(() => replay.call(model(asked), never))).code).toBe("not_found");
      }
    }
  });

  test.each([
    ["", "it is no recording"],
    ["hello\n", "it is no recording"],
    ['{"a":1}\n', "it is no recording"],
    ['{"llmspell_recording":9}\n', "reads recordings of version 1, it is of version 9"],
    [
      '{"llmspell_recording":1}\n{"kind":"time"\n{"kind":"time","lane":"script","value":1}\n',
      "line 2 is no JSON",
    ],
    ['{"llmspell_recording":1}\n{"kind":"bogus","lane":"script"}\n', "line 2 is no entry"],
  ])("that is none is refused: %j", async (text, rule) => {
    const error = await failure(() => readTape(text, "x.jsonl"));
    expect([error.code, error.message]).toEqual(["config", expect.stringContaining(rule)]);
  });
});

describe("What is missing in a recording", () => {
  test("is told with the nearest entry and how it differs", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      await tape.call(
        { kind: "model", name: "p/m", request: { prompt: "Tell me of cats", n: 1 } },
        async () => 1,
      );
      await tape.call(
        { kind: "model", name: "p/m", request: { prompt: "Tell me of dogs", n: 9, x: [1] } },
        async () => 2,
      );
    }
    using replay = place.player();
    const asked: TapedCall = { kind: "model", name: "p/m", request: { prompt: "Tell me of rats", n: 1 } };
    const error = await failure(() => replay.call(asked, never));
    expect(error.message).toBe("Cannot replay: no such call of model was recorded: p/m");
    expect(error.hint).toStartWith(
      'Nearest is line 2 (p/m): prompt was "Tell me of cats", is "Tell me of rats". Record it anew: --record',
    );
    expect(error.data).toMatchObject({ line: 2 });
  });

  test.each([
    [
      "embedding",
      "embedding by model",
      { values: ["a cat"] },
      { values: ["a dog"] },
      'values[0] was "a cat", is "a dog"',
    ],
    ["reranking", "ranking by model", { query: "q", top: 3 }, { query: "q", top: 2 }, "top was 3, is 2"],
    ["http", "request", { headers: { a: "1" } }, { headers: { a: "1", b: "2" } }, 'headers.b is new: "2"'],
    [
      "resolve",
      "use of model",
      { purpose: "chat", baseUrl: "x" },
      { purpose: "chat" },
      'baseUrl is gone: "x"',
    ],
  ] as const)("is told for every kind of call: %s", async (kind, what, recorded, asked, difference) => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      await tape.call({ kind, name: "n", request: { unlike: true, more: [1, 2] } }, async () => 1);
      await tape.call({ kind, name: "n", request: recorded }, async () => 2);
      await tape.call({ kind: "model", name: "n", request: asked }, async () => 3);
    }
    using replay = place.player();
    const error = await failure(() => replay.call({ kind, name: "n", request: asked }, never));
    expect(error.message).toBe(`Cannot replay: no such ${what} was recorded: n`);
    expect(error.hint).toStartWith(`Nearest is line 3 (n): ${difference}. Record it anew: `);
  });

  test("is a call that was made less often", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      await tape.call(model("a"), async () => 1);
    }
    using replay = place.player();
    await replay.call(model("a"), never);
    expect((await failure(() => replay.call(model("a"), never))).message).toContain("was made less often");
  });

  test("is a failure for the clock of a script, and never the real time for the kernel's own", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      tape.reading("time", () => 5);
      tape.reading("uuid", () => "0b9e0f5c-0000-4000-a000-000000000000");
    }
    const made = () => {
      using replay = place.player();
      replay.reading("time", Date.now);
      replay.reading("uuid", () => crypto.randomUUID());
      return [replay.reading("time", Date.now), replay.reading("uuid", () => crypto.randomUUID())];
    };
    expect(made()).toEqual(made());
    expect(made()[0]).toBe(5);
    using replay = place.player();
    replay.reading("time", Date.now, true);
    const error = await failure(() => replay.reading("time", Date.now, true));
    expect(error.message).toContain("the script reads the time more often than it was recorded");
  });
});

describe("Secrets", () => {
  const KEY = "k-very-secret-0123456789";

  test("that an answer gives back in pieces stay out as well", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder([KEY]);
      const deltas = ["it is ", KEY.slice(0, 5), KEY.slice(5, 11), KEY.slice(11), "."];
      await tape.call(model("say it"), async () => [{ type: "text-delta", id: "0", deltas }]);
    }
    expect(place.text).toContain('"it is [REDACTED]."');
    expect(place.text).not.toContain(KEY.slice(5, 11));
  });

  test("never reach the file: known values, and texts and members that look like them", async () => {
    using place = new TapePlace();
    const openai = `sk-${"a1B2".repeat(12)}`;
    {
      using tape = place.recorder([KEY]);
      tape.hide("hidden-later-on");
      await tape.call(
        {
          kind: "http",
          name: "GET x",
          request: {
            url: `https://a/?x=${KEY}`,
            authorization: "Basic dXNlcg==",
            note: `key ${openai}`,
            base: "https://ann:pass-of-ann@host/",
          },
        },
        async () => ({ body: `you sent ${KEY} and hidden-later-on` }),
      );
      await tape.call(model("b"), () => Promise.reject(new Error(`refused ${KEY}`))).catch(() => undefined);
    }
    for (const secret of [KEY, openai, "dXNlcg==", "hidden-later-on", "pass-of-ann"])
      expect(place.text).not.toContain(secret);
    expect(place.redacted).toEqual(["GET x"]);
  });

  test("do not matter for finding an answer again", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder(["first-secret-key"]);
      await tape.call(model("with first-secret-key"), async () => "ok");
    }
    using replay = place.player(place.text, ["other-secret-key"]);
    expect(await replay.call(model("with other-secret-key"), never)).toBe("ok");
  });
});

/** Branches that ask the same and different things, each at random times. */
async function branches(tape: Tape, seed: number, answer: (branch: number, step: number) => string) {
  const random = uniform(seed);
  const came: string[] = [];
  const results = await Promise.all(
    Array.from({ length: 6 }, (_, branch) =>
      runAsTask(`agent "${branch}"`, async () => {
        const got: unknown[] = [];
        for (let step = 0; step < 5; step++) {
          await Bun.sleep(random() * 2);
          // half of them ask what the others ask too
          const text = step % 2 === 0 ? "the same" : `of ${branch}`;
          got.push(
            await tape.call(model(text), async () => {
              await Bun.sleep(random() * 4);
              return answer(branch, step);
            }),
          );
          got.push(tape.reading("time", () => 1000 * branch + step));
          came.push(`${branch}.${step}`);
        }
        return got;
      }),
    ),
  );
  return { results, came };
}

describe("Parallel branches", () => {
  test.each([1, 2, 3])("get their own answers, in the order in which they came, seed %i", async (seed) => {
    using place = new TapePlace();
    let recorded: Awaited<ReturnType<typeof branches>>;
    {
      using tape = place.recorder();
      recorded = await branches(tape, seed, (branch, step) => `answer ${branch}.${step}`);
    }
    using replay = place.player();
    const replayed = await branches(replay, seed + 100, () => "none");
    expect(replayed.results).toEqual(recorded.results);
    expect(replayed.came).toEqual(recorded.came);
  });

  test("call the script's functions, and see answers begin and end, in the order in which it happened", async () => {
    using place = new TapePlace();
    const happened: string[] = [];
    const calls = (tape: Tape, name: string) => {
      const turn = tape.callback();
      const begin = () => {
        turn.begins(false);
        happened.push(name);
      };
      return turn.ready === undefined ? begin() : turn.ready.then(begin);
    };
    const inLane = <T>(name: string, body: () => Promise<T>) => runAsTask(`agent "${name}"`, body);
    {
      using tape = place.recorder();
      const [a, b] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
      const pieces: Record<string, { began?: () => void }> = { a: {}, b: {} };
      const first = inLane("a", () => tape.call(model("a"), () => a.promise, pieces.a));
      const second = inLane("b", () => tape.call(model("b"), () => b.promise, pieces.b));
      pieces.b!.began!();
      await inLane("b", async () => calls(tape, "b1"));
      await inLane("b", async () => calls(tape, "b2"));
      pieces.a!.began!();
      await inLane("a", async () => calls(tape, "a1"));
      a.resolve("A");
      await first;
      await inLane("b", async () => calls(tape, "b3"));
      b.resolve("B");
      await second;
    }
    const kinds = place.text
      .split("\n")
      .slice(1, -1)
      .map((line) => JSON.parse(line));
    expect(kinds.map(({ kind, times, answer }) => answer ?? [kind, times])).toEqual([
      ["begun", undefined],
      ["callback", 2],
      ["begun", undefined],
      ["callback", undefined],
      "A",
      ["callback", undefined],
      "B",
    ]);
    expect(happened.splice(0)).toEqual(["b1", "b2", "a1", "b3"]);
    using replay = place.player();
    const branch = (name: string, count: number) =>
      inLane(name, async () => {
        const { lastTurn, over } = await replay.stream(model(name));
        for (let i = 1; i <= count; i++) await calls(replay, `${name}${i}`);
        await lastTurn();
        happened.push(`${name} ends`);
        over();
      });
    await Promise.all([branch("a", 1), branch("b", 3)]);
    expect(happened).toEqual(["b1", "b2", "a1", "a ends", "b3", "b ends"]);
  });

  test("go on where a script no longer asks for what came before", async () => {
    using place = new TapePlace();
    {
      using tape = place.recorder();
      for (const text of ["a", "b", "c"]) await tape.call(model(text), async () => text);
    }
    using replay = place.player();
    expect(await replay.call(model("c"), never)).toBe("c");
    expect(await replay.call(model("a"), never)).toBe("a");
  });
});
