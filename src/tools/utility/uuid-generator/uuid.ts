/** UUIDs of RFC 9562. Here a UUID is lower-case text with hyphens. */

import { nowMs, randomHex } from "../../../core/clock.ts";

const NAMESPACES: Readonly<Record<string, string>> = {
  dns: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
  url: "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
  oid: "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
  x500: "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
  agent: "6ba13d5a-3f5d-4a5b-9f7e-3d5a2f4d3a2b",
  tool: "7cb24e6b-4f6e-5b6c-af8f-4e6b3f5e4b3c",
  workflow: "8dc35f7c-5f7f-6c7d-bf9f-5f7c4f6f5c4d",
};

/** 100 ns intervals from 15 October 1582 to 1970. */
const GREGORIAN_OFFSET = 122_192_928_000_000_000n;

/** A known name, a UUID, or any text: then version 5 of the text in the DNS namespace. */
export function namespaceUuid(namespace: string): string {
  const known = Object.hasOwn(NAMESPACES, namespace.toLowerCase())
    ? NAMESPACES[namespace.toLowerCase()]
    : undefined;
  return known ?? parseUuid(namespace) ?? uuidV5(namespace, NAMESPACES.dns!);
}

export function uuidV5(name: string, namespace: string): string {
  return Bun.randomUUIDv5(name, Buffer.from(namespace.replaceAll("-", ""), "hex"));
}

/** Chosen once for the process. */
let source: { node: string; clockSequence: string } | undefined;
let lastTicks = 0n;

/** Time and a random node id (multicast bit set, RFC 9562 section 6.10); never the same twice in this process. */
export function uuidV1(): string {
  source ??= chooseSource();
  const now = BigInt(nowMs()) * 10_000n + GREGORIAN_OFFSET;
  lastTicks = now > lastTicks ? now : lastTicks + 1n;
  const hex = lastTicks.toString(16).padStart(15, "0");
  return `${hex.slice(7)}-${hex.slice(3, 7)}-1${hex.slice(0, 3)}-${source.clockSequence}-${source.node}`;
}

function chooseSource() {
  const bytes = Uint8Array.fromHex(randomHex(8));
  bytes[0] = (bytes[0]! & 0x3f) | 0x80;
  bytes[2]! |= 1;
  const hex = bytes.toHex();
  return { clockSequence: hex.slice(0, 4), node: hex.slice(4) };
}

export function formatUuid(
  uuid: string,
  format: "hyphenated" | "standard" | "simple" | "urn" | "braced",
): string {
  if (format === "simple") return uuid.replaceAll("-", "");
  if (format === "urn") return `urn:uuid:${uuid}`;
  return format === "braced" ? `{${uuid}}` : uuid;
}

const WRITTEN = /^(?:urn:uuid:)?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/;
const SIMPLE = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;

/** Any of the formats above, in any case. Undefined for what is none of them. */
export function parseUuid(text: string): string | undefined {
  const lower = text.toLowerCase();
  const inner = lower.startsWith("{") && lower.endsWith("}") ? lower.slice(1, -1) : lower;
  return (WRITTEN.exec(inner) ?? SIMPLE.exec(inner))?.slice(1).join("-");
}

export function variantOf(uuid: string): "NCS" | "RFC4122" | "Microsoft" | "Future" {
  const bits = Number.parseInt(uuid[19]!, 16);
  if (bits < 8) return "NCS";
  if (bits < 12) return "RFC4122";
  return bits < 14 ? "Microsoft" : "Future";
}
