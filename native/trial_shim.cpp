// For a process that tries a file which may end it, or take all memory there is.
#include "shim.h"

#include <cstdint>
#include <cstdio>

#if !defined(_WIN32)
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace {

int64_t most_bytes() {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
    return usage.ru_maxrss;
#else
    return usage.ru_maxrss * 1024;
#endif
}

} // namespace
#endif

// It leaves no dump.
EXPORT void spell_no_core_dump(void) {
#if !defined(_WIN32)
    const rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
#endif
}

// Ends the process where it comes to hold so many bytes more than it held at its most.
EXPORT void spell_end_beyond(int64_t more_bytes) {
#if !defined(_WIN32)
    const int64_t limit = most_bytes() + more_bytes;
    std::thread([limit, more_bytes] {
        while (most_bytes() < limit) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        fprintf(stderr, "\n  what():  it takes more than %lld MB of memory\n", static_cast<long long>(more_bytes / 1000000));
        raise(SIGKILL);
    }).detach();
#else
    (void) more_bytes;
#endif
}
