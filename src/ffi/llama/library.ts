import { CString, dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { join } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { type Backends, openBackends } from "./devices.ts";
import type { Address } from "./handle.ts";
import { cString, reasonIn } from "./text.ts";

export { cString, reasonIn };

const { i32, u32, i64, bool, ptr: pointer, void: nothing } = FFIType;

/** The shims below `native/`, and what llama.h offers without structs by value. */
const SYMBOLS = {
  spell_log_capture: { args: [i32], returns: nothing },
  spell_log_take: { args: [pointer, i32], returns: i32 },
  spell_common_quiet: { args: [], returns: nothing },
  spell_backend_score: { args: [pointer], returns: i32 },
  spell_backend_load: { args: [pointer], returns: pointer },
  llama_backend_init: { args: [], returns: nothing },
  llama_numa_init: { args: [i32], returns: nothing },
  llama_print_system_info: { args: [], returns: pointer },
  ggml_backend_reg_name: { args: [pointer], returns: pointer },
  ggml_backend_dev_count: { args: [], returns: FFIType.u64 },
  ggml_backend_dev_get: { args: [FFIType.u64], returns: pointer },
  ggml_backend_dev_backend_reg: { args: [pointer], returns: pointer },
  ggml_backend_dev_name: { args: [pointer], returns: pointer },
  ggml_backend_dev_description: { args: [pointer], returns: pointer },
  ggml_backend_dev_type: { args: [pointer], returns: i32 },
  ggml_backend_dev_memory: { args: [pointer, pointer, pointer], returns: nothing },
  spell_no_core_dump: { args: [], returns: nothing },
  spell_end_beyond: { args: [i64], returns: nothing },
  spell_text_free: { args: [pointer], returns: nothing },

  spell_model_load: { args: [pointer, i32, pointer, u32, bool, bool, pointer], returns: pointer },
  llama_model_free: { args: [pointer], returns: nothing },
  llama_model_get_vocab: { args: [pointer], returns: pointer },
  llama_model_n_ctx_train: { args: [pointer], returns: i32 },
  llama_model_has_encoder: { args: [pointer], returns: bool },
  llama_model_has_decoder: { args: [pointer], returns: bool },
  llama_model_is_recurrent: { args: [pointer], returns: bool },
  llama_model_is_hybrid: { args: [pointer], returns: bool },
  llama_model_n_swa: { args: [pointer], returns: i32 },
  llama_model_n_layer: { args: [pointer], returns: i32 },
  llama_model_n_embd: { args: [pointer], returns: i32 },
  llama_model_n_head: { args: [pointer], returns: i32 },
  llama_model_n_head_kv: { args: [pointer], returns: i32 },
  llama_model_meta_val_str: { args: [pointer, pointer, pointer, FFIType.u64], returns: i32 },
  llama_model_n_embd_out: { args: [pointer], returns: i32 },
  llama_model_chat_template: { args: [pointer, pointer], returns: pointer },
  llama_model_desc: { args: [pointer, pointer, FFIType.u64], returns: i32 },
  llama_vocab_n_tokens: { args: [pointer], returns: i32 },
  llama_vocab_bos: { args: [pointer], returns: i32 },
  llama_vocab_eos: { args: [pointer], returns: i32 },
  llama_vocab_sep: { args: [pointer], returns: i32 },
  llama_vocab_get_add_bos: { args: [pointer], returns: bool },
  llama_vocab_get_add_eos: { args: [pointer], returns: bool },
  llama_vocab_get_add_sep: { args: [pointer], returns: bool },
  spell_tokenize: { args: [pointer, pointer, i32, pointer, i32, bool, bool], returns: i32 },
  spell_detokenize: { args: [pointer, pointer, i32, pointer, i32, bool, bool], returns: i32 },

  spell_context_new: { args: [pointer, u32, u32, u32, u32, bool, i32, i32], returns: pointer },
  spell_threads_new: { args: [i32], returns: pointer },
  spell_threads_free: { args: [pointer], returns: nothing },
  llama_attach_threadpool: { args: [pointer, pointer, pointer], returns: nothing },
  spell_context_abort_words: { args: [pointer, pointer], returns: nothing },
  llama_free: { args: [pointer], returns: nothing },
  llama_n_ctx: { args: [pointer], returns: u32 },
  llama_get_memory: { args: [pointer], returns: pointer },
  llama_memory_clear: { args: [pointer, bool], returns: nothing },
  llama_memory_seq_rm: { args: [pointer, i32, i32, i32], returns: bool },
  llama_memory_seq_cp: { args: [pointer, i32, i32, i32, i32], returns: nothing },
  llama_memory_seq_add: { args: [pointer, i32, i32, i32, i32], returns: nothing },
  llama_memory_seq_pos_max: { args: [pointer, i32], returns: i32 },
  llama_state_seq_get_size: { args: [pointer, i32], returns: FFIType.u64 },
  llama_state_seq_get_data: { args: [pointer, pointer, FFIType.u64, i32], returns: FFIType.u64 },
  llama_state_seq_set_data: { args: [pointer, pointer, FFIType.u64, i32], returns: FFIType.u64 },
  llama_memory_can_shift: { args: [pointer], returns: bool },
  spell_encoder_context_new: { args: [pointer, u32, i32], returns: pointer },
  spell_batch_encode: { args: [pointer, pointer, i32, pointer, pointer, pointer], returns: i32 },
  llama_model_decoder_start_token: { args: [pointer], returns: i32 },
  spell_batch_new: { args: [i32, pointer], returns: pointer },
  spell_batch_free: { args: [pointer], returns: nothing },
  spell_batch_decode: { args: [pointer, pointer, i32, pointer, pointer, pointer], returns: i32 },

  spell_embedding_context_new: { args: [pointer, u32, u32, u32, i32, i32, i32], returns: pointer },
  spell_embedding_read: { args: [pointer, i32, pointer, i32], returns: bool },

  spell_templates_new: { args: [pointer, pointer], returns: pointer },
  spell_templates_free: { args: [pointer], returns: nothing },
  spell_chat_new: { args: [pointer, pointer], returns: pointer },
  spell_chat_free: { args: [pointer], returns: nothing },
  spell_chat_describe: { args: [pointer], returns: pointer },
  spell_chat_parse: { args: [pointer, pointer, i32, bool], returns: pointer },

  spell_sampler_new: { args: [pointer, pointer, pointer, pointer], returns: pointer },
  spell_sampler_free: { args: [pointer], returns: nothing },
  spell_sampler_seen: { args: [pointer, pointer, i32], returns: nothing },
  spell_sampler_draft_from: { args: [pointer, pointer, i32, i32, i32], returns: nothing },
  spell_sampler_next: { args: [pointer, pointer, i32, pointer, i32, pointer], returns: i32 },
  spell_grammar_forget: { args: [pointer], returns: nothing },
  spell_generate: { args: [pointer, i32, i32, pointer], returns: i32 },
  spell_sampler_error: { args: [pointer], returns: pointer },
} as const;

type Symbols = ReturnType<typeof dlopen<typeof SYMBOLS>>["symbols"];

const GGML_LOG_LEVEL_WARN = 3;
const LOG_BYTES = 8192;

/** The loaded library of this thread. Its handle is never closed: backends keep threads and state in it. */
export interface LlamaLibrary {
  readonly fn: Symbols;
  /** What llama.cpp has logged since the last call, warnings and errors only. */
  takeLog(): string;
  /** Copies and frees a text that native code handed over. */
  takeText(text: Address | null): string;
  readonly backends: Backends;
}

let loaded: LlamaLibrary | undefined;

/**
 * Loads llama.cpp from a directory with the whole set and starts its backends. Memoised for the thread.
 * @throws SpellError platform
 */
export function loadLlama(directory: string): LlamaLibrary {
  loaded ??= open(directory);
  return loaded;
}

function open(directory: string): LlamaLibrary {
  const suffix = process.platform === "darwin" ? "dylib" : "so";
  const path = join(directory, `libllmspell-llama.${suffix}`);
  let fn: Symbols;
  try {
    fn = dlopen(path, SYMBOLS).symbols;
  } catch (error) {
    throw new SpellError(
      "platform",
      `Cannot load llama.cpp on ${process.platform}-${process.arch}: ${path}`,
      {
        cause: error,
        data: { reason: messageOf(error) },
        hint:
          process.platform === "linux" ? "It needs glibc 2.34 and libstdc++ 6.0.29 (GCC 11) or later" : "",
      },
    );
  }
  fn.spell_log_capture(GGML_LOG_LEVEL_WARN);
  fn.spell_common_quiet();

  const logBuffer = new Uint8Array(new ArrayBuffer(LOG_BYTES));
  const library: Omit<LlamaLibrary, "backends"> = {
    fn,
    takeLog: () =>
      new TextDecoder().decode(logBuffer.subarray(0, fn.spell_log_take(ptr(logBuffer), LOG_BYTES))),
    takeText(text) {
      if (text === null) throw new SpellError("limit", "Cannot read an answer of llama.cpp: out of memory");
      const copy = new CString(text as Pointer).toString();
      fn.spell_text_free(text);
      return copy;
    },
  };
  return { ...library, backends: openBackends(library, directory) };
}
