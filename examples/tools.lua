-- Tools without any model: each call returns one table with success, result, text and metadata.
local sum = Tool.execute("calculator", { operation = "evaluate", input = "2 + 2 * 3" })
print("2 + 2 * 3 =", sum.result.result)

local digest = Tool.execute("hash-calculator", { operation = "hash", algorithm = "sha256", input = "abc" })
print("sha256(abc) =", digest.result.hash)

local encoded = Tool.execute("base64-encoder", { operation = "encode", input = "llmspell" })
print("base64 =", encoded.output)

local text = Tool["text-manipulator"]:execute({ operation = "snake_case", input = "Hello Brave World" })
print("snake_case =", text.output)

local id = Tool.execute("uuid-generator", { operation = "generate", version = "v5", namespace = "dns", name = "example.com" })
print("uuid v5 =", id.result.uuid)

local when = Tool.execute("datetime-handler", { operation = "add", input = "2024-02-28T00:00:00Z", amount = 2, unit = "days" })
print("two days after 28 February 2024 =", when.result.result)

local page = Tool.execute("template-creator", { input = "Dear {{name}}, {{count}} items", context = { name = "Ada", count = 3 } })
print("template =", page.result.rendered)

local names = Tool.execute("json-processor", { operation = "query", query = ".[] | .name", input = { { name = "a" }, { name = "b" } } })
print("jq =", JSON.stringify(names.data))

-- A wrong name is an error that offers the right one.
local ok, problem = pcall(Tool.execute, "calculater", {})
print(ok, problem)
