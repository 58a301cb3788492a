-- Files under the allowed paths only (/tmp unless the configuration says otherwise).
local path = os.getenv("TMPDIR") and "/tmp/llmspell-example-" .. os.time() .. ".txt" or "/tmp/llmspell-example.txt"
local written = Tool.execute("file-operations", { operation = "write", path = path, input = "first line\n" })
print("written:", written.success)
Tool.execute("file-operations", { operation = "append", path = path, input = "second line\n" })
io.write(Tool.execute("file-operations", { operation = "read", path = path }).text)
Tool.execute("file-operations", { operation = "delete", path = path })
print("still there:", Tool.execute("file-operations", { operation = "exists", path = path }).result.exists)
