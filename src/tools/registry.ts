/** The built-in tools. Definitions are light: what a tool needs besides, it imports when it runs. */
import { tool as jsonProcessor } from "./data/json-processor.ts";
import { tool as fileOperations } from "./filesystem/file-operations.ts";
import { tool as environmentReader } from "./system/environment-reader.ts";
import type { ToolDefinition } from "./tool.ts";
import { tool as base64Encoder } from "./utility/base64-encoder.ts";
import { tool as calculator } from "./utility/calculator.ts";
import { tool as datetimeHandler } from "./utility/datetime-handler.ts";
import { tool as hashCalculator } from "./utility/hash-calculator.ts";
import { tool as templateCreator } from "./utility/template-creator.ts";
import { tool as textManipulator } from "./utility/text-manipulator.ts";
import { tool as uuidGenerator } from "./utility/uuid-generator.ts";

export const builtinTools: readonly ToolDefinition[] = [
  base64Encoder,
  calculator,
  datetimeHandler,
  environmentReader,
  fileOperations,
  hashCalculator,
  jsonProcessor,
  templateCreator,
  textManipulator,
  uuidGenerator,
];
