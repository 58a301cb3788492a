-- Language and library behaviour that must equal Debian's lua5.4; `expected.txt` is its output with TZ=UTC.
local function out(...)
  local t = table.pack(...)
  for i = 1, t.n do
    local v = t[i]
    if math.type(v) == "float" then t[i] = ("%.17g"):format(v) else t[i] = tostring(v) end
  end
  io.write(table.concat(t, "\t"), "\n")
end
local function err(f, ...) out(select(2, pcall(f, ...))) end

-- numbers
out(1 // 0.0, -1 // 0.0, 7 // 2, -7 // 2, 7 % -3, -7 % 3, 7.5 // 2, 2 ^ 10, 10 / 2)
out(math.maxinteger + 1 == math.mininteger, math.maxinteger * 2.0, 1 << 63, 1 << 64, -1 >> 1, ~0, 5 & 3, 5 | 3, 5 ~ 3)
out(tostring(2 ^ 53), tostring(1e15), tostring(1e100), tostring(-0.0), tostring(3.0), tostring(0.1), 1e15 == 10 ^ 15)
out(tonumber("0x10"), tonumber("  12  "), tonumber("1e1"), tonumber("z", 36), tonumber("8", 8), tonumber("0x1p4"), tonumber(""))
out(math.tointeger(3.0), math.tointeger(3.5), math.tointeger("8"), 3 | 0, "10" + 5, "3" * "4", 10 .. 20)
out(math.ult(1, -1), math.fmod(-7, 3), math.abs(math.mininteger), math.floor(-3.5), math.ceil(3.2), math.max(1, 2.5), math.sqrt(2))
err(function() return 1 // 0 end)
err(function() return 1 % 0 end)
err(function() return 1.5 | 1 end)
err(function() return "a" + 1 end)
err(function() return {} < {} end)
err(function() return 1 < "2" end)
err(function() local t; return t.x end)
err(function() return ("x"):nope() end)
err(function() return #5 end)
-- strings
out(("%5d|%-5d|%05d|%+d|%x|%X|%o|%c|%e|%g|%a"):format(42, 42, 42, 42, 255, 255, 8, 65, 1.5, 1e20, 1))
out(("%q"):format("a\nb\0c\"\\\r"), ("%q"):format(1 / 3), ("%q"):format(math.mininteger), ("%s|%10.3s|"):format("x", "abcdef"))
err(string.format, "%d", 1.5)
err(string.format, "%y", 1)
out(("hello world"):find("o w"), ("hello"):find("l+"), ("hello"):match("(h)(.)"), ("a.b"):find(".", 1, true), ("x"):rep(3, ","))
out(("k=v, a=b"):gsub("(%w+)=(%w+)", "%2=%1"), ("abc"):gsub("", "-"), ("abc"):gsub("%w", { a = 1, b = 2, c = false }))
out(("THE (quick) fox"):find("%((%a+)%)"), ("[[x]]"):match("%b[]"), ("THE fox"):gsub("%f[%a]%a+", string.lower))
for k, v in ("a=1,b=2"):gmatch("(%w)=(%w)") do out(k, v) end
out(("äö"):len(), utf8.len("äö"), utf8.char(228, 0x20AC, 0x1F600), utf8.codepoint("€"), utf8.len("\xff"), #utf8.charpattern)
for p, c in utf8.codes("aé€") do out(p, c) end
out(("abc"):byte(1, -1), string.char(72, 105), ("abc"):sub(-2), ("abc"):sub(2, 10), ("abc"):reverse(), ("aBc"):upper())
out(string.pack("<i4", 100):byte(1, -1))
out(string.unpack("<i2 >i2 z", "\1\0\0\1hi\0"))
out(string.packsize("i4 i8"), #string.pack("s1", "abc"))
err(string.rep, "x", 1 << 40)
err(string.find, "a", "[a")
err(string.gsub, "a", "(", "")
-- tables
local t = { 5, 2, 8, 1 }
table.sort(t, function(a, b) return a > b end)
out(table.concat(t, ","), table.unpack({ 1, 2, 3 }, 2), select("#", table.unpack({}, 1, 3)), #table.pack(1, nil, 3))
table.insert(t, 1, 9)
table.insert(t, 7)
out(table.remove(t), table.remove(t, 1), table.concat(t, " "), table.concat(table.move({ 1, 2, 3 }, 2, 3, 1), " "))
err(table.concat, { {} })
err(table.insert, { 1 }, 5, 2)
err(table.sort, { 3, 1, 2, 4 }, function() return true end)
out(next({}), rawlen({ 1, 2 }), rawequal(t, t), rawget(setmetatable({}, { __index = { x = 1 } }), "x"))
-- metatables
local V = {}
V.__index = V
V.__add = function(a, b) return setmetatable({ x = a.x + b.x }, V) end
V.__eq = function(a, b) return a.x == b.x end
V.__lt = function(a, b) return a.x < b.x end
V.__le = function(a, b) return a.x <= b.x end
V.__len = function(a) return a.x end
V.__call = function(self, y) return self.x + y end
V.__concat = function(a, b) return "cat" end
V.__tostring = function(a) return "V(" .. a.x .. ")" end
V.__close = function() out("closed") end
V.__unm = function(a) return -a.x end
local a, b = setmetatable({ x = 1 }, V), setmetatable({ x = 2 }, V)
out(tostring(a + b), a == b, a < b, a <= b, #b, a(10), a .. "s", tostring(a), -b)
do local c <close> = a out("inside") end
local k <const> = 5
out(k, getmetatable("").__index == string)
-- control
for i = 10, 1, -3 do io.write(i, " ") end
for i = 1.0, 2.0, 0.5 do io.write(i, " ") end
out()
err(function() for i = 1, 10, 0 do end end)
do local i = 1 ::top:: if i < 4 then i = i + 1 goto top end out(i) end
out(select(-1, 1, 2, 3), select(2, "a", "b", "c"))
out(pcall(error), pcall(error, nil), pcall(error, { 1 }) )
out(select(2, pcall(error, "m", 0)), select(2, pcall(error, "m", 1)), select(2, pcall(error, "m", 2)))
out(xpcall(function() error("E") end, function(m) return "handled " .. m end))
out(load("return 1 +")) out(load("x = ]")) out(load("goto nope")) out(load("local x <const> = 1; x = 2"))
out(load(function() return nil end)) out(pcall(load("return ...", "n"), 4))
-- coroutines
local co = coroutine.create(function(x) local y = coroutine.yield(x + 1) error("in " .. y) end)
out(coroutine.resume(co, 1)) out(coroutine.status(co)) out(coroutine.resume(co, "co")) out(coroutine.status(co)) out(coroutine.resume(co))
out(coroutine.isyieldable(), coroutine.wrap(function() return coroutine.isyieldable(), select(2, coroutine.running()) end)())
local cc = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() out("co closed") end }) coroutine.yield() end)
coroutine.resume(cc) out(coroutine.close(cc), coroutine.status(cc))
err(coroutine.wrap(function() error({ 1 }) end))
local gen = coroutine.wrap(function() for i = 1, 3 do pcall(function() coroutine.yield(i) end) end end)
out(gen(), gen(), gen(), gen())
-- os and dates in UTC
out(os.date("!%Y-%m-%d %H:%M:%S", 0), os.date("!%A %a %B %b %d %e %j %p %I %y %U %W %V %G %u %w %C %D %F %R %T %x %X %c %%", 1709210096))
out(os.time({ year = 2024, month = 2, day = 29, hour = 12 }), os.time({ year = 2024, month = 14, day = -3, hour = 0, min = 90 }))
local d = os.date("!*t", 1e9)
out(d.year, d.month, d.day, d.hour, d.min, d.sec, d.wday, d.yday, d.isdst)
out(os.date("*t", os.time({ year = 2000, month = 1, day = 1, hour = 0 })).yday, os.difftime(5, 3))
err(os.date, "%Ez", 0)
err(os.time, { year = 2024 })
for _, s in ipairs({ 951782400, 1104537599, 1230768000, 1293839999 }) do out(os.date("!%G-W%V-%u %U %W %j", s)) end
out(type(os.clock()), type(os.time()), os.getenv("LLMSPELL_NO_SUCH_VARIABLE"))
