/** Agents with a model: what goes into the prompt and what stays in the conversation. */
import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4TextPart,
} from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import type { RecorderSource } from "../core/recording.ts";
import { modelChoice } from "../models/recorded.ts";
import type { SpellModel } from "../models/service.ts";
import type { ToolDefinition, ToolService } from "../tools/service.ts";
import { Approvals } from "./approval.ts";
import { summaryTurn } from "./compaction.ts";
import { Conversation } from "./conversation.ts";
import { runLoop } from "./loop.ts";
import type { SavedConversations } from "./saved-state.ts";
import type { AgentConfig, AgentInput } from "./service.ts";
import { modelOverrides, type ResolvedConfig } from "./settings.ts";
import type { Behaviour, Turn } from "./turn.ts";

const NO_TOOLS: ReadonlyMap<string, ToolDefinition> = new Map();

export class LlmBehaviour implements Behaviour {
  /** By conversation id; "" is the agent's own. */
  private readonly conversations = new Map<string, Conversation>();

  readonly memory = {
    conversations: (): SavedConversations =>
      Object.fromEntries([...this.conversations].map(([id, conversation]) => [id, conversation.saved()])),
    restore: (saved: SavedConversations): void => {
      this.conversations.clear();
      for (const [id, conversation] of Object.entries(saved))
        this.conversations.set(id, Conversation.restored(conversation, this.config.maxConversationLength));
    },
    original: (id: string) => this.conversations.get(id)?.original() ?? [],
    expand: (id: string) => this.conversations.get(id)?.expand() ?? false,
  };

  constructor(
    private readonly config: ResolvedConfig,
    private readonly model: SpellModel,
    private readonly tools: ToolService,
    private readonly allowed: ReadonlyMap<string, ToolDefinition>,
    private readonly recorder?: RecorderSource,
  ) {}

  get heldBytes(): number {
    let bytes = 0;
    for (const conversation of this.conversations.values()) bytes += conversation.bytes;
    return bytes;
  }

  async run(turn: Turn) {
    const { config, model } = this;
    const conversation = this.conversationOf(turn.input);
    const { compaction } = turn.input;
    const older = compaction === undefined ? undefined : conversation.length - compaction.keepTurns;
    const user: LanguageModelV4Message = { role: "user", content: userContent(turn.input) };
    const system = systemPrompt(config, model, turn.input);
    const result = await runLoop({
      model,
      choice: modelChoice(config.model ?? "", modelOverrides(config)),
      prompt: [
        ...(system === "" ? [] : [{ role: "system" as const, content: system }]),
        ...conversation.messages(older),
        user,
      ],
      settings: callSettings(config, turn.input),
      tools: this.tools,
      allowed: older === undefined ? this.allowedIn(turn.input) : NO_TOOLS,
      maxToolCalls: config.maxToolCalls,
      approvals: new Approvals(config.name, config.approval, this.tools, turn.run),
      contextWindow: config.contextWindow,
      contextShift: config.contextShift,
      form: older === undefined ? (turn.input.form ?? config.form) : undefined,
      maxSchemaRetries: config.maxSchemaRetries,
      signal: turn.signal,
      correlationId: turn.run.id,
      recorder: this.recorder,
      emit: turn.emit,
      hooks: turn.hooks,
      input: turn.input.text,
      onLoading: (share) =>
        turn.run.emit({ type: "progress", label: `Loading ${model.modelId}`, done: share, total: 1 }),
    });
    const { messages, answeredBy, ...output } = result;
    if (older !== undefined) conversation.compact(older, summaryTurn(turn.input.text, result, config.name));
    else if (config.memoryEnabled) this.remember(conversation, turn.input, [user, ...messages]);
    return { ...output, model: model.modelId, provider: model.provider, ...answeredBy };
  }

  private allowedIn({ tools = [] }: AgentInput): ReadonlyMap<string, ToolDefinition> {
    if (tools.length === 0) return this.allowed;
    const further = tools.flatMap((name) => this.tools.find(name) ?? []);
    return new Map([...this.allowed, ...further.map((tool) => [tool.name, tool] as const)]);
  }

  private conversationOf(input: AgentInput): Conversation {
    const id = input.context?.conversationId ?? "";
    return this.conversations.get(id) ?? new Conversation(this.config.maxConversationLength);
  }

  private remember(conversation: Conversation, input: AgentInput, messages: LanguageModelV4Message[]): void {
    const limitBytes = this.config.maxMemoryMb * 1024 * 1024;
    const added = Buffer.byteLength(JSON.stringify(messages));
    if (this.heldBytes + added > limitBytes) {
      throw new SpellError(
        "limit",
        `Cannot keep the turn of agent "${this.config.name}": its conversation would exceed max_memory_mb: ${this.config.maxMemoryMb}`,
        {
          data: { limit: "max_memory_mb" },
          hint: "Raise max_memory_mb, lower max_conversation_length, or turn memory_enabled off",
        },
      );
    }
    conversation.add(messages);
    this.conversations.set(input.context?.conversationId ?? "", conversation);
  }
}

function systemPrompt(config: ResolvedConfig, model: SpellModel, input: AgentInput): string {
  const usual = model.readsPlainText ? "" : `You are ${config.name}, an AI assistant. ${config.description}`;
  const prompt = config.systemPrompt ?? usual;
  const data = input.context?.data ?? {};
  if (Object.keys(data).length === 0) return prompt;
  return `${prompt}${prompt === "" ? "" : "\n\n"}Context: ${stringifyJson(data)}`;
}

function userContent(input: AgentInput): (LanguageModelV4TextPart | LanguageModelV4FilePart)[] {
  const parameters = input.parameters ?? {};
  const text =
    Object.keys(parameters).length === 0
      ? input.text
      : `${input.text}\n\nParameters: ${stringifyJson(parameters)}`;
  const images = (input.images ?? []).map((image) => ({
    type: "file" as const,
    mediaType: `image/${image.format === "jpg" ? "jpeg" : image.format}`,
    data: { type: "data" as const, data: image.base64 },
  }));
  return [{ type: "text", text }, ...images];
}

/** What the agent or the call sets; everything else is the provider's own default. */
function callSettings(config: AgentConfig, input: AgentInput) {
  const temperature = input.temperature ?? config.temperature;
  const maxOutputTokens = input.maxTokens ?? config.maxTokens;
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(config.topP === undefined ? {} : { topP: config.topP }),
    ...(config.topK === undefined ? {} : { topK: config.topK }),
    ...(config.seed === undefined ? {} : { seed: config.seed }),
    ...(config.stop === undefined ? {} : { stopSequences: config.stop }),
  };
}
