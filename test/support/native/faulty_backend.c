// A GPU for tests: a ggml backend in a library of its own, as CUDA's and Vulkan's are. It computes with the processor, in
// memory of its own, and fails where FAULTY_GPU says: `alloc` (no memory for weights), `start` (no stream for a context),
// `compute:N` (at its N-th computation). Otherwise it works. FAULTY_GPU_ROOM: bytes that it really has, beside the GiB that
// llama.cpp leaves free on every card; default 8 GiB.
#include "ggml-backend-impl.h"
#include "ggml-cpu.h"

#include <stdlib.h>
#include <string.h>

static int fails(const char *what) {
    const char *mode = getenv("FAULTY_GPU");
    return mode != NULL && strcmp(mode, what) == 0;
}

static size_t room(void) {
    const char *given = getenv("FAULTY_GPU_ROOM");
    return given == NULL ? (size_t) 8 << 30 : strtoull(given, NULL, 10);
}

static ggml_backend_dev_t cpu(void) { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

// --- memory

static size_t used;

static void buffer_free(ggml_backend_buffer_t b) {
    used -= b->size;
    free(b->context);
}
static void *buffer_base(ggml_backend_buffer_t b) { return b->context; }
static void buffer_memset(ggml_backend_buffer_t b, struct ggml_tensor *t, uint8_t v, size_t at, size_t n) {
    (void) b;
    memset((char *) t->data + at, v, n);
}
static void buffer_set(ggml_backend_buffer_t b, struct ggml_tensor *t, const void *data, size_t at, size_t n) {
    (void) b;
    memcpy((char *) t->data + at, data, n);
}
static void buffer_get(ggml_backend_buffer_t b, const struct ggml_tensor *t, void *data, size_t at, size_t n) {
    (void) b;
    memcpy(data, (const char *) t->data + at, n);
}
static void buffer_clear(ggml_backend_buffer_t b, uint8_t v) { memset(b->context, v, b->size); }

static const char *type_name(ggml_backend_buffer_type_t t) {
    (void) t;
    return "Faulty";
}
static size_t type_alignment(ggml_backend_buffer_type_t t) {
    (void) t;
    return 64;
}
static ggml_backend_buffer_t type_alloc(ggml_backend_buffer_type_t t, size_t n) {
    void *memory = NULL;
    if (fails("alloc") || used + n > room() || posix_memalign(&memory, 64, n == 0 ? 64 : n) != 0) return NULL;
    used += n;
    const struct ggml_backend_buffer_i iface = {
        .free_buffer = buffer_free,
        .get_base = buffer_base,
        .memset_tensor = buffer_memset,
        .set_tensor = buffer_set,
        .get_tensor = buffer_get,
        .clear = buffer_clear,
    };
    return ggml_backend_buffer_init(t, iface, memory, n);
}

static struct ggml_backend_device device;
static struct ggml_backend_buffer_type buffer_type = {
    .iface = { .get_name = type_name, .alloc_buffer = type_alloc, .get_alignment = type_alignment },
    .device = &device,
};

// --- computing

static const char *backend_name(ggml_backend_t b) {
    (void) b;
    return "Faulty";
}
static void backend_free(ggml_backend_t b) {
    ggml_backend_free(b->context);
    free(b);
}
static enum ggml_status backend_compute(ggml_backend_t b, struct ggml_cgraph *graph) {
    static int computed;
    const char *mode = getenv("FAULTY_GPU");
    if (mode != NULL && strncmp(mode, "compute:", 8) == 0 && ++computed >= atoi(mode + 8)) return GGML_STATUS_FAILED;
    return ggml_backend_graph_compute(b->context, graph);
}

static ggml_guid guid = { 0xfa, 0x17 };

static ggml_backend_t device_start(ggml_backend_dev_t d, const char *params) {
    if (fails("start")) return NULL;
    ggml_backend_t b = calloc(1, sizeof *b);
    b->guid = &guid;
    b->iface.get_name = backend_name;
    b->iface.free = backend_free;
    b->iface.graph_compute = backend_compute;
    b->device = d;
    b->context = ggml_backend_dev_init(cpu(), params);
    ggml_backend_set_n_threads_t set_threads =
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu()), "ggml_backend_set_n_threads");
    set_threads(b->context, 1);
    return b;
}

// --- device and registration

static const char *device_name(ggml_backend_dev_t d) {
    (void) d;
    return "Faulty0";
}
static const char *device_description(ggml_backend_dev_t d) {
    (void) d;
    return "a GPU for tests";
}
static void device_memory(ggml_backend_dev_t d, size_t *free_bytes, size_t *total_bytes) {
    (void) d;
    *free_bytes = *total_bytes = room() + ((size_t) 1 << 30);
}
static enum ggml_backend_dev_type device_type(ggml_backend_dev_t d) {
    (void) d;
    return GGML_BACKEND_DEVICE_TYPE_GPU;
}
static void device_props(ggml_backend_dev_t d, struct ggml_backend_dev_props *props) {
    memset(props, 0, sizeof *props);
    props->name = device_name(d);
    props->description = device_description(d);
    props->type = device_type(d);
    device_memory(d, &props->memory_free, &props->memory_total);
}
static ggml_backend_buffer_type_t device_buffer_type(ggml_backend_dev_t d) {
    (void) d;
    return &buffer_type;
}
static bool device_supports_op(ggml_backend_dev_t d, const struct ggml_tensor *op) {
    (void) d;
    return ggml_backend_dev_supports_op(cpu(), op);
}
static bool device_supports_type(ggml_backend_dev_t d, ggml_backend_buffer_type_t t) {
    (void) d;
    return t == &buffer_type;
}

static const char *reg_name(ggml_backend_reg_t r) {
    (void) r;
    return "Faulty";
}
static size_t reg_count(ggml_backend_reg_t r) {
    (void) r;
    return fails("none") ? 0 : 1;
}
static ggml_backend_dev_t reg_device(ggml_backend_reg_t r, size_t i) {
    (void) r;
    (void) i;
    return &device;
}

static struct ggml_backend_reg reg = {
    .api_version = GGML_BACKEND_API_VERSION,
    .iface = { .get_name = reg_name, .get_device_count = reg_count, .get_device = reg_device },
};

__attribute__((visibility("default"))) ggml_backend_reg_t ggml_backend_init(void) {
    device = (struct ggml_backend_device) {
        .iface = {
            .get_name = device_name,
            .get_description = device_description,
            .get_memory = device_memory,
            .get_type = device_type,
            .get_props = device_props,
            .init_backend = device_start,
            .get_buffer_type = device_buffer_type,
            .supports_op = device_supports_op,
            .supports_buft = device_supports_type,
        },
        .reg = &reg,
    };
    return &reg;
}
