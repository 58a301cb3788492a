-- The answer arrives piece by piece; the pieces together are the answer.
local agent = Agent.builder():name("narrator"):model("local/spell-mini"):allow_tool("calculator"):build()

local pieces = {}
local done = agent:invokeStream({ text = "What is 12*7+3?" }, function(chunk)
  if chunk.text and chunk.text ~= "" then pieces[#pieces + 1] = chunk.text end
end)

print("chunks received:", done.chunks_received > 1)
print("answer:", table.concat(pieces))

-- Streams of your own are coroutines.
local squares = Streaming.create(function()
  for i = 1, 4 do coroutine.yield(i * i) end
end)
print("squares:", table.concat(squares:collect(), " "))
