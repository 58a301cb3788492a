/** Where shared values and contexts belong: `global`, or `{type, id}` for a session, workflow, agent or user. */
export const SCOPE_TYPES = ["global", "session", "workflow", "agent", "user"] as const;

export interface Scope {
  type: (typeof SCOPE_TYPES)[number];
  id?: string;
}

/** Values that agents share, apart by scope, for the life of the process. */
export class SharedMemory {
  private readonly values = new Map<string, Map<string, unknown>>();

  set(scope: Scope, key: string, value: unknown): void {
    const place = JSON.stringify([scope.type, scope.id ?? ""]);
    const values = this.values.get(place) ?? new Map<string, unknown>();
    if (value === null || value === undefined) values.delete(key);
    else values.set(key, value);
    if (values.size > 0) this.values.set(place, values);
    else this.values.delete(place);
  }

  get(scope: Scope, key: string): unknown {
    return this.values.get(JSON.stringify([scope.type, scope.id ?? ""]))?.get(key);
  }
}
