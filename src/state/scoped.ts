/**
 * Which scope may reach which (spec/kernel.md section 13.1), and state as one of them sees it. `global`, as which scripts
 * act, reaches everything; others reach themselves and `global`, and a user the sessions whose ids begin with the user's.
 */
import { SpellError } from "../core/errors.ts";
import { isScopeWithId, parseStorageKey, placeOf } from "./keys.ts";
import type { StateCallOptions, StateService } from "./service.ts";

/** The scope above: of a session its user, whom its id names before the first `_`; of others `global`. */
export function parentOf(scope: string): string | undefined {
  if (scope === "global") return undefined;
  const [, user] = /^session:([^_]+)_/.exec(scope) ?? [];
  return user === undefined ? "global" : `user:${user}`;
}

export function mayReach(caller: string, scope: string): boolean {
  return (
    caller === "global" ||
    caller === scope ||
    scope === "global" ||
    isSessionOf(caller, scope) ||
    isSessionOf(scope, caller)
  );
}

function isSessionOf(user: string, session: string): boolean {
  return (
    user.startsWith("user:") &&
    session.startsWith("session:") &&
    session.slice("session:".length).startsWith(user.slice("user:".length))
  );
}

/** What a scope may do with state. Every method: @throws SpellError permission_denied */
export class ScopedState {
  /** @param scope `global` or `KIND:ID` @throws SpellError invalid_argument */
  constructor(
    private readonly state: StateService,
    readonly scope: string,
  ) {
    if (scope === "global" || isScopeWithId(scope)) return;
    throw new SpellError(
      "invalid_argument",
      `Cannot act as a scope: it must be global or KIND:ID: ${scope}`,
      {
        data: { scope },
        hint: "Kinds are user, session, agent, tool, workflow, hook and custom: agent:writer",
      },
    );
  }

  /** The scope above; undefined for `global`. */
  get parent(): string | undefined {
    return parentOf(this.scope);
  }

  async load(scope: string, key: string, options?: StateCallOptions): Promise<unknown> {
    return this.state.load(scope, key, this.checked(scope, key, options));
  }

  async save(scope: string, key: string, value: unknown, options?: StateCallOptions): Promise<void> {
    return this.state.save(scope, key, value, this.checked(scope, key, options));
  }

  async delete(scope: string, key: string, options?: StateCallOptions): Promise<boolean> {
    return this.state.delete(scope, key, this.checked(scope, key, options));
  }

  async update(
    scope: string,
    key: string,
    change: (value: unknown) => unknown,
    options?: StateCallOptions,
  ): Promise<unknown> {
    return this.state.update(scope, key, change, this.checked(scope, key, options));
  }

  async exists(scope: string, key: string): Promise<boolean> {
    return this.state.exists(scope, key, this.checked(scope, key));
  }

  /** Keys of a scope without the scope, sorted. */
  async keys(scope: string): Promise<string[]> {
    this.check(scope);
    if (this.scope === "global") return this.state.keys(scope);
    const entries = await this.state.entries({ scope });
    return entries.filter((entry) => mayReach(this.scope, entry.scope)).map(({ key }) => key);
  }

  /** A key may name a record of another scope (`workflow` with `ID:STEP`), and old spellings may too. */
  private checked(scope: string, key: string, options: StateCallOptions = {}): StateCallOptions {
    this.check(scope);
    if (this.scope === "global") return options;
    this.check(parseStorageKey(placeOf(scope, key).storageKey).scope);
    return { ...options, exact: true };
  }

  private check(scope: string): void {
    if (mayReach(this.scope, scope)) return;
    throw new SpellError(
      "permission_denied",
      `Access to state denied: ${this.scope} may not reach ${scope}`,
      {
        data: { caller: this.scope, scope },
        hint: `It reaches ${this.scope} and global; scripts act as global`,
      },
    );
  }
}
