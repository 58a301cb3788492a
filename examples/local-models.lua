-- What there is to run on this machine.
local status = LocalLLM.status()
print("embedded backend ready:", status.llamacpp.ready, "models:", status.llamacpp.models > 0)
for _, model in ipairs(LocalLLM.list("llamacpp")) do
  if model.id:find("spell-mini", 1, true) then print(model.id, string.format("%.1f MB", model.size_bytes / 1e6)) end
end
for _, provider in ipairs(Provider.list()) do print("provider: " .. provider) end
