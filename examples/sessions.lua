-- A session keeps its values, its artifacts and what it did; what it did can be replayed.
-- Run it with: llmspell --profile sessions run examples/sessions.lua
if not Session then
  print("Sessions are off: use --profile sessions")
  return
end

local id = Session.create({name = "monthly report", tags = {"report"}})
Session.set_current(id) -- from here on tools, agents and models are recorded

local total = Tool.execute("calculator", {operation = "evaluate", input = "1200 + 345"}).output
Session.set_state(id, "total", total)
print("total:", Session.get_state(id, "total"))

local first = Artifact.store("", "markdown", "report.md", "Total: " .. total, {tags = {"draft"}})
local second = Artifact.store("", "markdown", "report.md", "# Report\n\nTotal: " .. total)
print("versions:", first.sequence, second.sequence)
print("content:", Artifact.get("", first).content)
print("drafts:", #Artifact.query({name_pattern = "*.md", tags = {"draft"}}))

Session.save(id)
local again = Session.replay(id)
print("replayed:", again.hooks_replayed, "mismatches:", again.mismatches)

local config = Replay.create_config(Replay.modes.modified)
config:add_modification("context.data.input", "1000 + 345")
print("with another input, mismatches:", Session.replay(id, config).mismatches)

Session.complete(id)
print("status:", Session.get(id).status)
print(pcall(Session.resume, id))
