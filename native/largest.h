#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

typedef float lanes __attribute__((vector_size(16)));
const int32_t LANES = sizeof(lanes) / sizeof(float);

static inline lanes larger(lanes a, lanes b) { return a > b ? a : b; }

static float largest_of(const float * values, int32_t count) {
    lanes best[4];
    for (auto & one : best) for (int32_t i = 0; i < LANES; i++) one[i] = -INFINITY;
    int32_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
        lanes next[4];
        memcpy(next, values + i, sizeof next);
        for (int32_t k = 0; k < 4; k++) best[k] = larger(next[k], best[k]);
    }
    const lanes all = larger(larger(best[0], best[1]), larger(best[2], best[3]));
    float most = -INFINITY;
    for (int32_t k = 0; k < LANES; k++) most = std::max(most, all[k]);
    for (; i < count; i++) most = values[i] > most ? values[i] : most;
    return most;
}

// The place of the first of the largest; -1 where all are NaN. The largest of each block is found in lanes, its place in one
// block only: that takes a twentieth of looking at them one by one, which counts beside a fast model.
static int32_t largest(const float * values, int32_t count) {
    const int32_t block = 256;
    float most = -INFINITY;
    int32_t from = 0;
    for (int32_t start = 0; start < count; start += block) {
        const float here = largest_of(values + start, std::min(block, count - start));
        if (here > most) {
            most = here;
            from = start;
        }
    }
    for (int32_t i = from; i < count; i++) if (values[i] == most) return i;
    return -1;
}

// Appends the places of the `wanted` largest, and of some more: as many blocks have a value of the threshold or above.
static void among_largest(const float * values, int32_t count, size_t wanted, std::vector<int32_t> & places) {
    const int32_t block = 64;
    std::vector<float> tops;
    for (int32_t start = 0; start < count; start += block) tops.push_back(largest_of(values + start, std::min(block, count - start)));
    float threshold = -INFINITY;
    if (wanted > 0 && wanted < tops.size()) {
        auto sorted = tops;
        std::nth_element(sorted.begin(), sorted.begin() + wanted - 1, sorted.end(), std::greater<float>());
        threshold = sorted[wanted - 1];
    }
    for (int32_t start = 0; start < count; start += block) {
        if (tops[start / block] < threshold) continue;
        const int32_t end = std::min(start + block, count);
        for (int32_t i = start; i < end; i++) if (values[i] >= threshold) places.push_back(i);
    }
}
