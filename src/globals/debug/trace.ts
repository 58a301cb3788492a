import { Type } from "typebox";
import { stringifyJson } from "../../core/json.ts";
import { type FunctionDecl, type LocalContext, local, optional, type StackFrame } from "../declare.ts";
import { sessionOf } from "./session.ts";

const options = optional(
  "options",
  Type.Object({
    max_depth: Type.Optional(
      Type.Integer({ minimum: 1, description: "Frames shown; the default is `debug.stack_trace.max_depth`" }),
    ),
    capture_locals: Type.Optional(Type.Boolean({ description: "Show local variables" })),
    capture_upvalues: Type.Optional(Type.Boolean({ description: "Show captured variables" })),
    include_source: Type.Optional(
      Type.Boolean({ description: "Show file and line; the default is `debug.stack_trace.include_source`" }),
    ),
  }),
  "What the trace shows",
);

interface TraceOptions {
  max_depth?: number;
  capture_locals?: boolean;
  capture_upvalues?: boolean;
  include_source?: boolean;
}

interface TraceShape {
  maxDepth: number;
  includeSource: boolean;
}

function frames(
  ctx: LocalContext,
  asked: TraceOptions | undefined,
): { stack: StackFrame[]; includeSource: boolean } {
  const { maxDepth, includeSource } = sessionOf(ctx).settings.stackTrace;
  const stack = ctx.vm.stack({
    maxDepth: asked?.max_depth ?? maxDepth,
    locals: asked?.capture_locals ?? false,
    upvalues: asked?.capture_upvalues ?? false,
  });
  return {
    stack: stack.map((frame) => withoutSecrets(ctx, frame)),
    includeSource: asked?.include_source ?? includeSource,
  };
}

function withoutSecrets(ctx: LocalContext, { locals, upvalues, ...frame }: StackFrame): StackFrame {
  const session = sessionOf(ctx);
  const shown = (variables: StackFrame["locals"]) =>
    variables?.map(({ name, value }) => ({ name, value: String(session.shown(value, name)) }));
  return {
    ...frame,
    ...(locals === undefined ? {} : { locals: shown(locals)! }),
    ...(upvalues === undefined ? {} : { upvalues: shown(upvalues)! }),
  };
}

function describe(frame: StackFrame): string {
  if (frame.what === "main") return "in main chunk";
  return frame.name === "" ? "in an anonymous function" : `in function '${frame.name}'`;
}

function render(stack: readonly StackFrame[], includeSource: boolean): string {
  const lines = ["stack traceback:"];
  for (const frame of stack) {
    const place = frame.line > 0 ? `${frame.source}:${frame.line}` : frame.source;
    lines.push(`\t${includeSource ? `${place}: ` : ""}${describe(frame)}`);
    for (const { name, value } of frame.locals ?? []) lines.push(`\t\tlocal ${name} = ${value}`);
    for (const { name, value } of frame.upvalues ?? []) lines.push(`\t\tupvalue ${name} = ${value}`);
  }
  return lines.join("\n");
}

/** The script's stack as text, as Lua's own tracebacks are laid out. */
export function traceText(ctx: LocalContext, shape: TraceShape): string {
  return render(
    ctx.vm.stack({ maxDepth: shape.maxDepth, locals: false, upvalues: false }),
    shape.includeSource,
  );
}

export const traces: Record<string, FunctionDecl> = {
  stackTrace: local({
    doc: "Where the script is: its call stack, innermost call first.",
    params: [options],
    returns: "string",
    handler: (ctx, asked) => {
      const { stack, includeSource } = frames(ctx, asked);
      return render(stack, includeSource);
    },
  }),
  stackTraceJson: local({
    doc: "The call stack as JSON text: `{frames: [{name, what, source?, line?, locals?, upvalues?}]}`.",
    params: [options],
    returns: "string",
    handler: (ctx, asked) => {
      const { stack, includeSource } = frames(ctx, asked);
      return stringifyJson({
        frames: stack.map(({ source, line, ...frame }) =>
          includeSource ? { ...frame, source, line } : frame,
        ),
      });
    },
  }),
};
