/**
 * Lua source of `render(value, options, label)`. It reads tables raw, so that no metamethod of the script runs, and shows a
 * table once: later mentions name the place of the first, so the text stays linear in the data. What is secret by its name or
 * its look is marked by the host.
 */
export const RENDER = String.raw`
local host = ...
local type, next, rawget, rawlen, getmetatable, tostring, tonumber = type, next, rawget, rawlen, getmetatable, tostring, tonumber
local format, rep, sub, gsub, find, byte = string.format, string.rep, string.sub, string.gsub, string.find, string.byte
local concat, sort = table.concat, table.sort
local mathtype, huge, floor, min, max = math.type, math.huge, math.floor, math.min, math.max
local utf8len = utf8.len

local KEYWORDS = {}
local words = "and break do else elseif end false for function goto if in local nil not or repeat return then true until while"
for word in string.gmatch(words, "%a+") do
  KEYWORDS[word] = true
end

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }
local function escape(c) return ESCAPES[c] or format("\\x%02X", byte(c)) end

-- Cuts before a code point that would be split.
local function cut(s, length)
  if #s <= length then return s end
  local last = length
  while last > 0 and length - last < 4 and byte(s, last + 1) >= 0x80 and byte(s, last + 1) < 0xC0 do last = last - 1 end
  return sub(s, 1, last)
end

local function quote(s, length)
  local shown = cut(s, length)
  local escaped = gsub(shown, '[%c"\\]', escape)
  if not utf8len(shown) then escaped = gsub(escaped, "[\x80-\xFF]", escape) end
  return '"' .. escaped .. (#shown < #s and "..." or "") .. '"'
end

local function number(n)
  if mathtype(n) == "integer" then return n == math.mininteger and "math.mininteger" or format("%d", n) end
  if n ~= n then return "0/0" end
  if n == huge then return "math.huge" end
  if n == -huge then return "-math.huge" end
  local short = format("%.14g", n)
  if tonumber(short) ~= n then short = format("%.17g", n) end
  return find(short, "^-?%d+$") and short .. ".0" or short
end

local RANK = { number = 1, string = 2, boolean = 3 }
local function keyorder(a, b)
  local ra, rb = RANK[type(a)] or 4, RANK[type(b)] or 4
  if ra ~= rb then return ra < rb end
  if ra <= 2 then return a < b end
  if ra == 3 then return not a and b end
  return format("%p", a) < format("%p", b)
end

local function plural(count, noun) return count == 1 and noun or noun .. "s" end

local function render(value, options, label)
  local compact, types = options.compact_mode, options.show_types
  local step = rep(" ", compact and 0 or min(16, max(0, floor(options.indent_size))))
  local depthlimit = min(200, options.max_depth)
  local arraylimit, pairlimit = max(0, options.max_array_elements), max(0, options.max_table_pairs)
  local stringlimit = max(0, floor(options.max_string_length))
  local out, n = {}, 0
  local shown = {}
  local function put(s) n = n + 1; out[n] = s end
  local function comment(s) if types then put("  -- " .. s) end end

  local function opaque(v)
    local kind = type(v)
    if options.show_addresses then return "<" .. kind .. ": " .. format("%p", v) .. ">" end
    return "<" .. kind .. ">"
  end

  local secrets = {}
  local function secret(name)
    if type(name) ~= "string" or #name > 1000 or not utf8len(name) then return false end
    if secrets[name] == nil then secrets[name] = host.shown(name, "-") ~= "-" end
    return secrets[name]
  end

  local function scalar(v, name)
    local kind = type(v)
    if kind == "string" then
      local shown = host.shown(secret(name) and name or "", v)
      if shown ~= v then return quote(shown, stringlimit), "string, redacted" end
      return quote(v, stringlimit), #v > stringlimit and "string, " .. #v .. " bytes" or "string"
    end
    if v ~= nil and secret(name) then
      local text = kind == "table" and format("%p", v) or tostring(v)
      return quote(host.shown(name, text), stringlimit), kind .. ", redacted"
    end
    if kind == "number" then return number(v), mathtype(v) end
    if kind == "nil" or kind == "boolean" then return tostring(v), kind end
    return opaque(v), kind
  end

  local function keytext(k)
    if type(k) == "string" and #k <= stringlimit and find(k, "^[%a_][%w_]*$") and not KEYWORDS[k] then return k, "." .. k end
    local text = "[" .. scalar(k) .. "]"
    return text, text
  end

  local function metatext(t)
    local meta = getmetatable(t)
    if meta == nil then return "" end
    if type(meta) ~= "table" then return ", protected metatable" end
    local name = rawget(meta, "__name")
    if type(name) == "string" then return ", metatable " .. quote(name, 50) end
    local keys = {}
    for k in next, meta do if type(k) == "string" then keys[#keys + 1] = k end end
    sort(keys)
    return ", metatable {" .. concat(keys, ", ", 1, min(#keys, 10)) .. "}"
  end

  local show

  local function item(indent, key, v, path, depth, last, name)
    if compact then
      put(key ~= nil and key .. " = " or "")
      show(v, "", path, depth, nil, name)
      if not last then put(", ") end
      return
    end
    put(indent .. step .. (key ~= nil and key .. " = " or ""))
    show(v, indent .. step, path, depth, ",", name)
    put("\n")
  end

  local function more(indent, count, what)
    if compact then put("... " .. count .. " more") else put(indent .. step .. "-- " .. count .. " more " .. plural(count, what) .. "\n") end
  end

  -- tail: the comma after the value, which must stand before a comment
  -- name: what decides whether it is a secret
  show = function(v, indent, path, depth, tail, name)
    tail = tail or ""
    if type(v) ~= "table" or secret(name) then
      local text, kind = scalar(v, name)
      put(text .. tail)
      comment(kind)
      return
    end
    if shown[v] then put("<see " .. shown[v] .. ">" .. tail) return end
    shown[v] = path
    local length = rawlen(v)
    local keys, count = {}, 0
    for k in next, v do
      if not (mathtype(k) == "integer" and k >= 1 and k <= length) then count = count + 1; keys[count] = k end
    end
    local about = length .. " " .. plural(length, "element") .. ", " .. count .. " " .. plural(count, "field") .. metatext(v)
    if options.show_addresses then about = format("%p", v) .. ", " .. about end
    if length == 0 and count == 0 then put("{}" .. tail); comment("table" .. metatext(v)) return end
    if depth > depthlimit then put("{...}" .. tail); comment("table: " .. about) return end
    sort(keys, keyorder)
    local elements, fields = min(length, arraylimit), min(count, pairlimit)
    put("{")
    if not compact then comment("table: " .. about); put("\n") end
    for i = 1, elements do
      local key = not compact and "[" .. i .. "]" or nil
      item(indent, key, rawget(v, i), path .. "[" .. i .. "]", depth + 1, i == elements and count == 0 and length == elements)
    end
    if length > elements then more(indent, length - elements, "element"); if compact and count > 0 then put(", ") end end
    for i = 1, fields do
      local key, suffix = keytext(keys[i])
      item(indent, key, rawget(v, keys[i]), path .. suffix, depth + 1, i == count, keys[i])
    end
    if count > fields then more(indent, count - fields, "field") end
    put((compact and "" or indent) .. "}" .. tail)
  end

  if label ~= nil then put(tostring(label) .. " = ") end
  show(value, "", label ~= nil and tostring(label) or "value", 1, nil, label)
  return concat(out)
end
`;
