// What the C interfaces share.
#pragma once

#include <cstdlib>
#include <cstring>
#include <string>

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

// A copy that the caller frees with spell_text_free.
inline char * text(const std::string & s) {
    char * copy = static_cast<char *>(malloc(s.size() + 1));
    if (copy != nullptr) memcpy(copy, s.c_str(), s.size() + 1);
    return copy;
}
