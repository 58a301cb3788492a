// Every step of a template allocates. So the allocation functions, which C++ lets a program replace, are where it is looked
// after; for other threads they do what they always do.
#include "bounded.h"

#if defined(__linux__)

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <malloc.h>
#include <new>
#include <pthread.h>
#include <stdexcept>

namespace {

const int64_t SECOND_NS = 1'000'000'000;
const int64_t MOST_SECONDS = 3;
const int64_t MOST_BYTES = int64_t(512) << 20;
// Values within values are freed by calls within calls: of 512 MB of them at most. Pages that are never reached cost nothing;
// where there is no address space for so many, fewer have to do.
const size_t STACK_BYTES[] = { size_t(2) << 30, size_t(256) << 20, size_t(32) << 20 };
const size_t MOST_DEPTH_SHARE = 16; // of the stack, for a template that calls itself
// For what an exception needs on its way. libllama-common catches some and goes on with other things: those are ended as well.
const int64_t GRACE_BYTES = int64_t(16) << 20;
const int64_t GRACE_NS = SECOND_NS / 10;
const uint32_t LOOK_EVERY = 1024;              // allocations, some 20 µs

enum reason { NONE, TIME, MEMORY, DEPTH };

struct beyond : std::bad_alloc {
    const char * what() const noexcept override { return "the bounds of a chat template"; }
};

struct watch {
    int64_t held_bytes = 0;
    int64_t limit_bytes = MOST_BYTES;
    int64_t limit_ns = MOST_SECONDS * SECOND_NS;
    uint32_t allocations = 0;
    const char * deepest;
    reason passed = NONE;

    [[noreturn]] void pass(reason which) {
        if (passed == NONE) passed = which;
        throw beyond();
    }

    void look(size_t bytes) {
        const char here = 0;
        if (&here < deepest) pass(DEPTH);
        if (held_bytes + static_cast<int64_t>(bytes) > limit_bytes) {
            limit_bytes = held_bytes + GRACE_BYTES;
            pass(MEMORY);
        }
        if (++allocations % LOOK_EVERY != 0) return;
        timespec used;
        if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) != 0) return;
        const int64_t used_ns = used.tv_sec * SECOND_NS + used.tv_nsec;
        if (used_ns < limit_ns) return;
        limit_ns = used_ns + GRACE_NS;
        pass(TIME);
    }
};

__attribute__((tls_model("initial-exec"))) thread_local watch * watching = nullptr;

struct call {
    const std::function<void()> & work;
    size_t stack_bytes;
    std::exception_ptr failure;
    reason passed = NONE;
};

void * run(void * argument) {
    auto & one = *static_cast<call *>(argument);
    const char here = 0;
    watch own;
    own.deepest = &here - one.stack_bytes / MOST_DEPTH_SHARE;
    watching = &own;
    try {
        one.work();
    } catch (...) {
        watching = nullptr;
        one.failure = std::current_exception();
    }
    watching = nullptr;
    one.passed = own.passed;
    return nullptr;
}

} // namespace

void * operator new(size_t bytes) {
    if (watching != nullptr) watching->look(bytes);
    void * memory = malloc(bytes == 0 ? 1 : bytes);
    if (memory == nullptr) throw std::bad_alloc();
    if (watching != nullptr) watching->held_bytes += malloc_usable_size(memory);
    return memory;
}

void operator delete(void * memory) noexcept {
    if (watching != nullptr && memory != nullptr) watching->held_bytes -= malloc_usable_size(memory);
    free(memory);
}

void operator delete(void * memory, size_t) noexcept { operator delete(memory); }

void spell_bounded(const std::function<void()> & work) {
    call one{ work, 0, nullptr };
    pthread_t thread;
    int status = -1;
    for (const auto bytes : STACK_BYTES) {
        one.stack_bytes = bytes;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, bytes);
        status = pthread_create(&thread, &attributes, run, &one);
        pthread_attr_destroy(&attributes);
        if (status == 0) break;
    }
    if (status != 0) throw std::runtime_error("there is no memory for a thread");
    pthread_join(thread, nullptr);
    switch (one.passed) {
        case TIME: throw std::runtime_error("the template takes more than " + std::to_string(MOST_SECONDS) + " s");
        case MEMORY: throw std::runtime_error("the template takes more than " + std::to_string(MOST_BYTES >> 20) + " MB");
        case DEPTH: throw std::runtime_error("the template calls itself without end");
        case NONE: break;
    }
    if (one.failure) std::rethrow_exception(one.failure);
}

#else

void spell_bounded(const std::function<void()> & work) { work(); }

#endif
