/**
 * The part of the script environment that is written in Lua (spec/lua-api.md section 20). The chunk gets a table of host
 * functions and the standard-library level; it returns the globals of our other chunks.
 */

/** Every chunk of ours is named so; its frames are left out of what scripts and users see. */
export const OWN_CHUNK = "[llmspell]";

export const PRELUDE = `
local host, level = ...
local load, select, type, error, tostring = load, select, type, error, tostring
local setmetatable, rawget, rawset = setmetatable, rawget, rawset
local find, gmatch, gsub, concat = string.find, string.gmatch, string.gsub, table.concat

-- Text chunks only.
function _G.load(chunk, name, mode, ...)
  if mode ~= nil and type(mode) == "string" and not find(mode, "t", 1, true) then
    return nil, "attempt to load a chunk that is not text (mode is '" .. mode .. "')"
  end
  if select("#", ...) > 0 then return load(chunk, name, "t", (...)) end
  return load(chunk, name, "t")
end

local function load_file(path, ...)
  local source, message = host.source(path)
  if not source then return nil, message end
  if select("#", ...) > 0 then return load(source, "@" .. path, "t", (...)) end
  return load(source, "@" .. path, "t")
end

function _G.loadfile(path, mode, ...)
  return load_file(path, ...)
end

function _G.dofile(path)
  local chunk, message = load_file(path)
  if not chunk then error(message, 0) end
  return chunk()
end

_G.print = host.print

-- Lua runs finalizers without hooks, so an endless one could not be stopped. On a coroutine of its own it can be.
local wrap, bounded = coroutine.wrap, setmetatable({}, { __mode = "k" })
function _G.setmetatable(object, metatable)
  local finalizer = type(metatable) == "table" and rawget(metatable, "__gc")
  if type(finalizer) == "function" and not bounded[finalizer] then
    local function finalize(collected) wrap(finalizer)(collected) end
    bounded[finalize] = true
    rawset(metatable, "__gc", finalize)
  end
  return setmetatable(object, metatable)
end

-- What our own chunks see, whatever the script does to its globals.
local own = {}
for name, value in pairs(_G) do
  if type(value) == "table" and value ~= _G then
    own[name] = {}
    for key, field in pairs(value) do own[name][key] = field end
  else
    own[name] = value
  end
end

if level == "None" then
  getmetatable("").__index = nil
  _G.coroutine, _G.string, _G.table, _G.math, _G.utf8 = nil, nil, nil, nil, nil
end

if package then
  local preload = package.preload
  package.loadlib, package.cpath = nil, ""
  package.path = host.package_path

  function package.searchpath(name, path, separator, replacement)
    if separator ~= "" then name = gsub(name, "%" .. (separator or "."), replacement or "/") end
    local tried = {}
    for template in gmatch(path, "[^;]+") do
      local file = gsub(template, "%?", (gsub(name, "%%", "%%%%")))
      if host.readable(file) then return file end
      tried[#tried + 1] = "no file '" .. file .. "'"
    end
    return nil, concat(tried, "\\n\\t")
  end

  package.searchers = {
    function(name)
      local loader = preload[name]
      if loader then return loader, ":preload:" end
      return "no field package.preload['" .. name .. "']"
    end,
    function(name)
      local file, message = package.searchpath(name, package.path)
      if not file then return message end
      local chunk, problem = load_file(file)
      if not chunk then
        error("error loading module '" .. name .. "' from file '" .. file .. "':\\n\\t" .. problem, 0)
      end
      return chunk, file
    end,
  }
end

if os then
  os.getenv, os.exit, os.execute, os.clock = host.getenv, host.exit, host.execute, host.clock
  os.tmpname = host.tmpname
end

if io then
  local popen
  function io.popen(command, mode)
    popen = popen or host.popen(host)
    return popen(command, mode)
  end
  io.stdout:setvbuf("no")
  io.stderr:setvbuf("no")
end

return own
`;

/** Compiled at the first `io.popen`, to which it evaluates; called with the host functions. */
export const POPEN = `
local host = ...
local find, gsub, concat = string.find, string.gsub, table.concat

-- A process's output is read whole when it is opened; what is written to one runs it when closed.
local Process = {}
Process.__index = Process
Process.__name = "FILE*"
function Process:close()
  if self.closed then error("attempt to use a closed file", 2) end
  self.closed = true
  if self.file then self.file:close() end
  if self.parts then return host.finish(self.command, concat(self.parts)) end
  return self.ok, self.kind, self.code
end
function Process:write(...)
  if not self.parts then return nil, "Bad file descriptor", 9 end
  for i = 1, select("#", ...) do self.parts[#self.parts + 1] = tostring((select(i, ...))) end
  return self
end
function Process:flush() return self end
function Process:setvbuf() return true end
local function taken(self, format)
  local text, at = self.text, self.at
  if type(format) == "number" then
    if at > #text and format > 0 then return nil end
    self.at = at + format
    return text:sub(at, at + format - 1)
  end
  format = gsub(format, "^%*", "")
  if format == "a" then
    self.at = #text + 1
    return text:sub(at)
  end
  if at > #text then return nil end
  if format == "n" then
    local from, to = find(text, "^%s*[-+]?[%w.]+", at)
    if not from then return nil end
    self.at = to + 1
    return tonumber(text:sub(from, to))
  end
  local stop = find(text, "\\n", at, true)
  self.at = (stop or #text) + 1
  return text:sub(at, (stop and format == "l") and stop - 1 or stop or #text)
end
function Process:read(...)
  if not self.text then return nil, "Bad file descriptor", 9 end
  local results, count = {}, select("#", ...)
  if count == 0 then return taken(self, "l") end
  for i = 1, count do
    results[i] = taken(self, (select(i, ...)))
    if results[i] == nil then return table.unpack(results, 1, i) end
  end
  return table.unpack(results, 1, count)
end
function Process:lines(...)
  local formats = table.pack(...)
  return function() return self:read(table.unpack(formats, 1, formats.n)) end
end
return function(command, mode)
  if mode ~= nil and mode ~= "r" and mode ~= "w" then
    error("bad argument #2 to 'popen' (invalid mode)", 2)
  end
  if mode == "w" then
    local allowed, message = host.may_spawn()
    if not allowed then return nil, message end
    return setmetatable({ command = command, parts = {} }, Process)
  end
  local text, ok, kind, code = host.capture(command)
  if not text then return nil, ok end
  return setmetatable({ text = text, at = 1, ok = ok, kind = kind, code = code }, Process)
end
`;
