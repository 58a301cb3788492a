import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCheckpoint } from "../../../src/models/convert/checkpoint.ts";
import { readSafetensors } from "../../../src/models/convert/safetensors.ts";
import { failure } from "../../support/model-service.ts";
import { writeSafetensors } from "../../support/safetensors.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-safetensors-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const path = join(directory, "case.safetensors");

/** @param headerBytes what the file says its header has; default: what it has */
function write(header: unknown, data = 0, headerBytes?: bigint): void {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(headerBytes ?? BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, Buffer.alloc(data)]));
}

const f32 = (shape: unknown, offsets: unknown) => ({ dtype: "F32", shape, data_offsets: offsets });

async function ruleOf(read: () => unknown): Promise<string> {
  const error = await failure(read);
  expect(error.code).toBe("model_invalid");
  return error.data.rule as string;
}

describe("a safetensors file", () => {
  test("is read: names, types, shapes and places, metadata aside", () => {
    const values = Float32Array.from({ length: 6 }, (_, i) => i);
    writeSafetensors(path, [
      { name: "a", shape: [2, 3], type: "F32", values },
      { name: "b", shape: [6], type: "BF16", values },
    ]);
    const tensors = readSafetensors(path);
    const { offset } = tensors.get("a")!;
    expect([...tensors.values()]).toEqual([
      { name: "a", dtype: "F32", shape: [2, 3], path, offset, bytes: 24 },
      { name: "b", dtype: "BF16", shape: [6], path, offset: offset + 24, bytes: 12 },
    ]);
  });

  const HUGE = 2 ** 52;
  const bad: [string, () => void, RegExp][] = [
    ["of no bytes", () => writeFileSync(path, ""), /ends within the header's length/],
    ["cut within its length", () => writeFileSync(path, "1234567"), /ends within the header's length/],
    ["with a header longer than itself", () => write({}, 0, 1000n), /ends within the header/],
    ["with a header of 2^63 bytes", () => write({}, 0, 1n << 63n), /header's length is corrupt/],
    ["with a header of 100 MB", () => write({}, 0, 100_000_000n), /is above 16777216/],
    ["with a header that is not JSON", () => write("{'a'}"), /not JSON/],
    ["with a header that is nested without end", () => write("[".repeat(1_000_000)), /not JSON/],
    ["with a header that is a list", () => write("[]"), /not a JSON object/],
    ["with a header of text that is no UTF-8", () => write("{}", 0, 3n), /ends within the header/],
    ["without tensors", () => write({ __metadata__: { format: "pt" } }), /no tensors/],
    ["with a tensor that is a number", () => write({ a: 1 }), /not described by an object/],
    [
      "with a type of prototypes",
      () => write({ a: { dtype: "constructor", shape: [], data_offsets: [0, 0] } }),
      /unknown type "constructor"/,
    ],
    ["with a shape of fractions", () => write({ a: f32([0.5], [0, 2]) }, 2), /whole numbers/],
    ["with a negative shape", () => write({ a: f32([-1, -1], [0, 4]) }, 4), /whole numbers/],
    ["with a shape of many dimensions", () => write({ a: f32(Array(9).fill(1), [0, 4]) }, 4), /at most 8/],
    ["with a shape whose product overflows", () => write({ a: f32([HUGE, HUGE], [0, 4]) }, 4), /needs/],
    ["with another size than its shape", () => write({ a: f32([2], [0, 4]) }, 4), /needs 8 bytes/],
    ["with three offsets", () => write({ a: f32([1], [0, 4, 8]) }, 8), /two data_offsets/],
    ["with offsets that go backwards", () => write({ a: f32([1], [4, 0]) }, 4), /is at 4 to 0/],
    ["with offsets beyond its end", () => write({ a: f32([2], [0, 8]) }, 4), /which has 4 bytes/],
    [
      "with tensors that overlap",
      () => write({ a: f32([2], [0, 8]), b: f32([2], [4, 12]) }, 12),
      /"b" overlaps/,
    ],
    [
      "with a hole",
      () => write({ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12),
      /4 unused bytes before tensor "b"/,
    ],
    ["with bytes after the last tensor", () => write({ a: f32([1], [0, 4]) }, 6), /2 unused bytes after/],
  ];
  for (const [what, make, rule] of bad)
    test(`${what} is refused`, async () => {
      make();
      expect(await ruleOf(() => readSafetensors(path))).toMatch(rule);
    });

  test("cut anywhere is refused", async () => {
    write({ a: f32([2], [0, 8]), b: f32([1], [8, 12]) }, 12);
    const whole = await Bun.file(path).bytes();
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      expect(await ruleOf(() => readSafetensors(path))).not.toBe("");
    }
  });

  test("that is a pipe or a directory is refused without being opened", async () => {
    const pipe = join(directory, "pipe");
    Bun.spawnSync(["mkfifo", pipe]);
    expect(await ruleOf(() => readSafetensors(pipe))).toBe("it is not a file");
    expect(await ruleOf(() => readSafetensors(directory))).toBe("it is not a file");
  });
});

describe("a model in several safetensors files", () => {
  const model = join(directory, "sharded");
  mkdirSync(model);
  const values = new Float32Array(2);
  for (const [file, name] of [
    ["one", "a"],
    ["two", "b"],
  ] as const)
    writeSafetensors(join(model, `${file}.safetensors`), [{ name, shape: [2], type: "F32", values }]);
  const index = (map: unknown) =>
    writeFileSync(join(model, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));

  test("is read as its index says", () => {
    index({ a: "one.safetensors", b: "two.safetensors" });
    const tensors = [...readCheckpoint(model).values()];
    expect(tensors.map(({ name, path }) => [name, path])).toEqual([
      ["a", join(model, "one.safetensors")],
      ["b", join(model, "two.safetensors")],
    ]);
  });

  const bad: [string, unknown, RegExp][] = [
    ["no map", [], /no "weight_map"/],
    [
      "a part that is missing",
      { a: "one.safetensors", b: "three.safetensors" },
      /three.safetensors is missing of the 2/,
    ],
    ["a tensor elsewhere", { a: "one.safetensors", b: "one.safetensors" }, /"b" is not in one.safetensors/],
    [
      "a tensor that it leaves out",
      { b: "two.safetensors", c: "one.safetensors" },
      /"a" is in one.safetensors/,
    ],
    ["a path out of the directory", { a: "../one.safetensors" }, /no file beside the index/],
    ["an absolute path", { a: "/etc/passwd.safetensors" }, /no file beside the index/],
    ["a file of another kind", { a: "pytorch_model.bin" }, /no file beside the index/],
    ["a number for a file", { a: 1 }, /no file beside the index/],
  ];
  for (const [what, map, rule] of bad)
    test(`whose index has ${what} is refused`, async () => {
      index(map);
      expect(await ruleOf(() => readCheckpoint(model))).toMatch(rule);
    });
});
