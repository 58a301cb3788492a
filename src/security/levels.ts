/** Which tools may run at all (spec/tools.md section 5, spec/config.md section 2.9). */
import { SpellError } from "../core/errors.ts";
import type { ConfigService } from "../kernel/services.ts";
import { SECURITY_LEVELS, type SecurityLevel } from "./capabilities.ts";
import { refused } from "./denial.ts";

/**
 * The level granted to a tool: `tools.permissions` for it, else `tools.security.default_level`, else every level, since
 * without allow lists even a privileged tool reaches nothing.
 */
export function grantedLevel(tools: ConfigService["current"]["tools"], name: string): SecurityLevel {
  const general = (tools.security as { default_level?: unknown } | undefined)?.default_level;
  const own = Object.hasOwn(tools.permissions, name) ? tools.permissions[name] : undefined;
  const granted = own ?? general ?? "privileged";
  const level = SECURITY_LEVELS.find((known) => known === String(granted).toLowerCase());
  if (level !== undefined) return level;
  throw new SpellError(
    "config",
    `Cannot grant a security level: "tools.security.default_level" must be one of ${SECURITY_LEVELS.join(", ")}: ${granted}`,
  );
}

/** @throws SpellError permission_denied */
export function checkLevel(name: string, needed: SecurityLevel, granted: SecurityLevel): void {
  if (SECURITY_LEVELS.indexOf(needed) <= SECURITY_LEVELS.indexOf(granted)) return;
  const error = new SpellError(
    "permission_denied",
    `Security violation: Tool '${name}' is not allowed: Permission denied: it needs level ${needed}, granted is ${granted}`,
    {
      data: { tool: name, needed, granted },
      hint: `Grant it with tools.permissions."${name}" = "${needed}" in the configuration`,
    },
  );
  throw refused("security_level", error);
}
