"""Debian's jupyter_client drives the installed kernelspec. Prints what it saw as one JSON document."""
import json
import sys
import time

from jupyter_client import BlockingKernelClient, KernelManager

found = {}
manager = KernelManager(kernel_name="llmspell")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=30)


def reply_to(message_id, take):
    while True:
        message = take(timeout=30)
        if message["parent_header"].get("msg_id") == message_id:
            return message


def run(code, **options):
    seen = []
    hook = lambda message: seen.append([message["msg_type"], message["content"]])
    reply = client.execute_interactive(code, output_hook=hook, timeout=30, **options)
    return {"reply": reply["content"], "seen": seen}


def ask(name, *arguments, **options):
    return reply_to(getattr(client, name)(*arguments, **options), client.get_shell_msg)["content"]


def control(kind, content):
    message = client.session.msg(kind, content)
    client.control_channel.send(message)
    return reply_to(message["header"]["msg_id"], client.get_control_msg)


found["info"] = ask("kernel_info")
found["streams"] = run("print('out', 1.0) io.stderr:write('err\\n') kept = 41 return kept + 1")
found["expression"] = run("kept")
found["table"] = run("{{n = 1, m = '<b>'}, {n = 2}}")
found["markdown"] = run("{['text/markdown'] = '# Title', ['image/png'] = '\\137PNG\\r\\n\\26\\n'}")
found["expressions"] = run("", user_expressions={"good": "kept * 2", "bad": "nothing.there"})
found["error"] = run("local function f() error('broken') end\nf()")
found["silent"] = run("print('quiet') return 1", silent=True)
found["utf8"] = run("print('Grüße 🙂')")

# cells that wait behind one that fails are given up, unless it says otherwise
ids = [client.execute(code) for code in ("local t = os.clock() while os.clock() < t + 0.3 do end error('first')", "x = 1", "y = 1")]
found["aborted"] = [reply_to(i, client.get_shell_msg)["content"]["status"] for i in ids]
ids = [client.execute(code, stop_on_error=False) for code in ("error('first')", "x = 1")]
found["not_aborted"] = [reply_to(i, client.get_shell_msg)["content"]["status"] for i in ids]

found["complete"] = ask("complete", "🙂 Tool.ex", 9)
found["complete_live"] = ask("complete", "print(kep", 9)
found["complete_field"] = ask("complete", "string.fo", 9)
found["inspect"] = ask("inspect", "Tool.execute(", 13)
found["inspect_live"] = ask("inspect", "kept", 4)
found["inspect_nothing"] = ask("inspect", "no_such_name", 4)
found["is_complete"] = [ask("is_complete", code) for code in ("x = 1", "for i = 1, 2 do", "x = = 1")]
found["comms"] = ask("comm_info")
found["input"] = run("io.write('name? ') return io.read()", allow_stdin=True, stdin_hook=lambda m: client.input("Ada"))
found["no_input"] = run("return io.read() == nil", allow_stdin=False)

message = client.session.msg("make_coffee_request", {})
client.shell_channel.send(message)
found["unknown"] = reply_to(message["header"]["msg_id"], client.get_shell_msg)
found["unknown"] = [found["unknown"]["msg_type"], found["unknown"]["content"]]
message = client.session.msg("tool_request", {"command": "invoke", "name": "calculator", "params": {"expression": "6*7"}})
client.shell_channel.send(message)
found["tool"] = reply_to(message["header"]["msg_id"], client.get_shell_msg)["content"]
found["state"] = []
for content in (
    {"command": "set", "scope": "user:ada", "key": "n", "value": {"list": [1, None, {"$bytes": "/w=="}]}},
    {"command": "get", "key": "user:ada:n"},
    {"command": "list", "scope": "user:ada"},
    {"command": "show"},
    {"command": "explode"},
):
    message = client.session.msg("state_request", content)
    client.shell_channel.send(message)
    found["state"].append(reply_to(message["header"]["msg_id"], client.get_shell_msg)["content"])
found["state_in_lua"] = run("return State.load('user:ada', 'n').list[3] == '\\xff'")
found["debug"] = control("debug_request", {"type": "request", "seq": 7, "command": "initialize", "arguments": {}})["content"]

# control, completion and the heartbeat are answered while a cell runs; an interrupt ends it
cell = client.execute("while true do end")
time.sleep(0.3)
found["while_busy"] = ask("complete", "Too", 3)["matches"]
found["heart"] = client.hb_channel.is_beating()
begun = time.monotonic()
found["interrupted"] = control("interrupt_request", {})["content"]
found["after_interrupt"] = reply_to(cell, client.get_shell_msg)["content"]
found["interrupt_ms"] = (time.monotonic() - begun) * 1000

# a message that comes twice, and one signed with another key, are not answered
message = client.session.msg("execute_request", {"code": "twice = (twice or 0) + 1"})
frames = client.session.serialize(message)
for _ in range(2):
    client.shell_channel.socket.send_multipart(frames)
reply_to(message["header"]["msg_id"], client.get_shell_msg)
message = client.session.msg("execute_request", {"code": "forged = true"})
frames = client.session.serialize(message)
frames[1] = b"0" * 64
client.shell_channel.socket.send_multipart(frames)
found["distrust"] = run("{twice, forged == nil}")["seen"][2][1]["data"]["text/plain"]

# a second client: its cells are seen by the first
second = BlockingKernelClient(connection_file=manager.connection_file)
second.load_connection_file()
second.start_channels()
second.wait_for_ready(timeout=30)
reply_to(second.execute("print('second', kept)"), second.get_shell_msg)
heard = []
while "second\t41\n" not in heard:
    heard.append(client.get_iopub_msg(timeout=30)["content"].get("text"))
second.stop_channels()

manager.restart_kernel()
client.wait_for_ready(timeout=30)
found["restarted"] = run("{kept == nil}")
found["history"] = {
    "tail": ask("history", hist_access_type="tail", n=2, raw=True, output=True)["history"],
    "search": ask("history", hist_access_type="search", pattern="*Grü*", raw=True, output=False)["history"],
    "range": ask("history", hist_access_type="range", session=-1, start=2, stop=4, raw=True, output=False)["history"],
}
client.shutdown()
deadline = time.monotonic() + 30
while manager.is_alive() and time.monotonic() < deadline:
    time.sleep(0.02)
found["ended"] = not manager.is_alive()
client.stop_channels()
manager.cleanup_resources()
print(json.dumps(found))
sys.stdout.flush()
