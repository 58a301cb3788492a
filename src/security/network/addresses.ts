/** Which addresses belong to this machine and its networks rather than to the Internet (spec/tools.md section 5.2). */
import { BlockList, isIP } from "node:net";

/** IANA's special-purpose registries: what is not globally reachable, and the forms of IPv6 that carry an IPv4 address. */
const LOCAL_RANGES: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  ["::", 96],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
];

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

const local = listOf(LOCAL_RANGES);
const loopback = listOf([
  ["127.0.0.0", 8],
  ["::1", 128],
]);

function listOf(ranges: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, familyOf(network));
  return list;
}

/** Loopback, private, link-local, multicast, reserved; an IPv4 address in IPv6 form too. */
export function isLocalAddress(address: string): boolean {
  return local.check(address, familyOf(address));
}

export function isLoopback(address: string): boolean {
  return loopback.check(address, familyOf(address));
}

/** @param range `10.0.0.0/8` @returns false for what is no range */
export function isInRange(address: string, range: string): boolean {
  const [network = "", prefix] = range.split("/");
  const bits = Number(prefix);
  const family = isIP(network);
  if (prefix === undefined || family === 0 || !Number.isInteger(bits) || bits < 0) return false;
  if (bits > (family === 6 ? 128 : 32)) return false;
  return listOf([[network, bits]]).check(address, familyOf(address));
}
