import { documentValue } from "../../core/json.ts";
import { plainText } from "../../core/shown.ts";
import { AnyValue, type FunctionDecl, param, wait } from "../declare.ts";

export const displays: Record<string, FunctionDecl> = {
  display: wait({
    doc: "Shows a value at once, as a notebook shows a cell's result: tables as such, and a table whose keys are MIME types (`text/markdown`, `image/png`, …) in these forms. Elsewhere its text is printed.",
    params: [param("value", AnyValue, "A table, text or number; images are bytes or base64")],
    returns: "nil",
    handler: (ctx, value) => {
      const text = `${plainText(documentValue(value ?? null))}\n`;
      ctx.run.emit({ type: "display", value: value ?? null, text });
    },
  }),
};
