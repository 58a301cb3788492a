-- Prints the median time of a call in microseconds: `write` stores a small table for good, `read` loads it.
local BATCHES, CALLS = 31, tonumber(ARGS.calls)

local function median(call)
  local times = {}
  for batch = 1, BATCHES do
    local timer = Debug.timer("batch")
    for i = 1, CALLS do call(i) end
    times[batch] = timer:stop() * 1000 / CALLS
  end
  table.sort(times)
  return times[(BATCHES + 1) // 2]
end

local value = {name = "spell", count = 42, ratio = 0.5, done = true}
State.save("global", "bench", value)

local calls = {
  write = function(i) State.save("global", "key" .. i % 100, value) end,
  read = function() return State.load("global", "bench") end,
}
print(median(calls[ARGS.kind]))
