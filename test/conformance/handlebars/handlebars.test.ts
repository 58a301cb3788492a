/** A null in the fixture: Handlebars ends with an error. */
import { describe, expect, test } from "bun:test";
import { renderHandlebars } from "../../../src/tools/utility/template-creator/handlebars.ts";
import expected from "./expected.json" with { type: "json" };

describe("template-creator renders as Handlebars", () => {
  test.each(expected.cases as [string, string | null][])("%j", (template, text) => {
    const rendering = () => renderHandlebars(template, expected.context, 5000);
    if (text === null) expect(rendering).toThrow("Template error");
    else expect(rendering()).toBe(text);
  });
});
