-- An agent on the built-in model, with one tool. No network, no key, no download.
local agent = Agent.builder()
  :name("helper")
  :model("local/spell-mini")
  :system_prompt("You are a helpful assistant.")
  :allow_tool("calculator")
  :build()

local question = "What is 12*7+3?"
print(question)
print(agent:execute({ text = question }).text)
