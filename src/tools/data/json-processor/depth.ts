import { SpellError } from "../../../core/errors.ts";

/**
 * Refuses JSON text nested too deep, before anything that recurses sees it.
 * @throws SpellError limit
 */
export function checkDepth(text: string, maxDepth: number): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth++;
      if (depth > maxDepth) {
        throw new SpellError("limit", `Cannot read JSON: it is nested deeper than ${maxDepth} levels`, {
          data: { limit: "json_depth", allowed: maxDepth },
          hint: "Raise tools.data.max_json_depth in the configuration",
        });
      }
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
}
