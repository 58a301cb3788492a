/** Service files for systemd and launchd: spec/kernel.md section 11. Pure: facts in, text out. */

export interface UnitFacts {
  executable: string;
  name: string;
  id: string;
  port: number;
  pidFile: string;
  logFile: string;
  /** Undefined for a service of the user's own. */
  system: { user: string; group: string; dataDirectory: string } | undefined;
  /** Set for the service, such as LLMSPELL_HOME. */
  environment: Readonly<Record<string, string>>;
}

/**
 * A user's service runs as that user: it has no User and Group, and is wanted by the user's default target. A private
 * /tmp would hide its files from the user; a system service keeps none there, and gets its own directories for its PID
 * file and its log, where its user may not write.
 */
export function systemdUnit(facts: UnitFacts): string {
  const { executable, name, id, port, pidFile, logFile, system, environment } = facts;
  const start = ["kernel", "start", "--daemon", "--port", String(port), "--id", id];
  const files = ["--pid-file", pidFile, "--log-file", logFile];
  const forSystem =
    system === undefined
      ? []
      : [
          `User=${system.user}`,
          `Group=${system.group}`,
          `RuntimeDirectory=${name}`,
          `LogsDirectory=${name}`,
          "PrivateTmp=true",
          "ProtectSystem=strict",
          "ProtectHome=read-only",
          `ReadWritePaths=${unitWord(system.dataDirectory)}`,
        ];
  return `${[
    "[Unit]",
    `Description=LLMSpell Kernel Service (${id})`,
    "After=network.target",
    "",
    "[Service]",
    "Type=forking",
    `PIDFile=${pidFile}`,
    ...Object.entries(environment).map(([key, value]) => `Environment=${unitWord(`${key}=${value}`)}`),
    `ExecStart=${[executable, ...start, ...files].map(unitWord).join(" ")}`,
    `ExecStop=${[executable, "kernel", "stop", "--pid-file", pidFile].map(unitWord).join(" ")}`,
    "ExecReload=/bin/kill -USR1 $MAINPID",
    "Restart=on-failure",
    "RestartSec=5s",
    "LimitNOFILE=65536",
    "NoNewPrivileges=true",
    ...forSystem,
    "",
    "[Install]",
    `WantedBy=${system === undefined ? "default.target" : "multi-user.target"}`,
  ].join("\n")}\n`;
}

/** A word of a command line or a list: systemd.syntax(7). `%t` and its like stay: only our own paths have them. */
function unitWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `"${word.replaceAll(/["\\]/g, "\\$&").replaceAll("$", "$$$$")}"`;
}

/** launchd watches the process that it started: the kernel stays in the foreground. */
export function launchdPlist(facts: UnitFacts): string {
  const { executable, id, port, pidFile, logFile, system, environment } = facts;
  const start = ["kernel", "start", "--port", String(port), "--id", id];
  const argv = [executable, ...start, "--pid-file", pidFile, "--log-file", logFile];
  const strings = argv.map((word) => `    <string>${xml(word)}</string>`);
  const variables = Object.entries(environment).flatMap(([key, value]) => [
    `    <key>${xml(key)}</key>`,
    `    <string>${xml(value)}</string>`,
  ]);
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    "<dict>",
    "  <key>Label</key>",
    `  <string>${xml(launchdLabel(facts.name))}</string>`,
    "  <key>ProgramArguments</key>",
    "  <array>",
    ...strings,
    "  </array>",
    ...(variables.length === 0
      ? []
      : ["  <key>EnvironmentVariables</key>", "  <dict>", ...variables, "  </dict>"]),
    "  <key>RunAtLoad</key>",
    "  <true/>",
    "  <key>KeepAlive</key>",
    "  <dict>",
    "    <key>SuccessfulExit</key>",
    "    <false/>",
    "    <key>Crashed</key>",
    "    <true/>",
    "  </dict>",
    "  <key>StandardOutPath</key>",
    `  <string>${xml(logFile)}</string>`,
    "  <key>StandardErrorPath</key>",
    `  <string>${xml(logFile)}</string>`,
    "  <key>ThrottleInterval</key>",
    "  <integer>5</integer>",
    ...(system === undefined ? [] : ["  <key>UserName</key>", `  <string>${xml(system.user)}</string>`]),
    "</dict>",
    "</plist>",
  ].join("\n")}\n`;
}

/** Also the name of the file, without its end. */
export function launchdLabel(name: string): string {
  return `com.llmspell.${name}`;
}

function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
