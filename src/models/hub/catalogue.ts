/** Short names that stand for repositories of the Hugging Face Hub (spec/agents-workflows-rag.md section 3.4). */
export interface CatalogueEntry {
  name: string;
  repository: string;
  about: string;
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: "tinyllama",
    repository: "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF",
    about: "Chat, 1.1 B parameters",
  },
  { name: "phi-2", repository: "TheBloke/phi-2-GGUF", about: "Completion and questions, 2.7 B parameters" },
  { name: "qwen2-0.5b", repository: "Qwen/Qwen2-0.5B-Instruct-GGUF", about: "Chat, 0.5 B parameters" },
  ...["flan-t5-small", "flan-t5-base", "flan-t5-large"].map((name) => ({
    name,
    repository: `google/${name}`,
    about: "Instructions, encoder-decoder",
  })),
  ...["t5-small", "t5-base", "t5-large"].map((name) => ({
    name,
    repository: `google-t5/${name}`,
    about: "Translation and summaries, encoder-decoder",
  })),
];

export function catalogued(name: string): CatalogueEntry | undefined {
  return CATALOGUE.find((entry) => entry.name === name.toLowerCase());
}
