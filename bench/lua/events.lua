-- Prints how many events a second a script publishes, until the bus has taken the last one.
local COUNT = tonumber(ARGS.count)
local publish = Event.publish

local function round(count)
  local timer = Debug.timer("publish")
  for n = 1, count do publish("user.login", { n = n }) end
  local processed = Event.get_stats().event_bus_stats.events_processed
  return count / (timer:stop() / 1000), processed
end

Event.subscribe("user.*", { buffer_size = 2 * COUNT })
local _, before = round(COUNT // 10)
local rate, after = round(COUNT)
assert(after - before == COUNT, "events are missing")
print(math.floor(rate))
