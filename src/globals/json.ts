/** `JSON`: spec/lua-api.md section 11. Runs in the script thread. */
import { Type } from "typebox";
import { SpellError } from "../core/errors.ts";
import { parseJson, stringifyJson } from "../core/json.ts";
import { AnyValue, BytesOrText, type GlobalDecl, local, optional, param } from "./declare.ts";

export const JSONGlobal: GlobalDecl = {
  name: "JSON",
  doc: "JSON text to values and back.",
  functions: {
    parse: local({
      doc: 'Reads JSON text. Raises "JSON parse error: …" with line and column. Members that are null vanish; 64-bit integers stay exact.',
      params: [param("text", BytesOrText, "JSON text in UTF-8")],
      returns: "any",
      aliases: ["decode"],
      handler: (_ctx, text) => {
        if (typeof text === "string") return parseJson(text);
        throw new SpellError("invalid_argument", "JSON parse error: the text is not valid UTF-8");
      },
    }),
    stringify: local({
      doc: "Writes a value as JSON, object keys sorted by name. An empty table is `{}`; NaN and infinities are null. Raises on functions and bytes.",
      params: [
        optional("value", AnyValue, "What to write; nil is null"),
        optional("pretty", Type.Boolean(), "Indent by two spaces"),
      ],
      returns: "string",
      aliases: ["encode"],
      handler: (_ctx, value, pretty) => stringifyJson(value, pretty),
    }),
  },
};
