-- A tool written in Lua: the model calls it like any other.
Tool.register({
  name = "weather",
  description = "Gets the weather for a city",
  parameters = {
    type = "object",
    properties = { city = { type = "string", description = "City name" } },
    required = { "city" },
  },
  execute = function(params)
    return { city = params.city, temperature = 21, conditions = "sunny" }
  end,
})

-- From the script:
print(Tool.execute("weather", { city = "Paris" }).result.conditions)

-- From an agent (here with a small model that was trained on calculations and the built-in tools):
local agent = Agent.builder():name("helper"):model("local/spell-mini"):tools({ "weather", "calculator" }):build()
print(agent:execute("What is 15 + 27?").text)
