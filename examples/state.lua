-- State stays: run this script twice, and the count goes on.
local runs = State.update("global", "runs", function(n) return (n or 0) + 1 end)
print("run number:", runs)

-- Anything but functions can be stored: tables in tables, bytes, 64-bit integers.
State.save("user:ada", "profile", {name = "Ada", tags = {"math", "engines"}, id = math.maxinteger})
local profile = State.load("user:ada", "profile")
print("profile:", profile.name, #profile.tags, profile.id == math.maxinteger)

-- A scope has its own keys.
State.save("user:ada", "theme", "dark")
print("keys of ada:", table.concat(State.list_keys("user:ada"), " "))
print("theme of bob:", State.load("user:bob", "theme"))

-- Agents, tools and workflows have scopes too.
State.agent_set("helper", "mood", "curious")
print("mood:", State.agent_get("helper", "mood"), State.exists("agent:helper", "mood"))

-- Keys that begin with temp: or cache: last until the end of the run.
State.save("global", "temp:draft", "not stored")
print("draft:", State.load("global", "temp:draft"))

State.delete("user:ada", "theme")
print("theme of ada:", State.load("user:ada", "theme"))
