-- llmspell run examples/arguments.lua -- first --name Ada --verbose
print("script", ARGS[0])
print("first positional", ARGS[1] or "none")
print("name", ARGS.name or "none")
print("verbose", ARGS.verbose or "no")
for i, value in ipairs(arg) do print(i, value) end
