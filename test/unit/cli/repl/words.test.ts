import { expect, test } from "bun:test";
import { splitWords } from "../../../../src/cli/repl/words.ts";

/** What a POSIX shell makes of the same text. */
function shellWords(text: string): string[] {
  const done = Bun.spawnSync(["sh", "-c", `printf '%s\\0' ${text}`]);
  return done.stdout.toString().split("\0").slice(0, -1);
}

test.each(["a b", "a  'b c'  d", '--k="v w" x', "a\\ b c", `'x"y' "it's"`, 'a"b"c', "é 漢"])(
  "words of %j are those of a shell",
  (text) => {
    expect(splitWords(text)).toEqual(shellWords(text));
  },
);

test("a quote that is not closed is a character", () => {
  expect(splitWords("it's")).toEqual(["it's"]);
});
