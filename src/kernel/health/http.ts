/** `/health` and `/metrics` over HTTP, where `[monitoring]` asks for them. */

import { PROMETHEUS_TYPE } from "../../metrics/prometheus.ts";
import { Guard } from "../transport/http/guard.ts";
import { type Listener, listen } from "../transport/http/listener.ts";
import type { HealthReport } from "./report.ts";

export interface MonitoringSource {
  report(): HealthReport;
  metricsText(): string;
}

/** @throws SpellError io */
export function serveHealth({ ip, port }: { ip: string; port: number }, source: MonitoringSource): Listener {
  const guard = new Guard({ hosts: [ip], origins: [], token: undefined });
  return listen({ host: ip, port, maxBodyBytes: 0 }, async ({ request }) => {
    const { headers } = request;
    if (!guard.allowsHost(headers.get("host")) || !guard.allowsOrigin(headers.get("origin")))
      return new Response("Forbidden\n", { status: 403 });
    if (request.method !== "GET" && request.method !== "HEAD")
      return new Response("Method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
    switch (new URL(request.url).pathname) {
      case "/health": {
        const report = source.report();
        return Response.json(report, { status: report.status === "Unhealthy" ? 503 : 200 });
      }
      case "/metrics":
        return new Response(source.metricsText(), { headers: { "content-type": PROMETHEUS_TYPE } });
      default:
        return new Response("Not found: /health and /metrics are here\n", { status: 404 });
    }
  });
}
