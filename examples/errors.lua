-- Failures are Lua errors with a clear text; pcall catches them, and a tool's own failure is a value.
local ok, problem = pcall(function()
  return Agent.builder():name("nobody"):model("nowhere/some-model"):build()
end)
print("build:", ok, problem)

local bad = Tool.execute("calculator", { operation = "evaluate", input = "2 +" })
print("calculator:", bad.success, "error: " .. bad.error)

local refused, why = pcall(Tool.execute, "file-operations", { operation = "read", path = "/etc/passwd" })
print("file:", refused, (tostring(why):find("not allowed", 1, true) or tostring(why):find("not in a", 1, true)) ~= nil)
