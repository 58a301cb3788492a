/** Datagrams to a Unix socket, which Bun has no call for: systemd listens on one. */
import { dlopen, FFIType } from "bun:ffi";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

/**
 * Sends one datagram. @param path of the socket; a leading `@` names an abstract one @returns whether it was taken
 * Source: unix(7), sendto(2). Linux only.
 */
export function sendUnixDatagram(path: string, text: string): boolean {
  const { symbols, close } = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    sendto: {
      args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
      returns: FFIType.i64,
    },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  const fd = symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    const data = Buffer.from(text);
    const address = addressOf(path);
    const sent = symbols.sendto(fd, data, BigInt(data.length), 0, address, address.length);
    return Number(sent) === data.length;
  } finally {
    symbols.close(fd);
    close();
  }
}

/** `struct sockaddr_un`: the family in the machine's byte order, then the path; an abstract name begins with a zero. */
function addressOf(path: string): Buffer {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  return Buffer.concat([Buffer.from(new Uint16Array([AF_UNIX]).buffer), name]);
}
