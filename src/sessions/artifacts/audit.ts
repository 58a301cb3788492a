/** Who used which artifact: kept in memory, the last 10,000 uses of this process (spec/kernel.md section 15). */
import { Ring } from "../../core/ring.ts";
import { time } from "../rows.ts";
import type { AuditEntry, AuditQuery } from "./service.ts";

const MOST_ENTRIES = 10_000;

export class Audit {
  private readonly entries = new Ring<AuditEntry>(MOST_ENTRIES);

  note(entry: Omit<AuditEntry, "timestamp">): void {
    this.entries.push({ timestamp: time(Date.now()), ...entry });
  }

  query({ sessionId, action, allowed, limit = MOST_ENTRIES }: AuditQuery): AuditEntry[] {
    const found = this.entries
      .last()
      .filter(
        (entry) =>
          (sessionId === undefined || entry.session_id === sessionId) &&
          (action === undefined || entry.action === action) &&
          (allowed === undefined || entry.allowed === allowed),
      );
    return limit === 0 ? [] : found.slice(-limit);
  }
}
