#pragma once

#include <functional>
#include <string>

// Runs work that a file decides about: what a chat template does with a conversation. It is ended with an exception where it
// takes more than 3 s of processor time, holds more than 512 MB, or calls itself without end.
// throws what the work throws; std::runtime_error that says which of these it was
void spell_bounded(const std::function<void()> & work);
