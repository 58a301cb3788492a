-- The shortest script, and what it finds: every global with a capital letter is one of ours.
print("Hello from " .. _VERSION)

local names = {}
for name, value in pairs(_G) do
  if type(value) == "table" and name:match("^%u") then names[#names + 1] = name end
end
table.sort(names)
print(table.concat(names, " "))
