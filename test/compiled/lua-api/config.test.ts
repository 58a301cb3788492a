/** spec/lua-api.md section 8. */
import { luaTable, scripted } from "./support.ts";

luaTable("Config", {
  config: `${scripted("[[providers.ci.responses]]\ntext = 'yes'")}
[providers.keyed]
provider_type = "openai"
api_key = "sk-of-the-test"
api_key_env = "A_NAME"
`,
  setup: "local secure = Config.getSecurity() local permissions = Config.getPermissions()",
  cases: [
    [
      "gives everything without a path",
      `type(Config.get()), Config.get().default_engine, Config.get_all().default_engine`,
      `"table" "lua" "lua"`,
    ],
    [
      "gives the value at a dotted path",
      `Config.get("tools.system.allow_process_execution"), Config.get("runtime.security.max_memory_bytes"), Config.get("providers.ci.provider_type")`,
      `false 50000000 "test"`,
    ],
    [
      "gives nil at a path that names nothing",
      `Config.get("no.such"), Config.get("default_engine.deeper"), Config.get("")["no"], Config.get("tools..x")`,
      "nil nil nil nil",
    ],
    [
      "has the defaults of security",
      "secure",
      "{allow_file_access=false, allow_network_access=true, allow_process_spawn=false, max_execution_time_ms=300000, max_memory_bytes=50000000}",
    ],
    ["tells what is allowed", `Config.isFileAccessAllowed(), Config.isNetworkAccessAllowed()`, "false true"],
    [
      "has the standard permissions",
      `permissions.read, permissions.modify_providers, permissions.modify_tools, permissions.modify_runtime, permissions.modify_security, permissions.access_secrets`,
      "true true true true false false",
    ],
    [
      "names the engine and the providers",
      `Config.getDefaultEngine(), Config.listProviders()`,
      `"lua" {"ci", "keyed"}`,
    ],
    [
      "gives a provider or nil",
      `Config.getProvider("ci").default_model, Config.getProvider("nope")`,
      `"scripted" nil`,
    ],
    [
      "gives its sections",
      `for _, name in ipairs{"providers", "engines", "runtime", "tools", "security"} do assert(type(Config.getSection(name)) == "table") end return type(Config.getTools()), type(Config.toJson())`,
      `"table" "table"`,
    ],
    ["raises for an unknown section", `Config.getSection("nope")`, /^raises: .*"nope"/],
    [
      "hides secrets at every level, not the names of variables",
      `Config.get("providers.keyed.api_key"), Config.get().providers.keyed.api_key, Config.toJson().providers.keyed.api_key, Config.getProvider("keyed").api_key, Config.getProvider("keyed").api_key_env`,
      `"<REDACTED>" "<REDACTED>" "<REDACTED>" "<REDACTED>" "A_NAME"`,
    ],
    [
      "sets a provider for this process",
      `local r = Config.setProvider("mine", {provider_type = "test", model = "m", responses = {{text = "mine says"}}}) return r, Config.getProvider("mine").default_model, Agent.create{model = "mine/"}:complete("x")`,
      `nil "m" "mine says"`,
    ],
    [
      "goes back to a snapshot",
      `local at = Config.snapshot() Config.setProvider("gone", {provider_type = "test", responses = {}}) Config.restoreSnapshot(at) return math.type(at), Config.getProvider("gone")`,
      `"integer" nil`,
    ],
    [
      "keeps ten snapshots",
      `local at = {} for i = 1, 11 do at[i] = Config.snapshot() end return pcall(Config.restoreSnapshot, at[1]), pcall(Config.restoreSnapshot, at[2])`,
      "false true nil",
    ],
    ["raises for an unknown snapshot", `Config.restoreSnapshot(1)`, /^raises: .*1$/],
    [
      "refuses what would widen the sandbox",
      `pcall(Config.addAllowedPath, "/"), pcall(Config.setSecurity, {allow_file_access = true})`,
      /^false false ".*permission/,
    ],
    [
      "takes a number for text and refuses a table",
      `Config.get(5), pcall(Config.get, {})`,
      /^nil false ".*must be a string/,
    ],
    [
      "offers the other spelling, unseen by iteration",
      `local names = 0 for name in pairs(Config) do names = names + 1 assert(not name:find("_") or name == "get_all") end return names, Config.get_default_engine(), Config.is_file_access_allowed()`,
      `17 "lua" false`,
    ],
    ["has nothing under unknown names", `Config.set, Config.reload`, "nil nil"],
  ],
});
