-- Prints the median time of an operation on sessions in microseconds; it runs over SQLite.
local BATCHES = 21

local function median(calls, call)
  local times = {}
  for batch = 1, BATCHES do
    local timer = Debug.timer("batch")
    for _ = 1, calls do call() end
    times[batch] = timer:stop() * 1000 / calls
  end
  table.sort(times)
  return times[(BATCHES + 1) // 2]
end

local id = Session.create({name = "bench"})
local count = 0

local function bytes(length)
  local parts, state = {}, 1
  for i = 1, length // 8 do
    state = state * 6364136223846793005 + 1442695040888963407
    parts[i] = string.pack("<i8", state)
  end
  return table.concat(parts)
end

local function storing(content)
  return function()
    count = count + 1
    Artifact.store(id, "note", "a" .. count, content .. count)
  end
end

local operations = {
  create = {50, function() Session.create({name = "bench"}) end},
  save = {50, function() Session.save(id) end},

  store_1k = {20, storing(bytes(1024))},
  store_1m = {1, storing(bytes(1 << 20))},
}
local calls, call = table.unpack(operations[ARGS.operation])
print(median(calls, call))
