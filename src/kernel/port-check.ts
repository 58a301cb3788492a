import { cannotListen } from "./transport/http/listener.ts";

/** @throws SpellError io for a port that cannot be listened at */
export async function refuseTakenPorts(ip: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    try {
      const listener = Bun.listen({ hostname: ip, port, exclusive: true, socket: { data() {} } });
      listener.stop(true);
    } catch (cause) {
      throw cannotListen(ip, port, cause);
    }
  }
}
