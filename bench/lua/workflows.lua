-- Prints a median in microseconds: of one step in a workflow of 200 (`steps`, `durable`), of a run of 100 branches, so many at a
-- time as `--at_once` says (`branches`), of one call of the tool by itself (`calls`).
local BATCHES, STEPS = 15, 200
local kind = ARGS.kind

local function step(i)
  return {name = "s" .. i, type = "tool", tool = "calculator", input = {input = "1+1"}}
end

local steps = {}
for i = 1, kind == "branches" and 100 or STEPS do steps[i] = step(i) end
local workflow = kind == "branches" and Workflow.parallel{name = "bench", steps = steps, max_concurrency = tonumber(ARGS.at_once)}
  or Workflow.sequential{name = "bench", steps = steps}

local times = {}
for batch = 0, BATCHES do
  local options = kind == "durable" and {run_id = "bench-" .. batch} or nil
  local timer = Debug.timer("run")
  if kind == "calls" then for _ = 1, STEPS do Tool.execute("calculator", {input = "1+1"}) end
  else workflow:execute({}, options) end
  local us = timer:stop() * 1000
  if batch > 0 then times[batch] = kind == "branches" and us or us / STEPS end -- the first one loads
end
table.sort(times)
print(times[(BATCHES + 1) // 2])
