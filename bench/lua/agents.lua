-- Prints what a scripted model's answers cost: `create` an agent, one `turn`, a `turn_tool` with a tool call, microseconds each;
-- `stream`, microseconds for each token that reaches a function of the script.
local function median(batches, calls, call)
  local times = {}
  for batch = 1, batches do
    local timer = Debug.timer("batch")
    local count = 0
    for _ = 1, calls do count = count + (call() or 1) end
    times[batch] = timer:stop() * 1000 / count
  end
  table.sort(times)
  return times[(batches + 1) // 2]
end

local agent = Agent.create{name = "ada", model = "ci/scripted", memory_enabled = false, tools = {"calculator"}}
local number = 0

print(({
  create = function()
    return median(21, 100, function()
      number = number + 1
      Agent.create{name = "a" .. number, model = "ci/scripted"}:destroy()
    end)
  end,
  turn = function() return median(21, 200, function() agent:execute("hello") end) end,
  turn_tool = function() return median(21, 100, function() agent:execute("reckon") end) end,
  stream = function()
    return median(11, 2, function()
      return agent:invokeStream("long", function() end).chunks_received
    end)
  end,
})[ARGS.kind]())
