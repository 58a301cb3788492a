-- Prints the median time in microseconds: `increment` until the kernel has counted it, `wait` a call that crosses, `tool`
-- a tool call.
local BATCHES, CALLS = 31, tonumber(ARGS.calls)

local calls = {
  increment = function() Metrics.increment("bench.count", 1) end,
  wait = function() return Provider.get("bench") end,
  tool = function() return Tool.execute("uuid-generator", {}) end,
}
local call, times = calls[ARGS.kind], {}
for batch = 1, BATCHES do
  local timer = Debug.timer("batch")
  for _ = 1, CALLS do call() end
  Metrics.get("bench.count")
  times[batch] = timer:stop() * 1000 / CALLS
end
table.sort(times)
print(times[(BATCHES + 1) // 2])
