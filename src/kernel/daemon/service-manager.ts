/** What systemd is told where it started the kernel as a `Type=notify` service: sd_notify(3). */
import type { Log } from "../../core/log.ts";

type Env = Record<string, string | undefined>;

export type ServiceState = "READY=1" | "STOPPING=1" | `STATUS=${string}`;

/** Does nothing where nobody listens. */
export async function notifyServiceManager(
  env: Env,
  log: Log,
  states: readonly ServiceState[],
): Promise<void> {
  const socket = env.NOTIFY_SOCKET;
  if (!socket || process.platform !== "linux") return;
  const { sendUnixDatagram } = await import("../../ffi/unix-datagram.ts");
  if (!sendUnixDatagram(socket, states.join("\n")))
    log.warn("kernel", "service manager not reached", { socket });
}
