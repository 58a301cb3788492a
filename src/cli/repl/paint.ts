import type { CommandIo } from "../command.ts";

export type Colour = "bold" | "dim" | "red";

const CODES: Record<Colour, string> = { bold: "1", dim: "2", red: "31" };

/** Colours text where people see it: on a terminal that can, and where NO_COLOR (no-color.org) is not set. */
export function painter({ env, isTty }: Pick<CommandIo, "env" | "isTty">) {
  const plain = !isTty.stdout || Boolean(env.NO_COLOR) || env.TERM === "dumb";
  return (colour: Colour, text: string): string =>
    plain ? text : `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}

export type Paint = ReturnType<typeof painter>;
