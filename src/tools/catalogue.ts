/** The tools by name: built-in ones and those added while the program runs. */
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { ToolFilter } from "./service.ts";
import type { ToolDefinition } from "./tool.ts";

/** Names that every model provider accepts for a tool. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export class ToolCatalogue {
  private readonly tools = new Map<string, ToolDefinition>();
  private sorted: readonly ToolDefinition[] | undefined;

  constructor(builtin: readonly ToolDefinition[]) {
    for (const tool of builtin) this.add(tool);
  }

  list(): readonly ToolDefinition[] {
    this.sorted ??= [...this.tools.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.sorted;
  }

  find(name: string): ToolDefinition | undefined {
    return (
      this.tools.get(name) ??
      this.tools.get(name.replaceAll("_", "-")) ??
      this.list().find((tool) => tool.aliases.includes(name))
    );
  }

  /** @throws SpellError invalid_argument, already_exists */
  add(tool: ToolDefinition): void {
    if (!NAME.test(tool.name)) {
      throw new SpellError(
        "invalid_argument",
        `Cannot register a tool: its name must be 1 to 64 letters, digits, "_" or "-": ${tool.name}`,
      );
    }
    if (this.find(tool.name) !== undefined) {
      throw new SpellError("already_exists", `Cannot register a tool: the name is taken: ${tool.name}`, {
        hint: "Choose another name",
      });
    }
    this.tools.set(tool.name, tool);
    this.sorted = undefined;
  }

  remove(name: string): void {
    this.tools.delete(name);
    this.sorted = undefined;
  }
}

export function fits(filter: ToolFilter): (tool: ToolDefinition) => boolean {
  return ({ name, description, category }) => {
    const text = `${name} ${description}`.toLowerCase();
    return (
      (filter.category === undefined || category === filter.category.toLowerCase()) &&
      (filter.tag === undefined || description.includes(filter.tag)) &&
      (filter.capabilities ?? []).every((word) => text.includes(word.toLowerCase()))
    );
  };
}

/** The error for a name that no tool has, with the nearest ones. */
export function unknownTool(name: string, tools: readonly ToolDefinition[]): SpellError {
  const names = tools.flatMap((known) => [known.name, ...known.aliases]);
  const near = didYouMean(
    name,
    names.filter((other) => !(other.includes("_") && names.includes(other.replaceAll("_", "-")))),
  );
  return new SpellError("not_found", `Tool '${name}' not found`, {
    data: { tool: name },
    hint: near ?? "See `llmspell tool list` or Tool.list()",
  });
}
