/** The one table of exit codes; `docs/reference/cli.md` shows it. */
import { type ErrorCode, errorToJson } from "../core/errors.ts";

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  interrupted: 130,
  closedOutput: 141,
  terminated: 143,
} as const;

export const EXIT_CODE_DOCS: readonly (readonly [number | string, string])[] = [
  [EXIT.ok, "Success; help and version; a prompt answered with no"],
  [
    EXIT.failure,
    "A failure while running: script error, time or memory limit, refused access, model or tool failure",
  ],
  [EXIT.usage, "A wrong command line: unknown command or flag, missing or malformed argument"],
  [EXIT.interrupted, "Interrupted by Ctrl-C (SIGINT)"],
  [EXIT.closedOutput, "Whoever read the standard output closed it early (`llmspell … | head -1`)"],
  [EXIT.terminated, "Ended by SIGTERM"],
  ["n", "The script called `os.exit(n)`"],
];

function exitCodeOf(code: ErrorCode): number {
  if (code === "usage") return EXIT.usage;
  if (code === "interrupted") return EXIT.interrupted;
  return EXIT.failure;
}

export function exitCodeOfError(error: unknown): number {
  return exitCodeOf(errorToJson(error).code);
}
