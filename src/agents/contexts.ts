import { randomId } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import type { Scope } from "./shared-memory.ts";

/**
 * How a child context sees its parent's data:
 * - `inherit`: reads fall through to the parent, writes stay in the child;
 * - `isolate`: it sees nothing of the parent;
 * - `copy`: it starts with a copy of what the parent sees now;
 * - `share`: reads and writes go to the parent.
 */
export const INHERITANCES = ["inherit", "isolate", "copy", "share"] as const;
export type Inheritance = (typeof INHERITANCES)[number];

export interface ContextOptions {
  conversationId?: string;
  userId?: string;
  sessionId?: string;
  scope?: Scope;
  inheritance?: Inheritance;
  data?: Record<string, unknown>;
  security?: { permissions: string[]; level: string };
}

interface Context {
  id: string;
  parent: Context | undefined;
  inheritance: Inheritance;
  options: ContextOptions;
  data: Map<string, unknown>;
}

/** Execution contexts of this process: a tree of key-value tables. */
export class ExecutionContexts {
  private readonly contexts = new Map<string, Context>();

  /** @returns the new context's id */
  create(options: ContextOptions): string {
    return this.add(undefined, options.inheritance ?? "inherit", options);
  }

  /** @throws not_found for an unknown parent */
  createChild(parentId: string, scope: Scope, inheritance: Inheritance): string {
    const parent = this.find(parentId);
    const { data: _, ...inherited } = inheritance === "isolate" ? ({} as ContextOptions) : parent.options;
    const data = inheritance === "copy" ? this.visible(parent) : {};
    return this.add(parent, inheritance, { ...inherited, scope, data });
  }

  update(id: string, key: string, value: unknown): void {
    let context = this.find(id);
    while (context.inheritance === "share" && context.parent !== undefined) context = context.parent;
    context.data.set(key, value);
  }

  /** The value under `key`, else what the context was made with: `user_id`, `scope` and so on. */
  get(id: string, key: string): unknown {
    const context = this.find(id);
    const data = this.visible(context);
    if (Object.hasOwn(data, key)) return data[key];
    const { conversationId, userId, sessionId, scope, security } = context.options;
    const given: Record<string, unknown> = {
      conversation_id: conversationId,
      user_id: userId,
      session_id: sessionId,
      scope,
      security,
    };
    return Object.hasOwn(given, key) ? given[key] : undefined;
  }

  /** What an agent that runs in this context gets. */
  forAgent(id: string): { conversationId?: string; data: Record<string, unknown> } {
    const context = this.find(id);
    const { conversationId } = context.options;
    return { ...(conversationId === undefined ? {} : { conversationId }), data: this.visible(context) };
  }

  /** Removes the context and all below it. */
  remove(id: string): void {
    const root = this.find(id);
    for (const context of [...this.contexts.values()]) {
      for (let c: Context | undefined = context; c !== undefined; c = c.parent) {
        if (c === root) this.contexts.delete(context.id);
      }
    }
  }

  private add(parent: Context | undefined, inheritance: Inheritance, options: ContextOptions): string {
    const id = `ctx_${randomId()}`;
    this.contexts.set(id, {
      id,
      parent,
      inheritance,
      options,
      data: new Map(Object.entries(options.data ?? {})),
    });
    return id;
  }

  private visible(context: Context): Record<string, unknown> {
    const through = context.inheritance === "inherit" || context.inheritance === "share";
    const above = through && context.parent !== undefined ? this.visible(context.parent) : {};
    const all = { ...above, ...Object.fromEntries(context.data) };
    // A nil written in a child hides the parent's value.
    return Object.fromEntries(
      Object.entries(all).filter(([, value]) => value !== null && value !== undefined),
    );
  }

  private find(id: string): Context {
    const context = this.contexts.get(id);
    if (context === undefined) {
      throw new SpellError("not_found", `Cannot use execution context: no such context: ${id}`, {
        hint: "Use the id that Agent.create_context returned; removing a context removes its children too",
      });
    }
    return context;
  }
}
