import { createHash } from "node:crypto";
import { stringifyJson } from "./json.ts";

/** The same text for requests that are the same, whatever the order of their members. */
export const requestKey = (kind: string, name: string, request: unknown): string =>
  createHash("sha256")
    .update(stringifyJson([kind, name, request]))
    .digest("hex")
    .slice(0, 32);
