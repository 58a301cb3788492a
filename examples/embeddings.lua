-- Texts as vectors: which of these is nearest to the question? Any model makes vectors; one that was trained for it does better.
local model = "spell-mini"
local question = "What is 3 + 4?"
local texts = { "My name is Ada.", "What is 12 + 30?", "Hello" }

local asked = LocalLLM.embed(model, question).embeddings[1]
local found = LocalLLM.embed(model, texts) -- several at once are computed together
print("dimensions:", found.dimensions, "vectors:", #found.embeddings)

-- Vectors have length 1, so that the sum of the products is the cosine of the angle between them.
local function similarity(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end

local best, most = nil, -1
for i, vector in ipairs(found.embeddings) do
  local near = similarity(asked, vector)
  if near > most then best, most = texts[i], near end
end
print("nearest:", best)
print("to itself:", string.format("%.3f", similarity(asked, asked)))
