-- llmspell run examples/events.lua

-- Everything published from here on that matches waits in a queue of this subscription.
local orders = Event.subscribe("order.*")
Event.publish("order.created", { id = 7, items = { "tea", "milk" } })
Event.publish("order.paid", { id = 7, total = 4.5 })

local event = Event.receive(orders, 1000)
while event do
  print(event.event_type, event.data.id)
  event = Event.receive(orders, 0)
end

-- A function that is called whenever the script waits.
local errors = 0
local watcher = Event.on("*.error", function(failure)
  errors = errors + 1
  print("error in " .. failure.event_type:match("^(.-)%."), failure.data.message)
end)
Event.publish("payment.error", { message = "card expired" })
Event.publish("stock.error", { message = "no milk left" }, { priority = -1 })
Event.flush()
print("errors", errors)
Event.off(watcher)

-- What belongs together, and why.
local job = "6f1c2b60-5a7e-4a52-9d0e-3f7f0c9a1b11"
for _, step in ipairs({ "started", "completed" }) do
  Event.publish("job." .. step, nil, { correlation_id = job })
end
local timeline = Event.timeline(job)
print("timeline", #timeline.events, timeline.links[1].relationship)

print("past orders", #Event.history({ pattern = "order.*" }))
