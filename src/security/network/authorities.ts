/** Certificate authorities of the user's own, for networks whose proxies and servers have private certificates. */
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";

const VARIABLES = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] as const;
const BEGIN = "-----BEGIN CERTIFICATE-----";

/**
 * Certificates in PEM that are trusted: the usual ones and those of the files that the environment and the configuration
 * name; undefined where these name none, and the runtime's own are meant.
 * @param caFile path from the configuration
 * @throws config for a file that cannot be read or holds no certificate
 */
export async function trustedAuthorities(
  env: Readonly<Record<string, string | undefined>>,
  caFile?: string,
): Promise<string[] | undefined> {
  const sources = [
    ...(caFile ? [{ name: "ca_file", path: caFile }] : []),
    ...VARIABLES.flatMap((name) => (env[name] ? [{ name: name as string, path: env[name] }] : [])),
  ];
  if (sources.length === 0) return undefined;
  const own = await Promise.all(sources.map(({ name, path }) => readPem(name, path)));
  return [...rootCertificates, ...own];
}

async function readPem(name: string, path: string): Promise<string> {
  const hint = `Correct ${name}, or leave it out`;
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    const { message, data } = ioError("Cannot read the certificates in", path, error);
    throw new SpellError("config", message, { data, hint });
  });
  if (text.includes(BEGIN)) return text;
  throw new SpellError("config", `Cannot use the certificates in '${path}': it must be a PEM file`, {
    data: { path },
    hint,
  });
}
