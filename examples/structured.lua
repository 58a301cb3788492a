-- Answers that keep to a form: a JSON Schema or a grammar holds the model while it writes.
local agent = Agent.create({ name = "clerk", model = "local/spell-mini" })

local person = agent:execute({
  text = "Who is Ada?",
  schema = {
    type = "object",
    properties = {
      name = { type = "string", minLength = 1, maxLength = 12 },
      age = { type = "integer", minimum = 1, maximum = 99 },
      languages = { type = "array", items = { enum = { "English", "French" } }, minItems = 1, maxItems = 2 },
    },
    required = { "name", "age", "languages" },
  },
})
print("person:", math.type(person.parsed.age), type(person.parsed.name), #person.parsed.languages > 0)

local vote = agent:execute({ text = "Is water wet?", grammar = 'root ::= "yes" | "no"' })
print("vote:", vote.text)

-- What cannot be held is refused before anything is generated.
local ok, problem = pcall(agent.execute, agent, { text = "x", schema = { ["not"] = { type = "null" } } })
print(ok, problem)
