"""Debian's jupyter_client asks for events of the bus. Prints what it saw as one JSON document."""
import json
import sys

from jupyter_client import KernelManager

found = {}
manager = KernelManager(kernel_name="llmspell")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=30)


def ask(content):
    message = client.session.msg("event_request", content)
    client.shell_channel.send(message)
    while True:
        reply = client.get_shell_msg(timeout=30)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return message["header"]["msg_id"], reply["content"]


def run(code):
    seen = []
    reply = client.execute_interactive(code, output_hook=seen.append, timeout=30)
    return {"status": reply["content"]["status"], "seen": seen}


def text(outcome):
    return "".join(m["content"]["text"] for m in outcome["seen"] if m["msg_type"] == "stream")


# nothing is sent until somebody asks
outcome = run("Event.publish('mine.first', 1)")
found["unasked"] = sorted({m["msg_type"] for m in outcome["seen"]})

asked, reply = ask({"command": "subscribe", "pattern": "mine.*"})
found["subscribed"] = reply["status"]
subscription = reply["subscription_id"]
_, kernel_reply = ask({"command": "subscribe", "pattern": "kernel.*"})
found["listed"] = [[s["pattern"], s["language"]] for s in ask({"command": "list"})[1]["subscriptions"]]

client.execute("Event.publish('mine.second', {n = 2, list = {1, 2}})")
events = []
while sum(m["msg_type"] == "execute_reply" for m in events) == 0 or sum(m["msg_type"] == "event" for m in events) == 0:
    message = client.get_iopub_msg(timeout=30)
    if "event_type" in message["content"]:
        events.append(message)
found["events"] = [[m["msg_type"], m["content"]["event_type"]] for m in events]
mine = next(m for m in events if m["msg_type"] == "event")
found["mine"] = {
    "data": mine["content"]["data"],
    "language": mine["content"]["language"],
    "missed": mine["content"]["missed"],
    "whose": mine["parent_header"]["msg_id"] == asked and mine["content"]["subscription_id"] == subscription,
}

# a client publishes, a script of the same kernel hears it; functions of a cell live on into the next one
found["script"] = text(run("id = Event.subscribe('theirs') heard = {} Event.on('theirs', function(e) heard[#heard + 1] = e.data end)"))
found["published"] = ask({"command": "publish", "event_type": "theirs", "data": {"a": [1]}})[1]
found["heard"] = text(run("print(Event.receive(id, 5000).data.a[1]) Event.flush() print(#heard, heard[1].a[1])"))

found["unsubscribed"] = [ask({"command": "unsubscribe", "subscription_id": subscription})[1]["unsubscribed"] for _ in range(2)]
found["unknown"] = ask({"command": "dance"})[1]
found["no_pattern"] = ask({"command": "subscribe"})[1]["evalue"]
outcome = run("Event.publish('mine.third')")
found["after"] = [m["content"].get("event_type") for m in outcome["seen"] if m["msg_type"] == "event"]
client.shutdown()
client.stop_channels()
manager.cleanup_resources()
print(json.dumps(found))
sys.stdout.flush()
