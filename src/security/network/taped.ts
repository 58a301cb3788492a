/** Requests of a run that is recorded or replayed. */
import type { Tape } from "../../core/tape.ts";
import type { Fetched, FetchOptions } from "./fetch.ts";

interface Kept {
  url: string;
  status: number;
  headers: Record<string, string>;
  /** As text where it is text. */
  body: string | Uint8Array;
}

/** They open doors, or say nothing of the answer. */
const LEFT_OUT =
  /cookie|authenticat|authoriz|api-?key|token|secret|^(date|age|connection|keep-alive|alt-svc|server)$/i;

/** The request as the tape knows it: no header that the caller keeps secret, and none that every request has. */
export async function fetchTaped(
  tape: Tape,
  start: URL,
  options: FetchOptions,
  send: () => Promise<Fetched>,
): Promise<Fetched> {
  for (const value of Object.values(options.secret?.headers ?? {})) {
    tape.hide(value);
    tape.hide(value.replace(/^\S+ /, ""));
  }
  const { method = "GET", body, headers = {} } = options;
  const shown = Object.entries(headers).filter(([name]) => !LEFT_OUT.test(name));
  const request = {
    method,
    url: withoutSecrets(start),
    headers: Object.fromEntries(shown.map(([name, value]) => [name.toLowerCase(), value])),
    ...(body === undefined ? {} : { body }),
  };
  const kept = await tape.call<Kept>(
    { kind: "http", name: `${method} ${start.origin}${start.pathname}`, request },
    async () => keep(await send()),
  );
  const { status, headers: answered, body: content } = kept;
  const hasBody = ![101, 204, 205, 304].includes(status);
  const response = new Response(hasBody ? (content as string | Uint8Array<ArrayBuffer>) : null, {
    status,
    headers: answered,
  });
  return { response, url: new URL(kept.url) };
}

async function keep({ response, url }: Fetched): Promise<Kept> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const headers = [...response.headers].filter(([name]) => !LEFT_OUT.test(name));
  return {
    url: withoutSecrets(url),
    status: response.status,
    headers: Object.fromEntries(headers),
    body: textOf(bytes) ?? bytes,
  };
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const SECRET_PARAMETER = /key|token|secret|password|signature|^sig$|^auth|credential/i;

/** User, password and parameters whose names say that they are secret, replaced. */
function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  for (const name of new Set(shown.searchParams.keys()))
    if (SECRET_PARAMETER.test(name)) shown.searchParams.set(name, "[REDACTED]");
  return shown.href;
}
