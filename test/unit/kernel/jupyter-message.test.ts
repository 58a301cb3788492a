import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readMessage, writeMessage } from "../../../src/kernel/protocol/jupyter/message.ts";
import { toCodePoints, toUtf16 } from "../../../src/kernel/protocol/jupyter/positions.ts";
import { Signer } from "../../../src/kernel/protocol/jupyter/signing.ts";

const KEY = "a0436f6c-1916-498b-8eb9-e81ab9368e84";
const bytes = (text: string) => new TextEncoder().encode(text);

/** Frames as a client signs them, by Node's own HMAC. */
function frames(parts: string[], key = KEY): Uint8Array[] {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return ["peer", "<IDS|MSG>", hmac.digest("hex"), ...parts].map(bytes);
}

const header = (more: object = {}) =>
  JSON.stringify({ msg_id: "m1", msg_type: "execute_request", session: "s1", username: "me", ...more });

describe("a Jupyter message", () => {
  test("is read as it was signed", () => {
    const message = readMessage(frames([header(), "{}", '{"a":1}', '{"code":"ä"}']), new Signer(KEY));
    expect(message.header).toMatchObject({ msg_id: "m1", session: "s1" });
    expect(message.content).toEqual({ code: "ä" });
    expect(message.metadata).toEqual({ a: 1 });
    expect(message.identities).toEqual([bytes("peer")]);
  });

  test("is refused with another signature, or the second time", () => {
    const signer = new Signer(KEY);
    const right = frames([header(), "{}", "{}", "{}"]);
    const forged = frames([header(), "{}", "{}", "{}"], "another key");
    const changed = right.with(6, bytes('{"code":"1"}'));
    for (const wrong of [forged, changed, right.with(2, bytes("")), right.with(2, bytes("é".repeat(32)))])
      expect(() => readMessage(wrong, signer)).toThrow("wrong signature");
    readMessage(right, signer);
    expect(() => readMessage(right, signer)).toThrow("replayed");
  });

  test("is forgotten after 65,536 others, and no sooner", () => {
    const signer = new Signer(KEY);
    const sign = (text: string) => bytes(createHmac("sha256", KEY).update(text).digest("hex"));
    const refusal = (text: string) => signer.refusal(sign(text), [bytes(text)]);
    for (let i = 0; i < 65_536; i++) expect(refusal(`${i}`)).toBeUndefined();
    expect(refusal("0")).toBe("replayed");
    expect(refusal("65536")).toBeUndefined();
    expect(refusal("1")).toBe("replayed");
    expect(refusal("0")).toBeUndefined();
  });

  test("is refused in words where it is none", () => {
    const read = (...parts: string[]) => readMessage(frames(parts), new Signer(KEY));
    expect(() => readMessage([bytes("x")], new Signer(KEY))).toThrow("<IDS|MSG>");
    expect(() => read(header(), "{}", "{}")).toThrow("frames are missing");
    expect(() => read("nonsense", "{}", "{}", "{}")).toThrow("the header is not JSON");
    expect(() => read(header(), "{}", "{}", "[]")).toThrow("the content must be a JSON object");
    expect(() => read('{"msg_id":"1"}', "{}", "{}", "{}")).toThrow("msg_type");
    expect(() => read(header({ date: "x".repeat(20_000) }), "{}", "{}", "{}")).toThrow("too long");
    expect(() => read(header(), "{}", "{}", "[".repeat(200_000))).toThrow("not JSON");
  });

  test("is written with the parent's header as it came, signed", () => {
    const parent = bytes('{"msg_id" : "m1"}');
    const written = writeMessage(
      {
        identities: [bytes("peer")],
        type: "execute_reply",
        session: "s1",
        parent,
        content: { status: "ok" },
      },
      new Signer(KEY),
    );
    const texts = written.map((part) => new TextDecoder().decode(part));
    expect(texts.slice(0, 2)).toEqual(["peer", "<IDS|MSG>"]);
    expect(texts[2]).toBe(createHmac("sha256", KEY).update(texts.slice(3).join("")).digest("hex"));
    expect(JSON.parse(texts[3]!)).toMatchObject({
      session: "s1",
      username: "kernel",
      msg_type: "execute_reply",
      version: "5.3",
    });
    expect(texts.slice(4)).toEqual(['{"msg_id" : "m1"}', "{}", '{"status":"ok"}']);
  });

  test("counts code points where we count UTF-16 units", () => {
    expect(toUtf16("a🙂b", 2)).toBe(3);
    expect(toUtf16("a🙂b", 99)).toBe(4);
    expect(toCodePoints("a🙂b", 3)).toBe(2);
  });
});
