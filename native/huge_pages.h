// Memory of models and contexts on huge pages.
#pragma once

// From now to huge_pages_end this thread makes a model or a context; calls do not nest.
void huge_pages_begin(void);
// A line of llama.cpp's log.
void huge_pages_heed(const char *line);
void huge_pages_end(void);
