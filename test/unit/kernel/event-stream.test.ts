import { describe, expect, test } from "bun:test";
import { EventStream } from "../../../src/kernel/transport/http/event-stream.ts";

describe("EventStream", () => {
  test("gives all that was sent, in order, before and after it is read", async () => {
    let gone = 0;
    const stream = new EventStream(() => gone++);
    stream.send("a");
    stream.send("b");
    const text = new Response(stream.body).text();
    stream.send("c");
    await Bun.sleep(1);
    stream.send("d");
    stream.end();
    stream.send("no more");
    expect(await text).toBe("abcd");
    expect(gone).toBe(0);
  });

  test("ends when nobody takes what waits: at most 1 MiB of it", async () => {
    let gone = 0;
    const stream = new EventStream(() => gone++);
    const piece = "x".repeat(1024);
    let sent = 0;
    while (gone === 0 && sent < 4096) {
      stream.send(piece);
      sent++;
    }
    // of what is not read, the stream itself takes a piece or two
    expect(sent).toBeGreaterThanOrEqual(1024);
    expect(sent).toBeLessThan(1030);
    stream.send(piece);
    expect(gone).toBe(1);
    expect(new Response(stream.body).text()).rejects.toThrow("the reader takes nothing");
  });

  test("tells that its reader has left, once, and not after its end", async () => {
    let gone = 0;
    const left = new EventStream(() => gone++);
    left.send("a");
    await left.body.cancel();
    left.send("b");
    left.end();
    expect(gone).toBe(1);

    const ended = new EventStream(() => gone++);
    ended.end();
    await ended.body.cancel();
    expect(gone).toBe(1);
  });
});
