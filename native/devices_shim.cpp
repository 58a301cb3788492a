// Backends and devices: what needs C++ of libllama-common, or must keep an exception from crossing. The rest of
// ggml-backend.h is called directly.
#include "fit.h"
#include "ggml-backend.h"
#include "llama.h"
#include "shim.h"

#include <cstdlib>
#include <exception>
#include <new>
#include <vector>

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

// How well a backend library suits this processor, by its own account: 0 not at all, -1 where it cannot be loaded.
EXPORT int spell_backend_score(const char * path) {
#if defined(_WIN32)
    HMODULE library = LoadLibraryA(path);
    if (library == nullptr) return -1;
    auto score = reinterpret_cast<int (*)()>(GetProcAddress(library, "ggml_backend_score"));
    const int value = score == nullptr ? 0 : score();
    FreeLibrary(library);
#else
    void * library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return -1;
    auto score = reinterpret_cast<int (*)()>(dlsym(library, "ggml_backend_score"));
    const int value = score == nullptr ? 0 : score();
    dlclose(library);
#endif
    return value;
}

// NULL where the library or its driver cannot be used: the log says why. Never unloaded.
EXPORT ggml_backend_reg_t spell_backend_load(const char * path) {
    try {
        return ggml_backend_load(path);
    } catch (const std::exception &) {
        return nullptr;
    }
}

// llama_decode for backends that throw (Vulkan, when its device is lost): -3 then, as for any failed computation.
EXPORT int spell_decode_guarded(llama_context * context, llama_batch batch) {
    try {
        return llama_decode(context, batch);
    } catch (const std::exception &) {
        return -3;
    }
}

// The same for llama_encode.
EXPORT int spell_encode_guarded(llama_context * context, llama_batch batch) {
    try {
        return llama_encode(context, batch);
    } catch (const std::exception &) {
        return -3;
    }
}

namespace {

constexpr size_t MARGIN_BYTES = size_t(1) << 30; // llama.cpp's own default
constexpr uint32_t SMALLEST_CONTEXT = 512;

// Where llama.cpp writes what it found to fit; the model reads it while it is loaded.
struct fitted {
    std::vector<float> split = std::vector<float>(llama_max_devices(), 0.0f);
    std::vector<llama_model_tensor_buft_override> overrides =
        std::vector<llama_model_tensor_buft_override>(llama_max_tensor_buft_overrides());
    std::vector<size_t> margins = std::vector<size_t>(llama_max_devices(), MARGIN_BYTES);
};

} // namespace

// Loads a model with as many layers on `params->devices` as fit beside a context of that many tokens.
EXPORT llama_model * spell_model_load_fitting(const char * path, llama_model_params * params, uint32_t context_tokens) {
    try {
        fitted memory;
        llama_context_params context = llama_context_default_params();
        context.n_ctx = context_tokens;
        llama_model_params wanted = *params;
        wanted.n_gpu_layers = llama_model_default_params().n_gpu_layers;
        wanted.progress_callback = [](float, void *) { return true; };
        const auto status = common_fit_params(path, &wanted, &context, memory.split.data(), memory.overrides.data(),
                                              memory.margins.data(), SMALLEST_CONTEXT, nullptr, GGML_LOG_LEVEL_ERROR);
        wanted.progress_callback = params->progress_callback;
        if (status == COMMON_PARAMS_FIT_STATUS_SUCCESS) return llama_model_load_from_file(path, wanted);
    } catch (const std::exception &) {
        // not to be foreseen: tried as asked for
    }
    return llama_model_load_from_file(path, *params);
}
