-- A model of Ollama where one is there, else the built-in one: the same script on every machine.
-- With Ollama: llmspell -p ollama run examples/ollama.lua
local ollama = LocalLLM.status().ollama
print("Ollama:", ollama.running, ollama.error or ollama.version)

local installed = LocalLLM.list("ollama")
local model = installed[1] and ("local/" .. installed[1].id .. "@ollama") or "local/spell-mini"
for _, each in ipairs(installed) do
  print(each.id, string.format("%.1f GB", each.size_bytes / 1e9), each.quantization)
end

local agent = Agent.builder():name("either"):model(model):tools({ "calculator" }):build()
print(model, agent:execute("What is 12*7+3?").text)
