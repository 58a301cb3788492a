/** The proxy that the environment names for a URL, under the rules of Bun's fetch and curl. */
type Environment = Readonly<Record<string, string | undefined>>;

/** @returns undefined for a direct connection */
export function proxyFor(url: URL, env: Environment): string | undefined {
  const either = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
  const proxy = either(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") ?? either("ALL_PROXY");
  return proxy === undefined || isExcepted(url, either("NO_PROXY") ?? "") ? undefined : proxy;
}

function isExcepted(url: URL, exceptions: string): boolean {
  return exceptions
    .toLowerCase()
    .split(",")
    .map((entry) => entry.trim().replace(/^\*?\./, ""))
    .some((entry) => {
      if (entry === "") return false;
      return (
        entry === "*" || entry === url.host || url.hostname === entry || url.hostname.endsWith(`.${entry}`)
      );
    });
}
