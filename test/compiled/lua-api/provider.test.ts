/** spec/lua-api.md sections 9 and 18; agents-workflows-rag.md section 12, rows 2 and 16. */
import { luaTable, scripted } from "./support.ts";

luaTable("Provider", {
  config: `${scripted("[[providers.ci.responses]]\ntext = 'yes'")}
[providers.off]
provider_type = "test"
enabled = false
responses = []
`,
  setup: `
    local function parts(name) local list = {} for part in name:gmatch("[^/]+") do list[#list + 1] = part end return list end`,
  cases: [
    ["lists what is configured and enabled", `#Provider.list(), Provider.list()[1].enabled`, "1 true"],
    [
      "names entries factory/provider/model, from which a model string is made",
      `local p = parts(Provider.list()[1].name) return #p, Agent.create{model = p[2] .. "/" .. p[3]}:complete("?")`,
      `3 "yes"`,
    ],
    [
      "tells capabilities",
      `local c = Provider.list()[1].capabilities return c.supports_streaming, c.supports_multimodal, c.available_models`,
      `true false {"scripted"}`,
    ],
    [
      "finds by bare and by full name",
      `Provider.get("ci").name == Provider.get(Provider.list()[1].name).name, Provider.get("nope"), Provider.getCapabilities("nope")`,
      "true nil nil",
    ],
    [
      "knows which can be used",
      `Provider.isAvailable("ci"), Provider.isAvailable("off"), Provider.isAvailable("nope")`,
      "true false false",
    ],
    ["works when handed on", `pcall(Provider.isAvailable, "ci")`, "true true"],
    [
      "offers the other spelling, unseen by iteration",
      `local n = 0 for _ in pairs(Provider) do n = n + 1 end return n, Provider.is_available("ci"), Provider.nothing`,
      "4 true nil",
    ],
    ["wants a name", `pcall(Provider.get), pcall(Provider.get, {})`, /^false false ".*must be a string/],
  ],
});

luaTable("Without a provider", {
  cases: [
    ["the list is empty and can be joined", `#Provider.list(), table.concat(Provider.list(), ", ")`, `0 ""`],
    [
      "an agent that needs one raises at build",
      `Agent.builder():name("a"):model("openai/gpt-4o-mini"):build()`,
      /^raises: .*openai/,
    ],
  ],
});

luaTable("LocalLLM", {
  cases: [
    [
      "tells of every backend and never raises",
      `local s = LocalLLM.status() return s.ollama.running, s.ollama.models, s.ollama.error, s.candle.ready, math.type(s.candle.models)`,
      `false 0 "Not configured" true "integer"`,
    ],
    [
      "lists by backend",
      `#LocalLLM.list(), #LocalLLM.list("all"), #LocalLLM.list("candle"), #LocalLLM.list("ollama")`,
      "1 1 1 0",
    ],
    [
      "gives sizes that can be reckoned with",
      `local m = LocalLLM.list()[1] return m.id, m.backend, m.size_bytes / 1e9 < 1`,
      `"spell-mini" "llamacpp" true`,
    ],
    [
      "describes a model, with or without its backend",
      `local i = LocalLLM.info("spell-mini") return i.id, i.format, i.loaded, i.size == i.size_bytes, LocalLLM.info("spell-mini@candle").id`,
      `"spell-mini" "gguf" false true "spell-mini"`,
    ],
    ["raises for an unknown model", `LocalLLM.info("nope")`, "raises: Model 'nope' not found in any backend"],
    ["works when handed on", `pcall(LocalLLM.list)`, /^true \{/],
    [
      "serves agents by the reference's name of the backend",
      `type(Agent.create({model = "local/spell-mini@candle", max_tokens = 4}):complete("hi"))`,
      `"string"`,
    ],
  ],
});
