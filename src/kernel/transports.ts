/** The ways in which other programs reach the kernel. */
import type { Config } from "../config/schema.ts";
import type { KernelHub, Transport, TransportSettings } from "./hub.ts";

export async function createTransports(
  hub: KernelHub,
  settings: TransportSettings,
  config: Config,
): Promise<Transport[]> {
  const transports: Transport[] = [];
  if (config.kernel.enable_jupyter) {
    const { JupyterTransport } = await import("./transport/jupyter.ts");
    transports.push(new JupyterTransport(hub, settings));
  }
  const { WebSocketTransport } = await import("./transport/websocket.ts");
  transports.push(new WebSocketTransport(hub, settings));
  return transports;
}
