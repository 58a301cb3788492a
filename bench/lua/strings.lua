-- Text: formatting, searching, replacing, joining and sorting.
local seed = 42
local function random(limit)
  seed = (seed * 3877 + 29573) % 139968
  return seed % limit
end

local words = {}
for i = 1, 120000 do
  local letters = {}
  for j = 1, 4 + random(8) do letters[j] = string.char(97 + random(26)) end
  words[i] = table.concat(letters) .. string.format("-%06d", i)
end
table.sort(words)

local counts = {}
for _, word in ipairs(words) do
  local head = word:sub(1, 2):upper()
  counts[head] = (counts[head] or 0) + 1
end

local text = table.concat(words, " ")
local vowels = select(2, text:gsub("[aeiou]", "*"))
local found = 0
for name, number in text:gmatch("(%a+)%-(%d+)") do
  if #name > 5 and tonumber(number) % 7 == 0 then found = found + 1 end
end
local reversed = {}
for i = #words, 1, -1 do reversed[#reversed + 1] = words[i]:reverse() end
table.sort(reversed, function(x, y) return x > y end)
print(#text, vowels, found, reversed[1], counts.AB)
