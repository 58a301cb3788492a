/** Expected bytes: the MessagePack specification (github.com/msgpack/msgpack/blob/master/spec.md). */
import { describe, expect, test } from "bun:test";
import { type Packed, Packer, Unpacker } from "../../../src/state/backup/msgpack.ts";

const packed = (value: Packed): Uint8Array => {
  const packer = new Packer();
  packer.pack(value);
  return packer.take();
};

const hex = (value: Packed): string => Buffer.from(packed(value)).toString("hex");

describe("MessagePack", () => {
  test.each([
    [null, "c0"],
    [false, "c2"],
    [true, "c3"],
    [0, "00"],
    [127, "7f"],
    [128, "ce00000080"],
    [4_294_967_295, "ceffffffff"],
    [4_294_967_296, "d30000000100000000"],
    [-1, "d3ffffffffffffffff"],
    ["", "a0"],
    ["é", "a2c3a9"],
    [new Uint8Array([0, 255]), "c60000000200ff"],
    [[1, "a"], "9201a161"],
    [{ a: [], b: null }, "82a16190a162c0"],
  ] as const)("writes %j as %s", (value, expected) => {
    expect(hex(value as Packed)).toBe(expected);
    expect(new Unpacker(Buffer.from(expected, "hex")).next()).toEqual(value as Packed);
  });

  test("takes long texts, arrays and maps", () => {
    const value = {
      text: "x".repeat(70_000),
      many: Array.from({ length: 20 }, (_, i) => i),
      wide: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i])),
    };
    expect(new Unpacker(packed(value)).next()).toEqual(value);
  });

  test("every cut and every strange byte ends in an error of ours, never in another", () => {
    const whole = packed({ key: "k", data: new Uint8Array(40), version: 9_999_999_999, list: [1, [2]] });
    const read = (bytes: Uint8Array) => {
      const unpacker = new Unpacker(bytes);
      while (!unpacker.isDone) unpacker.next();
    };
    for (let length = 1; length < whole.length; length++)
      expect(() => read(whole.subarray(0, length))).toThrow("its content is damaged");
    for (let at = 0; at < whole.length; at++)
      for (const byte of [0xc1, 0xdf, 0xff]) {
        const damaged = Uint8Array.from(whole);
        damaged[at] = byte;
        try {
          read(damaged);
        } catch (error) {
          expect((error as Error).message).toContain("its content is damaged");
        }
      }
  });
});
