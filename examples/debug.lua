-- Log lines, timers and dumps.
Debug.setLevel("warn")
Debug.info("not shown")
Debug.warn("shown", "example")

local timer = Debug.timer("work")
local sum = 0
for i = 1, 100000 do sum = sum + i end
timer:lap("summed")
print("took time:", timer:stop() >= 0)
print("captured:", #Debug.getCapturedEntries())
print(Debug.dumpCompact({ name = "Ada", list = { 1, 2, 3 } }, "value"))
