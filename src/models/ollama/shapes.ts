/** Ollama's answers about models, read into our words. */
import type { LocalModel, LocalModelInfo } from "../service.ts";
import { type Asking, wrongShape } from "./failures.ts";

/** A model that is in memory. */
export interface RunningModel {
  id: string;
  contextTokens?: number;
}

/** What `/api/show` says of a model, as far as calls need it. */
export interface ModelFacts {
  architecture?: string;
  parameterCount?: number;
  /** What it was trained for. */
  trainedTokens?: number;
  /** `num_ctx` of its Modelfile. */
  presetTokens?: number;
  format: string;
  quantization?: string;
  licence?: string;
  hasChatTemplate: boolean;
  /** `completion`, `tools`, `vision`, `thinking`, `embedding`; undefined where the server is too old to say. */
  capabilities?: ReadonlySet<string>;
  /** The server itself knows when the model thinks. */
  saysThinking: boolean;
}

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
const countOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;

/** `llama3` and `llama3:latest` are one model, and case is of no matter. */
export function canonicalName(name: string): string {
  const lower = name.trim().toLowerCase();
  return /:[^/]*$/.test(lower) ? lower : `${lower}:latest`;
}

/** @throws provider for an answer that is no list of models */
export function modelList(answer: unknown, asking: Asking): LocalModel[] {
  return entriesOf(answer, asking).map(({ id, fields }) => {
    const { quantization_level } = fieldsOf(fields.details);
    const quantization = quantizationOf(quantization_level);
    const modifiedMs = Date.parse(String(fields.modified_at));
    return {
      id,
      backend: "ollama",
      sizeBytes: countOf(fields.size) ?? 0,
      ...(quantization === undefined ? {} : { quantization }),
      ...(Number.isNaN(modifiedMs) ? {} : { modifiedAt: Math.floor(modifiedMs / 1000) }),
    };
  });
}

/** @throws provider */
export function runningList(answer: unknown, asking: Asking): RunningModel[] {
  return entriesOf(answer, asking).map(({ id, fields }) => {
    const contextTokens = countOf(fields.context_length);
    return { id, ...(contextTokens === undefined ? {} : { contextTokens }) };
  });
}

function entriesOf(answer: unknown, asking: Asking): { id: string; fields: Fields }[] {
  const { models } = fieldsOf(answer);
  // A server without models has answered null.
  if (models === null) return [];
  if (!Array.isArray(models)) throw wrongShape(asking, "models");
  return models.map((entry) => {
    const fields = fieldsOf(entry);
    const id = textOf(fields.name) ?? textOf(fields.model);
    if (id === undefined) throw wrongShape(asking, "models[].name");
    return { id, fields };
  });
}

/** @throws provider */
export function modelFacts(answer: unknown, asking: Asking): ModelFacts {
  const fields = fieldsOf(answer);
  const details = fieldsOf(fields.details);
  const info = fieldsOf(fields.model_info);
  if (fields.details === undefined && fields.model_info === undefined) throw wrongShape(asking, "details");
  const architecture = textOf(info["general.architecture"]) ?? textOf(details.family);
  const known = {
    architecture,
    parameterCount: countOf(info["general.parameter_count"]) ?? parameterCount(details.parameter_size),
    trainedTokens: countOf(info[`${architecture}.context_length`]),
    presetTokens: presetTokens(fields.parameters),
    quantization: quantizationOf(details.quantization_level),
    licence: textOf(info["general.license"]) ?? licenceName(fields.license),
    capabilities: Array.isArray(fields.capabilities) ? new Set(fields.capabilities.map(String)) : undefined,
  };
  return {
    ...(Object.fromEntries(
      Object.entries(known).filter(([, value]) => value !== undefined),
    ) as Partial<ModelFacts>),
    format: textOf(details.format) ?? "gguf",
    hasChatTemplate: textOf(fields.template) !== undefined,
    saysThinking: Array.isArray(fieldsOf(fields.thinking).values),
  };
}

/** What is said of a model to users. */
export function modelInfo(model: LocalModel, facts: ModelFacts, isLoaded: boolean): LocalModelInfo {
  const { architecture, parameterCount, trainedTokens, licence } = facts;
  const quantization = model.quantization ?? facts.quantization;
  return {
    ...model,
    ...(quantization === undefined ? {} : { quantization }),
    format: facts.format,
    loaded: isLoaded,
    ...(architecture === undefined ? {} : { architecture }),
    ...(parameterCount === undefined ? {} : { parameterCount }),
    ...(trainedTokens === undefined ? {} : { contextLength: trainedTokens }),
    ...(licence === undefined ? {} : { licence }),
    hasChatTemplate: facts.hasChatTemplate,
  };
}

const quantizationOf = (level: unknown): string | undefined => {
  const text = textOf(level);
  return text === "unknown" ? undefined : text;
};

/** `7.2B`, `137M`: rounded, but better than nothing. */
function parameterCount(size: unknown): number | undefined {
  const [, number, unit] = /^([\d.]+)\s*([KMBT])$/i.exec(String(size)) ?? [];
  if (number === undefined) return undefined;
  const factors: Record<string, number> = { K: 1e3, M: 1e6, B: 1e9, T: 1e12 };
  return Math.round(Number(number) * factors[unit!.toUpperCase()]!);
}

/** From lines of a Modelfile: `num_ctx    8192`. */
function presetTokens(parameters: unknown): number | undefined {
  const tokens = /^\s*num_ctx\s+(\d+)\s*$/m.exec(textOf(parameters) ?? "")?.[1];
  return tokens === undefined ? undefined : Number(tokens);
}

/** The first line of a licence text that is not empty. */
function licenceName(text: unknown): string | undefined {
  return textOf(text)
    ?.split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "")
    ?.slice(0, 200);
}
