/** Refusals of requests: which are told at once, which are repeated, and when. */
import assert from "node:assert/strict";
import { KEY } from "../vendors.ts";
import { failed, HELLO, type ProviderCase, streamed, TEXT } from "./target.ts";

export const refusalCases: readonly ProviderCase[] = [
  {
    name: "tells a refusal in the vendor's words, once and without the key",
    async run(target) {
      for (const [status, hint] of [
        [400, /what is asked/],
        [401, /Check the API key/],
        [403, /Check the API key/],
        [404, /model's name/],
      ] as const) {
        target.server.script({ status, message: `No: ${KEY} for ${status}` });
        const error = await failed(target);
        assert.equal(error.code, "provider");
        assert.equal(error.data.statusCode, status);
        assert.match(error.hint!, hint);
        assert.match(
          error.message,
          new RegExp(`^Cannot call model ${target.vendor.type}/.*\\(HTTP ${status}\\)$`, "s"),
        );
        if (target.vendor.type !== "mistral" || status !== 401)
          assert(error.message.includes("No: <REDACTED> for"));
        assert.equal(target.server.seen.length, 1, `status ${status} must not be repeated`);
      }
    },
  },
  {
    name: "repeats what may pass, and says how often",
    async run(target) {
      for (const status of [408, 429, 500, 502, 503, 529]) {
        target.server.script({ status }, { status, html: true }, { answer: { text: "at last" } });
        const { text, finish, error } = await streamed(target);
        assert.equal(error?.message, undefined);
        assert.equal(text, "at last");
        assert.equal(finish?.providerMetadata?.llmspell?.retries, 2);
      }
    },
  },
  {
    name: "gives up after max_retries",
    async run(target) {
      target.server.script({ status: 503, message: "try later" });
      const error = await failed(target, HELLO, { maxRetries: 1 });
      assert.equal(error.data.statusCode, 503);
      assert.match(error.message, /try later/);
      assert.match(error.hint!, /fallback/);
      assert.equal(target.server.seen.length, 2);
    },
  },
  {
    name: "heeds Retry-After, in seconds and as a date",
    isSlow: true,
    async run(target) {
      for (const [header, leastMs] of [
        [() => "1", 1000],
        // a date has whole seconds
        [() => new Date(Date.now() + 2000).toUTCString(), 950],
      ] as const) {
        const headers = { "retry-after": header() };
        target.server.script({ status: 429, headers }, { answer: { text: "ok" } });
        assert.equal((await streamed(target)).text, "ok");
        const [first, second] = target.server.seen;
        assert(second!.atMs - first!.atMs >= leastMs - 5, `waited ${second!.atMs - first!.atMs} ms`);
      }
    },
  },
  {
    name: "fails at once where Retry-After is absurd",
    async run(target) {
      const inAYear = new Date(Date.now() + 365 * 86_400_000).toUTCString();
      for (const [header, value] of [
        ["retry-after", "86400"],
        ["retry-after", inAYear],
        ["retry-after", "99999999999999999999"],
        ["retry-after-ms", "86400000"],
      ] as const) {
        target.server.script({ status: 429, headers: { [header]: value } });
        const error = await failed(target);
        assert.match(error.hint!, /asks to wait \d+ s/, value);
        assert(Number(error.data.retryAfterSeconds) >= 86_399, value);
        assert.equal(target.server.seen.length, 1, value);
      }
    },
  },
  {
    name: "takes its own time where Retry-After says nothing that can be read",
    async run(target) {
      const past = "Sun, 06 Nov 1994 08:49:37 GMT";
      for (const value of ["-5", "1.5", "soon", "", "1 minute", "2099-01-01", "0", past, "Someday"]) {
        target.server.script({ status: 429, headers: { "retry-after": value } }, { answer: { text: "ok" } });
        const { text, error } = await streamed(target);
        assert.equal(error?.message, undefined, value);
        assert.equal(text, "ok");
        const [first, second] = target.server.seen;
        // the delays of these providers are of milliseconds; Gemini asks for 20 in its own words
        assert(second!.atMs - first!.atMs < 900, `${value}: ${second!.atMs - first!.atMs} ms`);
      }
    },
  },
  {
    name: "knows a web page where an answer should be",
    async run(target) {
      target.server.script({ status: 200, html: true, message: "Sign in" });
      const error = await failed(target);
      assert.match(error.message, /its answer is a web page \(text\/html\)/);
      assert.match(error.hint!, /proxy/);
      target.server.script({ status: 401, html: true, message: "Sign in" });
      assert.match((await failed(target)).message, /answers with a web page.*\(HTTP 401\)/);
      target.server.script({ status: 200, html: true });
      const model = await target.open();
      await assert.rejects(async () => model.doGenerate(HELLO), /its answer is a web page/);
    },
  },
  {
    name: "knows an error that comes with status 200",
    async run(target) {
      const body = JSON.stringify({ error: { message: "No such model", type: "invalid_request_error" } });
      target.server.script({ status: 200, body });
      assert.match((await failed(target)).message, /No such model/);
      const model = await target.open();
      await assert.rejects(async () => model.doGenerate(HELLO), /No such model/);
    },
  },
  {
    name: "tells an error that comes within a stream",
    async run(target) {
      target.server.script({
        answer: { text: TEXT },
        errorAfter: { events: 6, message: `Overloaded ${KEY}` },
      });
      const error = await failed(target);
      assert.equal(error.code, "provider");
      assert.match(error.message, /Overloaded <REDACTED>/);
      assert.equal(target.server.seen.length, 1);
    },
  },
];
