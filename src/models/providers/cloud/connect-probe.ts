import { connect } from "node:net";
import { bareHost } from "../../../security/network/rules.ts";

/** Whether something accepts connections at a URL's host and port; `fetch` does not tell a connection from an answer. */
export function canConnect(url: URL, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const socket = connect({ host: bareHost(url), port });
  const timer = setTimeout(() => resolve(false), timeoutMs);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
