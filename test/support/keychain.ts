/** A real keychain of Linux desktops: gnome-keyring on a D-Bus session of its own, unlocked with an empty password. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "./cli.ts";

/** Why a test of the keychain cannot run here; undefined where it can. */
export const noKeychain: string | undefined =
  process.platform !== "linux"
    ? "the keychain of Linux desktops is on Linux only"
    : (["dbus-run-session", "gnome-keyring-daemon"].find((name) => Bun.which(name) === null) ??
      (hasLibsecret() ? undefined : "libsecret-1.so.0 is not installed"));

function hasLibsecret(): boolean {
  const listed = Bun.spawnSync(["/sbin/ldconfig", "-p"], { stderr: "ignore" });
  return listed.stdout.toString().includes("libsecret-1.so.0");
}

export class TestKeychain implements AsyncDisposable {
  private constructor(
    private readonly session: Bun.Subprocess<"pipe", "pipe", "pipe">,
    /** For programs that are to use it. */
    readonly env: Record<string, string>,
  ) {}

  /** @param name keychains of different names hold different secrets */
  static async start(box: Sandbox, name: string): Promise<TestKeychain> {
    const home = join(box.root, name);
    const runtime = join(home, "run");
    mkdirSync(runtime, { recursive: true, mode: 0o700 });
    const script =
      'printf "\\n" | gnome-keyring-daemon --unlock --components=secrets >&2; echo "$DBUS_SESSION_BUS_ADDRESS"; cat';
    const env = { PATH: process.env.PATH ?? "", HOME: home, XDG_RUNTIME_DIR: runtime };
    const session = Bun.spawn(["dbus-run-session", "--", "sh", "-c", script], {
      env,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { value } = await session.stdout.getReader().read();
    const address = new TextDecoder().decode(value).trim();
    if (address === "") throw new Error(`No keychain: ${await new Response(session.stderr).text()}`);
    return new TestKeychain(session, { DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: runtime });
  }

  /** Ends with its bus. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.stdin.end();
    await this.session.exited;
  }
}
