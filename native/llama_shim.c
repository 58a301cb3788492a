// What bun:ffi cannot say to llama.cpp's C API: structs passed by value, C callbacks, the log.
#include "ggml-backend.h"
#include "huge_pages.h"
#include "llama.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

// --- log: the last warnings and errors, kept for messages; nothing is printed

enum { LOG_BYTES = 8192 };
static char log_text[LOG_BYTES];
static size_t log_length;
static int log_keep_level = GGML_LOG_LEVEL_WARN;
static int log_last_kept;
static atomic_flag log_lock = ATOMIC_FLAG_INIT;

static void keep_log(enum ggml_log_level level, const char *text, void *unused) {
    (void) unused;
    huge_pages_heed(text);
    while (atomic_flag_test_and_set_explicit(&log_lock, memory_order_acquire)) {}
    const int kept = level == GGML_LOG_LEVEL_CONT ? log_last_kept : (int) level >= log_keep_level;
    log_last_kept = kept;
    if (kept) {
        size_t n = strlen(text);
        if (n > LOG_BYTES / 2) n = LOG_BYTES / 2;
        if (log_length + n > LOG_BYTES) { // drop the older half
            memmove(log_text, log_text + log_length - LOG_BYTES / 2, LOG_BYTES / 2);
            log_length = LOG_BYTES / 2;
        }
        memcpy(log_text + log_length, text, n);
        log_length += n;
    }
    atomic_flag_clear_explicit(&log_lock, memory_order_release);
}

// Sends the log of llama.cpp and ggml to memory. `level`: lines of this ggml_log_level and above are kept.
EXPORT void spell_log_capture(int level) {
    log_keep_level = level;
    llama_log_set(keep_log, NULL);
}

// Moves the kept lines to `buffer`, the newest `capacity` bytes of them. Returns their number.
EXPORT int spell_log_take(char *buffer, int capacity) {
    while (atomic_flag_test_and_set_explicit(&log_lock, memory_order_acquire)) {}
    size_t n = log_length < (size_t) capacity ? log_length : (size_t) capacity;
    memcpy(buffer, log_text + log_length - n, n);
    log_length = 0;
    atomic_flag_clear_explicit(&log_lock, memory_order_release);
    return (int) n;
}

// --- model, context

// words[0]: nonzero asks the load to stop; words[1]: progress in thousandths, written here.
static bool report_progress(float progress, void *data) {
    atomic_int *words = data;
    atomic_store(&words[1], (int) (progress * 1000.0f));
    return atomic_load(&words[0]) == 0;
}

// devices_shim.cpp
struct llama_model *spell_model_load_fitting(const char *path, struct llama_model_params *params, uint32_t context_tokens);
int spell_decode_guarded(struct llama_context *context, struct llama_batch batch);
int spell_encode_guarded(struct llama_context *context, struct llama_batch batch);

// The caller frees the model with llama_model_free. NULL on failure: the log says why. `words` is read during the call only.
// `devices`: those that layers are put on, NULL at the end; none: everything stays with the processor. Where `gpu_layers` is
// negative, as many as fit beside a context of `context_tokens`.
EXPORT struct llama_model *spell_model_load(const char *path, int gpu_layers, ggml_backend_dev_t *devices,
                                            uint32_t context_tokens, bool vocabulary_only, bool check_tensors, void *words) {
    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = gpu_layers;
    params.devices = devices;
    params.vocab_only = vocabulary_only;
    params.check_tensors = check_tensors;
    if (words != NULL) {
        params.progress_callback = report_progress;
        params.progress_callback_user_data = words;
    }
    huge_pages_begin();
    struct llama_model *model = gpu_layers < 0 && devices[0] != NULL
                                    ? spell_model_load_fitting(path, &params, context_tokens)
                                    : llama_model_load_from_file(path, params);
    huge_pages_end();
    return model;
}

static struct llama_context *new_context(struct llama_model *model, struct llama_context_params params) {
    huge_pages_begin();
    struct llama_context *context = llama_init_from_model(model, params);
    huge_pages_end();
    return context;
}

// Measured: with room for fewer, llama.cpp lays its buffers out so that reading prompts takes a fifth longer.
enum { LEAST_OUTPUTS = 128 };

// The caller frees the context with llama_free, before its model. NULL on failure: the log says why. A batch must be able to
// hold a token of every sequence. `separate`: each has a part of its own, context_tokens / sequences; else all have one room.
EXPORT struct llama_context *spell_context_new(struct llama_model *model, uint32_t context_tokens, uint32_t batch_tokens,
                                               uint32_t ubatch_tokens, uint32_t sequences, bool separate, int threads,
                                               int flash_attention) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = context_tokens;
    params.n_batch = batch_tokens;
    params.n_ubatch = ubatch_tokens;
    params.n_seq_max = sequences;
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.flash_attn_type = (enum llama_flash_attn_type) flash_attention;
    params.n_outputs_max = sequences > LEAST_OUTPUTS ? sequences : LEAST_OUTPUTS; // not room for the logits of a whole batch
    if (params.n_outputs_max > batch_tokens) params.n_outputs_max = batch_tokens;
    params.kv_unified = !separate;
    params.no_perf = true;
    return new_context(model, params);
}

// --- threads that are kept between decodes; without them ggml starts new ones for every token

enum { POLL_LEVEL = 1 }; // some milliseconds: a thread that waits for the next token does not sleep, one without work soon does

// NULL where one thread is all, or memory does not suffice. The caller frees it after its context.
EXPORT struct ggml_threadpool *spell_threads_new(int count) {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (count < 2 || cpu == NULL) return NULL;
    ggml_backend_reg_t backend = ggml_backend_dev_backend_reg(cpu);
    struct ggml_threadpool *(*create)(struct ggml_threadpool_params *) =
        ggml_backend_reg_get_proc_address(backend, "ggml_threadpool_new");
    struct ggml_threadpool_params params = ggml_threadpool_params_default(count);
    params.poll = POLL_LEVEL;
    return create == NULL ? NULL : create(&params);
}

EXPORT void spell_threads_free(struct ggml_threadpool *threads) {
    if (threads == NULL) return;
    ggml_backend_reg_t backend =
        ggml_backend_dev_backend_reg(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
    void (*destroy)(struct ggml_threadpool *) = ggml_backend_reg_get_proc_address(backend, "ggml_threadpool_free");
    destroy(threads);
}

// words: how many there are, then the address of each.
static bool all_words_are_set(void *data) {
    const uint64_t *words = data;
    for (uint64_t i = 1; i <= words[0]; i++) {
        if (atomic_load((atomic_int *) (uintptr_t) words[i]) == 0) return false;
    }
    return words[0] > 0;
}

// A running decode stops when every word is nonzero. The list and its words must outlive the context or be replaced.
EXPORT void spell_context_abort_words(struct llama_context *context, void *words) {
    llama_set_abort_callback(context, all_words_are_set, words);
}

// --- batch: arrays of the caller, one sequence a token

struct spell_batch {
    int32_t capacity;
    int32_t *one; // n_seq_id: always 1
    llama_seq_id **sequence_of; // points into the caller's array
};

// Works on arrays of `capacity` entries that the caller owns and keeps until spell_batch_free.
EXPORT struct spell_batch *spell_batch_new(int32_t capacity, llama_seq_id *sequences) {
    struct spell_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    batch->capacity = capacity;
    batch->one = malloc((size_t) capacity * sizeof *batch->one);
    batch->sequence_of = malloc((size_t) capacity * sizeof *batch->sequence_of);
    if (batch->one == NULL || batch->sequence_of == NULL) {
        free(batch->one);
        free(batch->sequence_of);
        free(batch);
        return NULL;
    }
    for (int32_t i = 0; i < capacity; i++) {
        batch->one[i] = 1;
        batch->sequence_of[i] = sequences + i;
    }
    return batch;
}

EXPORT void spell_batch_free(struct spell_batch *batch) {
    if (batch == NULL) return;
    free(batch->one);
    free(batch->sequence_of);
    free(batch);
}

static struct llama_batch batch_view(struct spell_batch *batch, int32_t count, llama_token *tokens, llama_pos *positions,
                                     int8_t *outputs) {
    return (struct llama_batch) {
        .n_tokens = count,
        .token = tokens,
        .embd = NULL,
        .pos = positions,
        .n_seq_id = batch->one,
        .seq_id = batch->sequence_of,
        .logits = outputs,
    };
}

// Decodes the first `count` entries. Returns what llama_decode returns (0 done, 1 no room, 2 stopped, < 0 failed).
EXPORT int spell_batch_decode(struct llama_context *context, struct spell_batch *batch, int32_t count,
                              llama_token *tokens, llama_pos *positions, int8_t *outputs) {
    if (count <= 0 || count > batch->capacity) return -1;
    return spell_decode_guarded(context, batch_view(batch, count, tokens, positions, outputs));
}

// --- embeddings

// A context that gives one vector a sequence instead of answers. A batch is computed at once, as attention that looks both
// ways needs it. `pooling` is an enum llama_pooling_type. The caller frees it with llama_free. NULL on failure: the log says why.
EXPORT struct llama_context *spell_embedding_context_new(struct llama_model *model, uint32_t context_tokens,
                                                         uint32_t batch_tokens, uint32_t sequences, int threads,
                                                         int flash_attention, int pooling) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = context_tokens;
    params.n_batch = batch_tokens;
    params.n_ubatch = batch_tokens;
    params.n_seq_max = sequences;
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.flash_attn_type = (enum llama_flash_attn_type) flash_attention;
    params.pooling_type = (enum llama_pooling_type) pooling;
    params.embeddings = true;
    params.kv_unified = true;
    params.no_perf = true;
    return new_context(model, params);
}

// Copies the vector of a sequence of the last batch: `count` numbers, one where the pooling is a score. False where there is none.
EXPORT bool spell_embedding_read(struct llama_context *context, llama_seq_id sequence, float *target, int32_t count) {
    const float *vector = llama_get_embeddings_seq(context, sequence);
    if (vector == NULL) return false;
    memcpy(target, vector, (size_t) count * sizeof *target);
    return true;
}

// --- models with an encoder

// A context whose encoder takes up to `context_tokens` at once and whose decoder remembers as many. Keys and values are F32:
// T5's attention is not scaled, and what it attends to may be beyond F16. The caller frees it with llama_free. NULL on
// failure: the log says why.
EXPORT struct llama_context *spell_encoder_context_new(struct llama_model *model, uint32_t context_tokens, int threads) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = context_tokens;
    params.n_batch = context_tokens;
    params.n_ubatch = context_tokens;
    params.n_seq_max = 1;
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
    params.no_perf = true;
    return new_context(model, params);
}

// Encodes the first `count` entries; what the decoder attends to from then on. Returns what llama_encode returns
// (0 done, 2 stopped, < 0 failed).
EXPORT int spell_batch_encode(struct llama_context *context, struct spell_batch *batch, int32_t count,
                              llama_token *tokens, llama_pos *positions, int8_t *outputs) {
    if (count <= 0 || count > batch->capacity) return -1;
    return spell_encode_guarded(context, batch_view(batch, count, tokens, positions, outputs));
}
