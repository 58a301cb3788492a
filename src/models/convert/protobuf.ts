/** Reads protocol buffers' wire format (https://protobuf.dev/programming-guides/encoding/). */

/** A field: number, and a number or bytes as its wire type says. */
export interface Field {
  number: number;
  /** Wire types 0 (varint), 1 and 5 (fixed, as raw bytes) and 2 (length and bytes). */
  value: number | Uint8Array;
}

/** @throws Error that `fail` makes, for bytes that are no message */
export function* fieldsOf(bytes: Uint8Array, fail: (rule: string) => Error): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= bytes.length) throw fail("a number ends beyond the message");
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw fail("a number has too many bytes");
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at)
      throw fail(`a field of ${length} bytes ends beyond the message of ${bytes.length}`);
    at += length;
    return bytes.subarray(at - length, at);
  };

  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number === 0) throw fail("a field has no number");
    if (wireType === 0) yield { number, value: varint() };
    else if (wireType === 1) yield { number, value: take(8) };
    else if (wireType === 2) yield { number, value: take(varint()) };
    else if (wireType === 5) yield { number, value: take(4) };
    else throw fail(`field ${number} has the unknown wire type ${wireType}`);
  }
}
