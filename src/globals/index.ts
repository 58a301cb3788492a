/** Every global a script sees, in the order of spec/lua-api.md section 0.2. */
import type { GlobalDecl } from "./declare.ts";

export const globals: readonly GlobalDecl[] = [];
