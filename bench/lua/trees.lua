-- Many short-lived tables: the allocator and the collector.
local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1) }
end

local function count(node)
  if node[1] == nil then return 1 end
  return 1 + count(node[1]) + count(node[2])
end

local kept = tree(16)
local total = 0
for depth = 4, 16, 2 do
  for _ = 1, 1 << (15 - depth + 2) do total = total + count(tree(depth)) end
end
print(total, count(kept))
