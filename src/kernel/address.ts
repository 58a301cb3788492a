/** Which running kernel a user means: spec/cli.md section 2. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { didYouMean } from "../core/nearest.ts";
import { type Connection, type FoundKernel, findKernels, readConnection } from "./connection-file.ts";
import { connectKernel, type KernelAddress, type RemoteKernel } from "./remote-client.ts";
import { authorityOf, isLoopback } from "./transport/http/listener.ts";

/** The values of `--connect` and `--kernel`. */
export interface KernelTarget {
  /** `host:port`, `tcp://host:port`, the path of a connection file, or a kernel's id. */
  connect?: string;
  /** A kernel's id. */
  kernel?: string;
}

export interface AddressOptions {
  env: Record<string, string | undefined>;
  cwd: string;
}

/** The token for a kernel whose connection file is on another machine. */
export const TOKEN_VARIABLE = "LLMSPELL_KERNEL_TOKEN";

/** How long a kernel that was not asked for by name may take to answer. */
const DISCOVERY_MS = 1000;

const LIST_HINT = "`llmspell kernel status` shows the kernels that run";

/** @throws SpellError not_found, invalid_argument, network */
export function connectTo(target: KernelTarget, options: AddressOptions): Promise<RemoteKernel> {
  return connectKernel(addressOf(target, options));
}

/** The one kernel of this user that runs and answers, if there is exactly one. */
export async function connectToOnlyKernel(
  { env }: AddressOptions,
  log: Log,
): Promise<RemoteKernel | undefined> {
  const addresses = findKernels(env).flatMap(({ connection }) => webSocketOf(connection) ?? []);
  const attempts = await Promise.allSettled(
    addresses.map((address) => connectKernel(address, { timeoutMs: DISCOVERY_MS })),
  );
  const live = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? attempt.value : []));
  const [only] = live;
  if (only !== undefined && live.length === 1) {
    log.info("cli", `running in kernel ${only.kernelId} (kernel.auto_connect)`);
    return only;
  }
  await Promise.all(live.map((kernel) => kernel.shutdown()));
  if (live.length > 1)
    log.warn(
      "cli",
      `${live.length} kernels run: none is chosen for kernel.auto_connect; name one with --kernel`,
    );
  return undefined;
}

/** @throws SpellError not_found, invalid_argument */
export function addressOf({ connect, kernel }: KernelTarget, options: AddressOptions): KernelAddress {
  if (connect === undefined) return addressOfId(kernel ?? "", options);
  const path = resolve(options.cwd, connect);
  if (connect.endsWith(".json") || (/[/\\]/.test(connect) && existsSync(path)))
    return addressIn(path, readConnection(path), options);
  const authority = /^(?:tcp:\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]+)):(\d{1,5})\/?$/.exec(connect);
  if (authority !== null) {
    const [, v6, name, port] = authority;
    return addressAt(v6 ?? name!, Number(port), options);
  }
  if (connect.includes("://"))
    throw new SpellError(
      "invalid_argument",
      `Cannot connect: the address must be tcp://host:port: ${connect}`,
      {
        hint: "Give host:port, tcp://host:port, the path of a connection file, or a kernel's id",
      },
    );
  return addressOfId(connect, options);
}

function addressOfId(id: string, { env }: AddressOptions): KernelAddress {
  const kernels = findKernels(env);
  const found = kernels.find((kernel) => kernel.id === id);
  if (found !== undefined) return addressIn(found.path, found.connection, { env });
  const near = didYouMean(
    id,
    kernels.map((kernel) => kernel.id),
  );
  throw new SpellError("not_found", `Kernel '${id}' not found`, {
    data: { kernel: id },
    hint: near ?? LIST_HINT,
  });
}

/** A file that Jupyter wrote says nothing of WebSockets; the kernel's own has the same key. */
function addressIn(
  path: string,
  connection: Connection,
  { env }: Pick<AddressOptions, "env">,
): KernelAddress {
  const isSame = (other: FoundKernel) => connection.key !== "" && other.connection.key === connection.key;
  const address = webSocketOf(connection) ?? webSocketOf(findKernels(env).find(isSame)?.connection);
  if (address !== undefined) return address;
  throw new SpellError(
    "not_found",
    `Cannot connect: no kernel of llmspell that runs belongs to this file: ${path}`,
    {
      hint: LIST_HINT,
    },
  );
}

/** A kernel of this machine by any of its two ports; another machine's by that of its WebSocket. */
function addressAt(host: string, port: number, { env }: AddressOptions): KernelAddress {
  const local = findKernels(env).find(
    ({ connection: { ip, shell_port, websocket_port } }) =>
      (ip === host || isLoopback(host)) && (port === shell_port || port === websocket_port),
  );
  const address = webSocketOf(local?.connection);
  if (address !== undefined) return address;
  const token = env[TOKEN_VARIABLE];
  if (token) return { host, port, token };
  throw new SpellError(
    "not_found",
    `Cannot connect: no kernel of this user runs at ${authorityOf(host, port)}`,
    {
      hint: `${LIST_HINT}; for one on another machine, copy its connection file here, or set ${TOKEN_VARIABLE}`,
    },
  );
}

function webSocketOf(connection: Connection | undefined): KernelAddress | undefined {
  if (connection === undefined) return undefined;
  const { ip, websocket_port, token } = connection;
  if (!websocket_port || !token) return undefined;
  const host = ip === "0.0.0.0" ? "127.0.0.1" : ip === "::" ? "::1" : ip;
  return { host, port: websocket_port, token };
}
