// For a process that tries a file which may end it, or take all memory there is.
#include "shim.h"

#include <cstdint>
#include <cstdio>

#if !defined(_WIN32)
#include <sys/resource.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach/mach.h>
#endif

#include <chrono>
#include <csignal>
#include <thread>

namespace {

// What is held at the moment. The largest ever, which getrusage tells, begins with that of the process that started this one.
int64_t held_bytes() {
#if defined(__APPLE__)
    mach_task_basic_info info = {};
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count);
    return static_cast<int64_t>(info.resident_size);
#else
    long long all = 0, resident = 0;
    FILE * file = fopen("/proc/self/statm", "r");
    if (file == nullptr) return 0;
    if (fscanf(file, "%lld %lld", &all, &resident) != 2) resident = 0;
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
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

// Ends the process where it comes to hold so many bytes more than it holds now.
EXPORT void spell_end_beyond(int64_t more_bytes) {
#if !defined(_WIN32)
    const int64_t limit = held_bytes() + more_bytes;
    std::thread([limit, more_bytes] {
        while (held_bytes() < limit) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        fprintf(stderr, "\n  what():  it takes more than %lld MB of memory\n", static_cast<long long>(more_bytes / 1000000));
        raise(SIGKILL);
    }).detach();
#else
    (void) more_bytes;
#endif
}
