#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

typedef float lanes __attribute__((vector_size(16)));
const int32_t LANES = sizeof(lanes) / sizeof(float);
const int32_t BLOCK = 256;

static inline lanes larger(lanes a, lanes b) { return a > b ? a : b; }

// The place of the first of the largest; -1 where all are NaN. The largest of each block is found in lanes, its place in one
// block only: that takes a twentieth of looking at them one by one, which counts beside a fast model.
static int32_t largest(const float * values, int32_t count) {
    float most = -INFINITY;
    int32_t from = 0;
    for (int32_t start = 0; start < count; start += BLOCK) {
        const int32_t end = std::min(start + BLOCK, count);
        lanes best[4];
        for (auto & one : best) for (int32_t i = 0; i < LANES; i++) one[i] = -INFINITY;
        int32_t i = start;
        for (; i + 4 * LANES <= end; i += 4 * LANES) {
            lanes next[4];
            memcpy(next, values + i, sizeof next);
            for (int32_t k = 0; k < 4; k++) best[k] = larger(next[k], best[k]);
        }
        const lanes all = larger(larger(best[0], best[1]), larger(best[2], best[3]));
        float here = -INFINITY;
        for (int32_t k = 0; k < LANES; k++) here = std::max(here, all[k]);
        for (; i < end; i++) here = values[i] > here ? values[i] : here;
        if (here > most) { most = here; from = start; }
    }
    for (int32_t i = from; i < count; i++) if (values[i] == most) return i;
    return -1;
}
