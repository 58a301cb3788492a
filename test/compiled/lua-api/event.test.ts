/** spec/lua-api.md section 7. */
import { luaTable } from "./support.ts";

luaTable("Event", {
  config: `[runtime]\nlog_level = "error"`,
  setup: `
    local function types(id)
      local found = {}
      while true do
        local event = Event.receive(id, 0)
        if not event then return found end
        found[#found + 1] = event.event_type
      end
    end`,
  cases: [
    [
      "delivers what is published after the subscription, in order",
      `Event.publish("order.early", 1)
       local id = Event.subscribe("order.*")
       local published = Event.publish("order.paid", {n = 1})
       Event.emit("order.sent", {n = 2})
       Event.publish("other", 3)
       local first, second = Event.receive(id, 1000), Event.receive(id, 1000)
       return published, first.event_type, first.data, second.event_type, second.data, Event.receive(id, 20)`,
      `true "order.paid" {n=1} "order.sent" {n=2} nil`,
    ],
    [
      "gives the whole table of the specification",
      `local id = Event.subscribe("whole", {language = "python"})
       Event.publish("whole", "x", {language = "javascript", ttl_seconds = 60,
         correlation_id = "3043b715-8f9d-4350-a494-5854d1617b12"})
       local e = Event.receive(id)
       return e.data, e.correlation_id == e.metadata.correlation_id and e.correlation_id, e.language, e.ttl, e.metadata.ttl,
         e.metadata.priority, e.metadata.tags, e.target_language, e.serialization_version, math.type(e.sequence),
         #e.id, e.timestamp:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$") ~= nil, e.metadata.source, e.metadata.target`,
      `"x" "3043b715-8f9d-4350-a494-5854d1617b12" "javascript" 60 60 0 {} "python" "1.0" "integer" 36 true nil nil`,
    ],
    [
      "keeps payloads as they are: sequences, nested tables, text, numbers, booleans, nothing",
      `local id = Event.subscribe("data")
       local found = {}
       for i, value in ipairs{{1, "two", {3}}, {a = {b = {c = true}}}, "text", 1.5, 9007199254740993, false} do
         Event.publish("data", value)
         found[i] = Event.receive(id).data
       end
       Event.publish("data")
       return found, Event.receive(id).data`,
      `{{1, "two", {3}}, {a={b={c=true}}}, "text", 1.5, 9007199254740993, false} nil`,
    ],
    [
      "matches stars at the end across dots, within a segment, and double stars across segments",
      `local prefix, leading, inner, across, all =
         Event.subscribe("p.*"), Event.subscribe("*.error"), Event.subscribe("p.*.z"), Event.subscribe("**.error"), Event.subscribe("*")
       for _, name in ipairs{"p.a", "p.a.z", "p.error", "q.p.error", "error"} do Event.publish(name) end
       return types(prefix), types(leading), types(inner), types(across), #types(all)`,
      `{"p.a", "p.a.z", "p.error"} {"p.error"} {"p.a.z"} {"p.error", "q.p.error", "error"} 5`,
    ],
    [
      "gives every matching subscription each event",
      `local a, b = Event.subscribe("twice"), Event.subscribe("tw*")
       Event.publish("twice")
       return types(a), types(b)`,
      `{"twice"} {"twice"}`,
    ],
    [
      "delivers the urgent first and what has expired never",
      `local id = Event.subscribe("*")
       Event.publish("late", nil, {priority = 5})
       Event.publish("gone", nil, {ttl_seconds = 0})
       Event.publish("normal")
       Event.publish("urgent", nil, {priority = -5})
       local other = Event.subscribe("nothing")
       Event.receive(other, 20)
       return types(id)`,
      `{"urgent", "normal", "late"}`,
    ],
    [
      "waits no longer than it is told, and by default long enough for an event that is there",
      `local id = Event.subscribe("never")
       local before = os.time()
       return Event.receive(id, 0), Event.receive(id, 50), os.time() - before < 3`,
      `nil nil true`,
    ],
    [
      "ends a subscription once",
      `local id = Event.subscribe("x")
       return Event.unsubscribe(id), Event.unsubscribe(id), Event.receive(id)`,
      /^raises: Subscription not found: /,
    ],
    [
      "lists subscriptions with pattern and language",
      `for _, s in ipairs(Event.list_subscriptions()) do Event.unsubscribe(s.id) end
       local a, b = Event.subscribe("a.*"), Event.subscribe("b", {language = "python"})
       local all = Event.list_subscriptions()
       return #all, all[1].id == a, all[1].pattern, all[1].language, all[2].pattern, all[2].language`,
      `2 true "a.*" "lua" "b" "python"`,
    ],
    [
      "counts what passes the bus",
      `for _, s in ipairs(Event.list_subscriptions()) do Event.unsubscribe(s.id) end
       local before = Event.get_stats().event_bus_stats.events_processed
       local id = Event.subscribe("count.*")
       for i = 1, 7 do Event.publish("count.x", i) end
       local stats = Event.get_stats()
       return stats.event_bus_stats.events_processed - before, stats.event_bus_stats.buffer_size,
         stats.event_bus_stats.rate_limit_violations, stats.bridge_stats`,
      `7 7 0 {active_subscriptions=1, subscriptions_by_language={lua=1}}`,
    ],
    [
      "refuses an empty pattern",
      `return Event.subscribe("")`,
      `raises: Cannot call Event.subscribe: "pattern" must not be empty: ""`,
    ],
    [
      "refuses a function as the second argument and names Event.on",
      `return Event.subscribe("x", function() end)`,
      /^raises: Cannot call Event.subscribe: the second argument must be a table or nil: function/,
    ],
    [
      "refuses a type that is no text",
      `return Event.publish({}, 1)`,
      `raises: Cannot call Event.publish: "type" must be a string: table`,
    ],
    [
      "refuses functions in a payload, naming the place",
      `return Event.publish("x", {a = {1, print}})`,
      `raises: Cannot call Event.publish: "data.a[2]" must be data: function`,
    ],
    [
      "refuses text that is not UTF-8",
      `return Event.publish("x", {name = "\\xff"})`,
      `raises: Cannot call Event.publish: "data.name" must be valid UTF-8 text: a string that is not UTF-8`,
    ],
    [
      "refuses a correlation id that is no UUID",
      `return Event.publish("x", 1, {correlation_id = "mine"})`,
      `raises: Cannot call Event.publish: "opts.correlation_id" must be a UUID: "mine"`,
    ],
    [
      "raises for an unknown subscription",
      `return Event.receive("nope", 1)`,
      `raises: Subscription not found: nope`,
    ],
    [
      "calls functions while the script waits, in order, until they are taken off",
      `local seen = {}
       local id = Event.on("tick.*", function(event) seen[#seen + 1] = event.data end)
       for i = 1, 5 do Event.publish("tick.x", i) end
       local done = Event.flush()
       local off = Event.off(id)
       Event.publish("tick.x", 6)
       Event.flush()
       return done, off, seen`,
      `true true {1, 2, 3, 4, 5}`,
    ],
    [
      "calls functions that publish, call tools and fail, and goes on",
      `local seen = {}
       local second = Event.on("second", function(event) seen[#seen + 1] = event.data .. Tool.execute("calculator", {input = "1 + 2"}).result.result end)
       local first = Event.on("first", function(event)
         if event.data == "bad" then error("no") end
         Event.publish("second", event.data)
       end)
       Event.publish("first", "a")
       Event.publish("first", "bad")
       Event.publish("first", "b")
       Event.flush() Event.flush()
       Event.off(first) Event.off(second)
       return seen`,
      `{"a3", "b3"}`,
    ],
    [
      "says how many events a full queue lost: the oldest by default",
      `local id = Event.subscribe("many", {buffer_size = 10})
       for i = 1, 25 do Event.publish("many", i) end
       local first, second = Event.receive(id), Event.receive(id)
       local dropped = Event.list_subscriptions()
       return first.data, first.missed, second.data, second.missed, dropped[#dropped].dropped`,
      `16 15 17 0 15`,
    ],
    [
      "keeps what is there with DropNewest",
      `local id = Event.subscribe("newest", {buffer_size = 2, overflow = "DropNewest"})
       for i = 1, 5 do Event.publish("newest", i) end
       local first = Event.receive(id)
       return first.data, first.missed, Event.receive(id).data, Event.receive(id, 0)`,
      `1 3 2 nil`,
    ],
    [
      "raises with Reject",
      `local id = Event.subscribe("strict", {buffer_size = 1, overflow = "Reject"})
       Event.publish("strict", 1)
       local ok, message = pcall(Event.publish, "strict", 2)
       local first = Event.receive(id).data
       return ok, message, first, Event.publish("strict", 3), Event.unsubscribe(id)`,
      `false "Cannot publish: a subscription has no room and its policy is to reject" 1 true true`,
    ],
    [
      "waits with Block while a function empties the queue",
      `local sum = 0
       local id = Event.on("block", function(event) sum = sum + event.data end, {buffer_size = 3, overflow = "Block"})
       for i = 1, 50 do Event.publish("block", i) end
       Event.flush()
       return sum, Event.off(id)`,
      `1275 true`,
    ],
    [
      "raises with Block where only the script itself could make room",
      `local id = Event.subscribe("mine", {buffer_size = 1, overflow = "Block"})
       Event.publish("mine", 1)
       local ok, message = pcall(Event.publish, "mine", 2)
       return ok, message, Event.unsubscribe(id)`,
      `false "Cannot publish: the script's own subscription is full: mine" true`,
    ],
    [
      "remembers what happened, by pattern, time and correlation",
      `local id = "aaaaaaaa-0000-4000-8000-000000000001"
       for i = 1, 5 do Event.publish("past.x", i, {correlation_id = i > 3 and id or nil}) end
       local all, late, future = Event.history{pattern = "past.*"}, Event.history{correlation_id = id}, Event.history{since = os.time() + 60}
       return #all, all[1].data, #late, late[1].data, #future, #Event.history{pattern = "past.*", limit = 2}`,
      `5 1 2 4 0 2`,
    ],
    [
      "delivers the past once more",
      `for i = 1, 3 do Event.publish("again", i) end
       local id = Event.subscribe("again")
       local count = Event.replay{pattern = "again", limit = 2}
       local event = Event.receive(id, 0)
       return count, event.data, event.replayed, Event.receive(id, 0).data, Event.receive(id, 0)`,
      `2 2 true 3 nil`,
    ],
    [
      "shows what belongs together",
      `local id = "aaaaaaaa-0000-4000-8000-000000000002"
       local sub = Event.subscribe("job.*")
       Event.publish("job.started", 1, {correlation_id = id})
       local cause = Event.receive(sub)
       Event.publish("job.note", 2, {correlation_id = id, parent_id = cause.id})
       Event.publish("job.completed", 3, {correlation_id = id})
       local timeline = Event.timeline(id)
       local links = {}
       for i, link in ipairs(timeline.links) do links[i] = link.relationship end
       return #timeline.events, timeline.root_id == id, links, Event.timeline("nothing")`,
      /^3 true \{"CausedBy", .*"ResponseTo".*\} nil$/,
    ],
    [
      "also spells its functions in camel case",
      `return Event.getStats ~= nil, Event.listSubscriptions ~= nil`,
      `true true`,
    ],
  ],
});
