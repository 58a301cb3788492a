/** File names as repositories of the Hugging Face Hub have them; waits under RFC 9110, section 10.2.3. */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { Passing, retryAfterMs, withRetries } from "../../../src/core/retry.ts";
import { chooseSet, fileSets } from "../../../src/models/hub/choose.ts";
import { parsePull } from "../../../src/models/hub/reference.ts";
import { failure } from "../../support/model-service.ts";

const listed = (...paths: string[]) => paths.map((path, i) => ({ path, sizeBytes: 100 + i }));

describe("The name of a pull", () => {
  test.each([
    [
      "TheBloke/phi-2-GGUF",
      { hub: "huggingface", name: "TheBloke/phi-2-GGUF", repository: "TheBloke/phi-2-GGUF" },
    ],
    ["hf.co/a/b:Q8_0", { hub: "huggingface", name: "a/b", repository: "a/b", wanted: "Q8_0" }],
    ["https://huggingface.co/a/b", { hub: "huggingface", name: "a/b", repository: "a/b" }],
    [
      "tinyllama",
      { hub: "huggingface", name: "tinyllama", repository: "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF" },
    ],
    ["llama3.1:8b", { hub: "ollama", name: "llama3.1", repository: "library/llama3.1", tag: "8b" }],
    ["mistral", { hub: "ollama", name: "mistral", repository: "library/mistral", tag: "latest" }],
    [
      "ollama.com/library/mistral",
      { hub: "ollama", name: "mistral", repository: "library/mistral", tag: "latest" },
    ],
    [
      "registry.ollama.ai/user/model:x",
      { hub: "ollama", name: "user/model", repository: "user/model", tag: "x" },
    ],
  ])("%s", (text, expected) => expect(parsePull(text)).toEqual(expected as never));

  test.each([
    "",
    "a/b/c",
    "../x",
    "a/../b",
    "a b",
    "/a",
    "a/",
    "x:..",
    "ollama.com/a/b/c",
    "a?b/c",
    "a/b%2f",
  ])("refuses %j", async (text) =>
    expect((await failure(() => parsePull(text))).message).toBe(`Invalid model spec '${text}'`),
  );
});

describe("The choice among a repository's files", () => {
  const many = fileSets(
    listed(
      "m.Q2_K.gguf",
      "m-q4_k_m.gguf",
      "m-UD-Q4_K_XL.gguf",
      "m-IQ3_XXS.gguf",
      "BF16/m-BF16-00001-of-00002.gguf",
      "BF16/m-BF16-00002-of-00002.gguf",
      "m-fp16.gguf",
      "mmproj-m-f16.gguf",
      "imatrix.gguf",
      "broken-Q8_0-00001-of-00002.gguf",
      "README.md",
    ),
  );

  test("knows quantizations and whole sets, and leaves out what is no model", () => {
    expect(many.map(({ quantization, files }) => [quantization, files.length])).toEqual([
      ["Q2_K", 1],
      ["Q4_K_M", 1],
      ["UD-Q4_K_XL", 1],
      ["IQ3_XXS", 1],
      ["F16", 1],
      ["BF16", 2],
    ]);
  });

  test.each([
    [undefined, undefined, "m-q4_k_m"],
    [undefined, "Q2_K", "m.Q2_K"],
    [undefined, "Q5_0", "m-q4_k_m"],
    ["iq3_xxs", undefined, "m-IQ3_XXS"],
    ["f16", undefined, "m-fp16"],
    ["m.Q2_K.gguf", undefined, "m.Q2_K"],
    ["BF16", "Q2_K", "BF16/m-BF16"],
  ])("asked %p, configured %p: %s", (wanted, preferred, stem) =>
    expect(chooseSet(many, "a/b", wanted, preferred).stem).toBe(stem),
  );

  test("takes the only one, whatever it is, and asks where none is preferred", async () => {
    expect(chooseSet(fileSets(listed("odd.gguf")), "a/b", undefined, "Q4_K_M").stem).toBe("odd");
    const error = await failure(() =>
      chooseSet(fileSets(listed("x.gguf", "y.gguf")), "a/b", undefined, undefined),
    );
    expect(error).toMatchObject({ code: "invalid_argument", hint: "Name one after a colon: x, y" });
  });
});

describe("Retries", () => {
  const settings = { maxRetries: 3, initialDelayMs: 1, maxDelayMs: 4, signal: undefined };
  const broken = new SpellError("network", "cut");

  test("end after the configured attempts without progress", async () => {
    let attempts = 0;
    const error = await failure(() =>
      withRetries(async () => {
        attempts++;
        throw new Passing(broken);
      }, settings),
    );
    expect([error, attempts]).toEqual([broken, 4]);
  });

  test("begin to count anew while there is progress", async () => {
    let attempts = 0;
    const result = await withRetries(
      async () => {
        if (++attempts < 20) throw new Passing(broken);
        return "done";
      },
      { ...settings, progress: () => attempts },
    );
    expect([result, attempts]).toEqual(["done", 20]);
  });

  test("wait between half and the whole of a delay that doubles up to its cap", async () => {
    const waits: number[] = [];
    await failure(() =>
      withRetries(() => Promise.reject(new Passing(broken)), {
        ...settings,
        maxRetries: 5,
        onRetry: (_failure, waitMs) => waits.push(waitMs),
      }),
    );
    for (const [i, delay] of [1, 2, 4, 4, 4].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(delay / 2);
      expect(waits[i]).toBeLessThanOrEqual(delay);
    }
  });

  test("do not repeat what cannot pass, and end when they are stopped", async () => {
    let attempts = 0;
    const once = () =>
      withRetries(async () => {
        attempts++;
        throw broken;
      }, settings);
    expect(await failure(once)).toBe(broken);
    expect(attempts).toBe(1);
    const controller = new AbortController();
    const stopped = new SpellError("interrupted", "Interrupted");
    const waiting = withRetries(() => Promise.reject(new Passing(broken)), {
      ...settings,
      initialDelayMs: 100_000,
      maxDelayMs: 100_000,
      signal: controller.signal,
      onRetry: () => queueMicrotask(() => controller.abort(stopped)),
    });
    expect(await failure(() => waiting)).toBe(stopped);
  });

  test("read Retry-After in both of its forms", () => {
    const now = Date.parse("Sun, 06 Nov 1994 08:49:37 GMT");
    expect(retryAfterMs("120", now)).toBe(120_000);
    expect(retryAfterMs("Sun, 06 Nov 1994 08:50:37 GMT", now)).toBe(60_000);
    expect(retryAfterMs("Sun, 06 Nov 1994 08:00:00 GMT", now)).toBe(0);
    expect(retryAfterMs("Sunday, 06-Nov-94 08:50:37 GMT", now)).toBe(60_000);
    expect(retryAfterMs("Sun Nov  6 08:50:37 1994", now)).toBe(60_000);
    for (const header of [null, "soon", "", "-5", "1.5", "1e3", "0x10", "1994-11-06", "Sunday"])
      expect(retryAfterMs(header, now)).toBeUndefined();
  });
});
