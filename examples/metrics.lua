-- Counts, times and percentiles of a script's own, beside those of the kernel.
-- With OTEL_EXPORTER_OTLP_ENDPOINT set, the same run arrives as a trace at an OpenTelemetry collector.

local lengths = Metrics.histogram("words.length", {description = "Letters of a word", buckets = {2, 4, 8, 16}})
local text = "a script counts what it does and asks for it later"

Metrics.span("count words", function()
  for word in text:gmatch("%a+") do
    Metrics.increment("words.seen", 1, {first = word:sub(1, 1)})
    lengths:record(#word)
  end
end)

local timer = Metrics.timer("hashing")
for i = 1, 3 do
  Tool.execute("hash-calculator", {operation = "hash", input = "number " .. i, algorithm = "sha256"})
end
timer:stop()

print("words:", Metrics.get("words.seen"))
print("beginning with a:", Metrics.get("words.seen", {first = "a"}))
print("longest, median:", Metrics.get("words.length.max"), Metrics.get("words.length.p50"))
print("hashes:", Metrics.get("tool.calls", {tool = "hash-calculator"}), Metrics.get("tool.errors") or 0)
print("timed:", Metrics.get("hashing") > 0 and Metrics.get("kernel.uptime") > 0)
