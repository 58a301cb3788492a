-- An agent remembers what was said before.
local agent = Agent.create({
  name = "memory",
  model = "local/spell-mini",
  system_prompt = "You are a helpful assistant.",
})

print(agent:complete("My name is Ada."))
print(agent:complete("What is my name?"))
