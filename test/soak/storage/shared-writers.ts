/** What many processes write at once: for the soak `processes`. */
import { SESSIONS } from "./writers.ts";

/** What each process does over and over until its time is over; it checks what it alone writes. */
export interface SharedWriter {
  name: string;
  /** Lua: `local function NAME(i, id)`, which does the i-th round of the process `id` and raises where something is wrong. */
  round: string;
  /** Lua: `local function NAME_end(id)`: a last look at what the process alone wrote. */
  end: string;
  /** Lua that returns the number of rounds that all processes together must have done, from what is there. */
  total: string;
}

/** Of all writers together. */
export const SHARED_CONFIG = `${SESSIONS}session_timeout_seconds = 100000
[events]
buffer_size = 100000
[events.persistence]
enabled = true
max_events = 0
[runtime]
script_timeout_seconds = 900
[runtime.security]
max_execution_time_ms = 900000
max_memory_bytes = 1000000000
[engines.lua]
max_memory_bytes = 1000000000
`;

const state: SharedWriter = {
  name: "state",
  round: `local last = {}
local function state(i, id)
  State.update("global", "rounds", function(n) return (n or 0) + 1 end)
  local scope, key = "custom:" .. id, "k" .. i % 20
  local old = State.load(scope, key)
  assert(old == nil and last[key] == nil or old.i == last[key], key .. " was " .. tostring(last[key]))
  if i % 50 == 0 then
    State.delete(scope, key)
    last[key] = nil
  else
    State.save(scope, key, {i = i, text = ("spell "):rep(i % 700)})
    last[key] = i
  end
end`,
  end: `local function state_end(id)
  local keys = State.list_keys("custom:" .. id)
  local expected = 0
  for key, i in pairs(last) do
    expected = expected + 1
    assert(State.load("custom:" .. id, key).i == i, key .. " is lost")
  end
  assert(#keys == expected, "keys: " .. #keys .. ", expected " .. expected)
end`,
  total: 'return State.load("global", "rounds") or 0',
};

const sessions: SharedWriter = {
  name: "sessions",
  round: `local counter, open
local function sessions(i, id)
  counter = counter or Session.create({name = "counter " .. id, tags = {"counter"}})
  Session.set_state(counter, "i", i)
  assert(Session.get_state(counter, "i") == i, "a session's value is lost")
  if i % 10 == 1 then
    if open then Session.delete(open) end
    open = Session.create({name = "short " .. i, tags = {"process" .. id}})
  elseif i % 10 == 5 then
    Session.suspend(open)
  elseif i % 10 == 9 then
    Session.complete(open)
  end
end`,
  end: `local function sessions_end(id)
  local left = Session.list({tags = {"process" .. id}})
  assert(#left == 1 and left[1].id == open, "sessions of the process: " .. #left)
end`,
  total: `local total = 0
for _, info in ipairs(Session.list({tags = {"counter"}, limit = 1000})) do total = total + Session.get_state(info.id, "i") end
return total`,
};

/** Contents that all processes store and delete, some of them in files: the last name of one must not take another's. */
const artifacts: SharedWriter = {
  name: "artifacts",
  round: `local function noise(seed)
  math.randomseed(seed)
  local t = {}
  for k = 1, 280000 do t[k] = string.char(math.random(0, 255)) end
  return table.concat(t)
end
local large = {noise(1), noise(2)}
local owner, kept = nil, {}
local function artifacts(i, id)
  owner = owner or Session.create({name = "artifacts " .. id, tags = {"artifacts"}})
  local name = "n" .. i % 5
  local content = i % 6 == 0 and large[i // 6 % 2 + 1] or "shared " .. i % 7 .. (" spell"):rep(i % 300)
  local made = Artifact.store(owner, "note", name, content)
  assert(made.sequence == (kept[name] and kept[name].sequence or 0) + 1, name .. " got version " .. made.sequence)
  if kept[name] then Artifact.delete(owner, kept[name]) end
  kept[name] = made
  assert(Artifact.get(owner, made).content == content, name .. " has another content")
end`,
  end: `local function artifacts_end(id)
  for name, made in pairs(kept) do Artifact.get(owner, made) end
end`,
  total: `local total = 0
for _, info in ipairs(Session.list({tags = {"artifacts"}, limit = 1000})) do
  for _, record in ipairs(Artifact.list(info.id)) do
    Artifact.get(info.id, record.id)
    total = total + record.sequence
  end
end
return total`,
};

const events: SharedWriter = {
  name: "events",
  round: `local function events(i, id)
  Event.publish("soak.process" .. id, {i = i, text = ("spell "):rep(i % 100)})
  if i % 7 == 0 then Event.flush() end
end`,
  end: `local function events_end(id)
  Event.flush()
  local i = 0
  for _, event in ipairs(Event.history({pattern = "soak.process" .. id, limit = 10000000})) do
    i = i + 1
    assert(event.data.i == i and #event.data.text == 6 * (i % 100), "event " .. i .. " is not whole or not in its place")
  end
end`,
  total: 'return #Event.history({pattern = "soak.process*", limit = 10000000})',
};

export const sharedWriters: readonly SharedWriter[] = [state, sessions, artifacts, events];
