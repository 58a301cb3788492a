/** Session requests of front ends; replies have the fields of spec/cli.md section 11. */
import { isSessionId, sessionNotFound } from "../../sessions/ids.ts";
import { type RecordedStep, rerunKinds } from "../../sessions/replay/service.ts";
import type { SessionInfo, SessionService } from "../../sessions/service.ts";
import type { KernelReply, RequestOptions, SessionRequest } from "../api.ts";
import type { Services } from "../services.ts";

type Fields = Record<string, unknown>;

/** @throws SpellError */
export async function answerSessionRequest(
  request: SessionRequest,
  services: Services,
  options: RequestOptions,
): Promise<KernelReply> {
  const sessions = await services.sessions();
  return { status: "ok", ...(await fieldsOf(request, sessions, options)) };
}

async function fieldsOf(
  request: SessionRequest,
  sessions: SessionService,
  options: RequestOptions,
): Promise<Fields> {
  switch (request.command) {
    case "list": {
      const found = await Promise.all(sessions.list().map((info) => summary(sessions, info)));
      return { sessions: found, count: found.length };
    }
    case "show":
      return { session: await show(sessions, sessions.get(known(request.id))) };
    case "delete":
      await sessions.delete(known(request.id));
      return { session_id: request.id };
    case "delete_all": {
      const all = sessions.list();
      for (const { id } of all) await sessions.delete(id);
      return { deleted: all.length };
    }
    case "replay":
      return replay(request, sessions, options);
    case "create": {
      const { name } = request;
      const info = await sessions.create({ ...(name === undefined ? {} : { name }), createdBy: "cli" });
      return { session_id: info.id, name: info.name };
    }
    case "export":
      return { ...(await sessions.export(known(request.id), request.path)) };
    case "import":
      return { ...(await sessions.import(request.path)) };
  }
}

/** What is no UUID cannot be the id of a session. */
function known(id: string): string {
  if (isSessionId(id)) return id;
  throw sessionNotFound(id);
}

async function summary(sessions: SessionService, info: SessionInfo): Promise<Fields> {
  const { total_hooks } = await sessions.replay.metadata(info.id);
  return {
    id: info.id,
    name: info.name,
    created_at: info.created_at,
    last_activity: info.updated_at,
    status: info.status,
    steps: total_hooks,
    artifacts: info.artifact_count,
  };
}

async function show(sessions: SessionService, info: SessionInfo): Promise<Fields> {
  const steps = await sessions.replay.steps(info.id);
  const artifacts = await sessions.artifacts.list(info.id);
  return {
    id: info.id,
    name: info.name,
    created_at: info.created_at,
    last_activity: info.updated_at,
    status: info.status,
    description: info.description,
    tags: info.tags,
    steps: steps.map((step) => ({
      step: step.step,
      timestamp: new Date(step.startedMs).toISOString(),
      action: `${step.kind}:${step.name}`,
      details: detailsOf(step),
      duration_ms: Math.round(step.durationMs),
    })),
    artifacts: artifacts.map((artifact) => ({
      id: `${artifact.session_id}/${artifact.sequence}/${artifact.content_hash.slice(0, 8)}`,
      type: artifact.type,
      path: artifact.name,
      created_at: artifact.created_at,
      size_bytes: artifact.size,
    })),
    metadata: {
      total_duration_ms: Math.round((await sessions.replay.metadata(info.id)).total_duration * 1000),
      // nothing measures the memory of a session
      memory_peak_mb: null,
      agent_count: new Set(steps.filter(({ kind }) => kind === "agent").map(({ name }) => name)).size,
      tool_executions: steps.filter(({ kind }) => kind === "tool").length,
    },
  };
}

const LONGEST_DETAIL = 200;

function detailsOf({ input, error }: RecordedStep): string {
  const text = JSON.stringify(input, (_, value) => (typeof value === "bigint" ? String(value) : value));
  const shown = text.length > LONGEST_DETAIL ? `${text.slice(0, LONGEST_DETAIL)}…` : text;
  return error === null ? shown : `${shown}: failed: ${error}`;
}

async function replay(
  request: Extract<SessionRequest, { command: "replay" }>,
  sessions: SessionService,
  options: RequestOptions,
): Promise<Fields> {
  const id = known(request.id);
  const { fromStep, toStep, run, modifications } = request;
  const result = await sessions.replay.replay(id, {
    ...(fromStep === undefined ? {} : { fromStep }),
    ...(toStep === undefined ? {} : { toStep }),
    ...(run === undefined ? {} : { run: rerunKinds(run) }),
    ...(modifications === undefined ? {} : { mode: "modified", modifications }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return {
    session_id: id,
    from_step: fromStep ?? null,
    to_step: toStep ?? null,
    outcome: result.failed_replays === 0 ? "completed" : "failed",
    steps_replayed: result.hooks_replayed,
    steps_run: result.steps_run,
    mismatches: result.mismatches,
    differences: result.steps
      .filter(({ comparison }) => comparison?.identical === false)
      .map(({ step, hook_name, comparison }) => ({
        step,
        action: hook_name,
        differences: comparison!.differences,
      })),
    not_run: result.steps
      .filter(({ reason }) => reason !== undefined)
      .map(({ step, hook_name, reason }) => ({ step, action: hook_name, reason })),
    failures: result.steps
      .filter(({ success }) => !success)
      .map(({ step, hook_name, error }) => ({ step, action: hook_name, error })),
  };
}
