/** The clients on the Jupyter channels: one for each session that its messages name. */
import type { KernelReply, KernelRequest } from "../../api.ts";
import type { ClientSession, HubRequestOptions, KernelHub } from "../../hub.ts";
import type { Message } from "./message.ts";

export class JupyterClient {
  /** Executions that have not begun, to be given up after one that fails. */
  readonly waiting = new Set<AbortController>();
  /** Its executions are answered in the order in which they came. */
  answered: Promise<void> = Promise.resolve();
  /** The connections its messages came from. */
  readonly connections = new Set<string>();
  private readonly end = new AbortController();
  private running = 0;
  private gone = false;

  constructor(private readonly session: ClientSession) {}

  async request(request: KernelRequest, options?: HubRequestOptions): Promise<KernelReply> {
    this.running++;
    try {
      return await this.session.request(request, options);
    } finally {
      this.running--;
      if (this.gone) this.leave();
    }
  }

  /** Aborted when it has left. */
  get ended(): AbortSignal {
    return this.end.signal;
  }

  interrupt(): boolean {
    return this.session.interrupt();
  }

  touch(): void {
    this.session.touch();
  }

  /** What it asked for goes on: closing a notebook's tab does not end its cell. */
  leave(): void {
    this.gone = true;
    this.end.abort();
    if (this.running === 0) this.session.close();
  }

  close(): void {
    this.end.abort();
    this.session.close();
  }
}

export class Clients {
  private readonly bySession = new Map<string, JupyterClient>();

  constructor(private readonly hub: KernelHub) {}

  /** @throws SpellError limit where there are too many */
  of({ header, identities }: Message): JupyterClient {
    let client = this.bySession.get(header.session);
    if (client === undefined) {
      const name = `jupyter ${header.username ?? ""}`.trim();
      client = new JupyterClient(this.hub.open({ id: header.session, name }));
      this.bySession.set(header.session, client);
    }
    client.connections.add(keyOf(identities[0]));
    client.touch();
    return client;
  }

  /** A connection has ended; a client without one has left. */
  left(identity: Uint8Array): void {
    const key = keyOf(identity);
    for (const [name, client] of this.bySession) {
      if (!client.connections.delete(key) || client.connections.size > 0) continue;
      this.bySession.delete(name);
      client.leave();
    }
  }

  touch(): void {
    for (const client of this.bySession.values()) client.touch();
  }

  close(): void {
    for (const client of this.bySession.values()) client.close();
    this.bySession.clear();
  }
}

function keyOf(identity: Uint8Array | undefined): string {
  return identity === undefined ? "" : Buffer.from(identity).toString("latin1");
}
