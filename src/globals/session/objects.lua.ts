/** Info tables of sessions with methods that are found by index and not by iteration. */
export const WITH_METHODS = `
local host = ...
local setmetatable, ipairs = setmetatable, ipairs

local methods = {}
local meta = {__index = methods}

local function refreshed(self)
  local fresh = host.info(self.id)
  for key in pairs(self) do if fresh[key] == nil then self[key] = nil end end
  for key, value in pairs(fresh) do self[key] = value end
  return self
end

for _, field in ipairs({"id", "name", "description", "status", "tags", "created_at", "updated_at",
                        "parent_session_id", "artifact_count", "operation_count"}) do
  methods["get_" .. field] = function(self) return host.info(self.id)[field] end
end
methods.get_metadata = function(self) return host.info(self.id).custom_metadata end
for _, name in ipairs({"save", "suspend", "resume", "complete", "fail", "archive"}) do
  methods[name] = function(self)
    host[name](self.id)
    refreshed(self)
  end
end
methods.load = function(self) return host.load(self.id) end
methods.delete = function(self) host.delete(self.id) end
methods.refresh = refreshed

function methods.add_tag(self, tag)
  local tags = host.info(self.id).tags
  tags[#tags + 1] = tag
  host.set_tags(self.id, tags)
  refreshed(self)
end

function methods.remove_tag(self, tag)
  local kept = {}
  for _, other in ipairs(host.info(self.id).tags) do
    if other ~= tag then kept[#kept + 1] = other end
  end
  host.set_tags(self.id, kept)
  refreshed(self)
end

function methods.store_value(self, key, value) host.set_state(self.id, key, value) end
function methods.get_value(self, key) return host.get_state(self.id, key) end
function methods.checkpoint(self, name) return host.checkpoint(self.id, name) end
function methods.restore(self, checkpoint)
  host.restore(self.id, checkpoint)
  refreshed(self)
end
function methods.replay(self, options) return host.replay(self.id, options) end

local function session(info) return setmetatable(info, meta) end
`;

export const GET = `${WITH_METHODS}
return function(id) return session(host.info(id)) end`;

export const LIST = `${WITH_METHODS}
return function(query)
  local found = host.infos(query)
  for i, info in ipairs(found) do found[i] = session(info) end
  return found
end`;
