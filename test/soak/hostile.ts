/** Lua that means harm: bombs, pathological patterns, odd errors and exits where nobody expects one. */
import { between, pick } from "./soak.ts";

type Random = () => number;

/** Each is a statement. */
const BOMBS = [
  "local s = 'x' while true do s = s .. s end",
  "local t = {} while true do t[#t + 1] = t end",
  "local t = {} for i = 1, 1e9 do t[i * 1e6] = i end",
  "local function f(...) return f(1, ...) end f()",
  "local function f() return 1 + f() end f()",
  "local c = {} while true do c[#c + 1] = coroutine.create(function() coroutine.yield() end) coroutine.resume(c[#c]) end",
  "local function f() return coroutine.wrap(f)() end f()",
  "local function f() return coroutine.wrap(function() return pcall(f) end)() end f()",
  "while true do pcall(function() while true do end end) end",
  "while true do coroutine.wrap(function() while true do end end)() end",
  "local function f() pcall(f) pcall(f) end f()",
  "xpcall(function() error(1) end, function() while true do end end)",
  "local function h(e) return h(e) + error(e) end xpcall(error, h)",
  "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) local x = t[1]",
  "local t = setmetatable({}, {}) getmetatable(t).__index = t local x = t.x",
  "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()",
  "local m = {} m.__gc = function() setmetatable({}, m) end setmetatable({}, m) for i = 1, 1e5 do collectgarbage('step') end",
  "table.sort((function() local t = {} for i = 1, 1e5 do t[i] = i end return t end)(), function() return true end)",
  "table.concat(setmetatable({}, {__len = function() return 1e15 end}))",
  "print(table.unpack({}, 1, 1e8))",
  "print(string.rep('x', 1e15))",
  "print(('x'):rep(1e6, ('y'):rep(1e6)))",
  "print(#string.format('%99.99f', 1e308))",
  "print(string.format('%999d', 1))",
  "string.pack(('i16'):rep(1e5), 1)",
  "print(pcall(string.unpack, ('s8'):rep(10), ('\\255'):rep(100)))",
  "print(utf8.char(0x7fffffff), pcall(utf8.codepoint, '\\255\\255'))",
  "goto l ::l:: goto l",
  "for i = math.maxinteger - 1, math.maxinteger do end for i = 1, 0, 0 do end",
  "local t = {} t[0/0] = 1",
  "load(('local x = 1 '):rep(300))()",
  "load('return ' .. ('1 + '):rep(1e5) .. '1')()",
  "load(string.dump(function() end))",
  "load(function() return 'x = ' end)",
  "require('os') require('../x') require(('x'):rep(1e6))",
  "io.write(('x'):rep(1e6)) io.stdout:close() print('x')",
  "io.lines('/dev/zero')() io.open('/dev/zero'):read('a')",
  "print = nil error = nil _G = nil _ENV = nil x()",
  "for k in pairs(_G) do _G[k] = nil end",
  "string.format = nil getmetatable('').__index = nil print(('x').y)",
  "setmetatable(_G, {__index = function(t, k) error(k) end, __newindex = function() error('no') end}) y = z",
  "debug.sethook(function() end, '', 1) while true do end",
  "Tool.execute('calculator', {input = ('('):rep(1e5)})",
  "Tool.execute('calculator', {input = '9^9^9^9^9'})",
  "Tool.execute('text-manipulator', {operation = 'regex', input = ('a'):rep(30) .. '!', pattern = '(a+)+$'})",
  "Tool.execute('json-processor', {operation = 'query', query = 'def f: f | f; f', input = '{}'})",
  "Tool.execute('json-processor', {operation = 'query', query = '.', input = ('['):rep(1e5)})",
  "Tool.execute('template-creator', {template = ('{{#a}}'):rep(1e4), context = {}})",
  "local t = {} t.t = t Tool.execute('calculator', t)",
  "local t = {} for i = 1, 1e5 do t = {t} end Tool.execute('calculator', t)",
  "JSON.parse(('['):rep(1e6))",
  "local t = {} for i = 1, 1e4 do t = {t} end print(JSON.stringify(t))",
  "local t = {} t[1] = t print(JSON.stringify(t))",
  "Debug.dump(_G) Debug.info(('x'):rep(1e6))",
  "local s = Streaming.create(function() while true do coroutine.yield(1) end end) s:collect()",
  "Tool.register({name = 'r', description = 'r', execute = function() return Tool.execute('r', {}) end}) Tool.execute('r', {})",
  "Tool.register({name = 'y', description = 'y', execute = function() coroutine.yield() end}) Tool.execute('y', {})",
  "local a = Agent.builder():model('local/spell-mini'):build() a:invokeStream('Hi', function() error({}) end)",
  "local a = Agent.builder():model('local/spell-mini'):build() a:invokeStream('Hi', function() a:execute('again') end)",
  "local a = Agent.builder():model('local/spell-mini'):build() a:execute(('x'):rep(1e6))",
  "local a = Agent.builder():model('local/spell-mini'):build() coroutine.wrap(function() a:invokeStream('Hi', coroutine.yield) end)()",
];

const PATTERNS = [
  "(.-)*x",
  "%b()",
  "((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))",
  "[%a-",
  "%",
  "%f",
  "%1",
  "(()",
  "a-".repeat(30),
  "(a*)".repeat(30),
  `${".-".repeat(20)}b`,
  "[^\\0-\\255]",
  "^".repeat(50),
];
const FUNCTIONS = [
  "string.find(S, P)",
  "string.match(S, P)",
  "string.gsub(S, P, '%1')",
  "string.gsub(S, P, '%9')",
  "string.gsub(S, P, {})",
  "string.gsub(S, P, string.rep)",
  "(function() for a in string.gmatch(S, P) do end end)()",
];
const ERRORS = [
  "nil",
  "{}",
  "setmetatable({}, {__tostring = function() error('again') end})",
  "setmetatable({}, {__tostring = function() return 1 end})",
  "setmetatable({}, {__tostring = function() while true do end end})",
  "setmetatable({}, {__name = 5})",
  "print",
  "coroutine.create(print)",
  "1e309",
  "'\\255\\0'",
  "('x'):rep(1e6)",
  "math.huge",
  "io.stdout",
  "Tool",
  "setmetatable({}, {__close = error, __gc = error, __index = error})",
];
const LEAVE = [
  "os.exit(7)",
  "os.exit(true)",
  "os.exit(false)",
  "os.exit(7, true)",
  "error(E)",
  "error(E, 0)",
  "error(E, 100)",
  "coroutine.yield()",
  "while true do end",
  "assert(false, E)",
];
/** Where a statement `L` is put. */
const PLACES = [
  "pcall(function() L end)",
  "xpcall(function() L end, function() L end)",
  "xpcall(error, function() L end)",
  "coroutine.wrap(function() L end)()",
  "coroutine.wrap(function() pcall(function() coroutine.wrap(function() L end)() end) end)()",
  "coroutine.close((function() local c = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() L end}) coroutine.yield() end) coroutine.resume(c) return c end)())",
  "setmetatable({}, {__gc = function() L end}) collectgarbage() collectgarbage()",
  "setmetatable({}, {__gc = function() L end})",
  "local x <close> = setmetatable({}, {__close = function() L end})",
  "local x = setmetatable({}, {__index = function() L end}).y",
  "local x = setmetatable({}, {__add = function() L end}) + 1",
  "local x = #setmetatable({}, {__len = function() L end})",
  "tostring(setmetatable({}, {__tostring = function() L end}))",
  "print(setmetatable({}, {__tostring = function() L end}))",
  "for _ in pairs(setmetatable({}, {__pairs = function() L end})) do end",
  "table.sort({3, 2, 1}, function() L end)",
  "string.gsub('abc', '.', function() L end)",
  "load(function() L end)",
  "require((function() L end)())",
  "Tool.register({name = 'q', description = 'q', execute = function() L end}) Tool.execute('q', {})",
  "Tool.register({name = 'q', description = 'q', execute = function() L end}) Tool.batch({{name = 'q'}, {name = 'q'}, {name = 'q'}})",
  "Tool.register({name = 'q', description = 'q', execute = function() L end}) pcall(Tool.execute, 'q', {}) print('on')",
  "Agent.builder():model('local/spell-mini'):build():invokeStream('Hi', function() L end)",
  "Streaming.create(function() L end):collect()",
  "debug.sethook(function() L end, 'c')",
  "JSON.stringify(setmetatable({}, {__index = function() L end, __pairs = function() L end}))",
  "Debug.dump(setmetatable({}, {__tostring = function() L end, __pairs = function() L end}))",
];

function misplaced(random: Random): string {
  const leave = () => pick(random, LEAVE).replaceAll("E", pick(random, ERRORS));
  let text = pick(random, PLACES).replaceAll("L", leave);
  for (let n = between(random, 0, 3); n > 0; n--) {
    const inner = text;
    text = pick(random, PLACES).replaceAll("L", () => inner);
  }
  return text;
}

/** One hostile script. */
export function hostile(random: Random): string {
  switch (between(random, 0, 4)) {
    case 0:
      return pick(random, BOMBS);
    case 1:
      return `pcall(function() ${pick(random, BOMBS)} end)\n${misplaced(random)}`;
    case 2: {
      const subject = pick(random, ["('a'):rep(1e5)", "('('):rep(1e5)", "('\\0'):rep(1000)", "''"]);
      const pattern = pick(random, PATTERNS);
      return `print(${pick(random, FUNCTIONS)
        .replaceAll("S", subject)
        .replaceAll("P", () => `"${pattern}"`)})`;
    }
    default:
      return misplaced(random);
  }
}
