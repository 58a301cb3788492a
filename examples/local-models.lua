-- What there is to run on this machine.
local status = LocalLLM.status()
print("embedded backend ready:", status.llamacpp.ready, "models:", status.llamacpp.models > 0)
for _, model in ipairs(LocalLLM.list("llamacpp")) do
  if model.id:find("spell-mini", 1, true) then print(model.id, string.format("%.1f MB", model.size_bytes / 1e6)) end
end
-- Providers that the configuration names; none is needed for `local/…`.
for _, provider in ipairs(Provider.list()) do print("provider: " .. provider) end
print("tools:", Provider.get("local") and "yes" or "no")
