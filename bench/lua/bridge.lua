-- Prints the median time of a call in microseconds: `wait` crosses to the kernel, `local` stays in the script's thread.
local BATCHES, CALLS = 61, tonumber(ARGS.calls)

local function median(call)
  local times = {}
  for batch = 1, BATCHES do
    local timer = Debug.timer("batch")
    for _ = 1, CALLS do call() end
    times[batch] = timer:stop() * 1000 / CALLS
  end
  table.sort(times)
  return times[(BATCHES + 1) // 2]
end

local calls = {
  wait = function() return Provider.get("bench") end,
  ["local"] = function() return Debug.setLevel("info") end,
}
print(median(calls[ARGS.kind]))
