/** Texts on their way to native code and out of its log. */

/** UTF-8 with a final zero, for `const char *` parameters. The caller keeps it alive during the call. */
export function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, "utf8");
}

/** The line of a log that says why something failed, without the function names that llama.cpp puts in front. */
export function reasonIn(log: string): string | undefined {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const line = lines.find((l) => /error|fail/i.test(l)) ?? lines.at(-1);
  return line?.replace(/^((\w+|error loading model\w*): )+/, "").trim();
}
