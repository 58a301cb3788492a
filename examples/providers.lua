-- Asks the first provider that has a key; without any, or where it cannot answer, the built-in model.
local model = "local/spell-mini"
for _, provider in ipairs(Provider.list()) do
  local key, name = provider.name:match("^[^/]+/([^/]+)/(.+)$")
  if key then model = key .. "/" .. name break end
end
local agent = Agent.builder():name("asker"):model(model):fallback_models({ "local/spell-mini" }):build()
local result = agent:execute("Hello")
print("answered by", result.metadata.provider .. "/" .. result.metadata.model)
print(result.text)

-- A provider that has no key says so when an agent asks for it.
print(pcall(function() return Agent.builder():name("lost"):model("mistral/small"):build() end))
