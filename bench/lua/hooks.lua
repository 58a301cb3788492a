-- Prints the median time of a tool call in microseconds: `hook` with a hook of the script before it, `without`.
local BATCHES, CALLS = 31, 100

if ARGS.kind == "hook" then Hook.register("BeforeToolExecution", function(ctx) end, {breaker = "off"}) end

local times = {}
for batch = 1, BATCHES do
  local timer = Debug.timer("batch")
  for _ = 1, CALLS do Tool.execute("calculator", {operation = "evaluate", input = "1+1"}) end
  times[batch] = timer:stop() * 1000 / CALLS
end
table.sort(times)
print(times[(BATCHES + 1) // 2])
