"""A Jupyter client listens while a cell publishes N events. Prints what came as one JSON document."""
import json
import sys

from jupyter_client import KernelManager

count = int(sys.argv[1])
manager = KernelManager(kernel_name="llmspell")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=30)

message = client.session.msg("event_request", {"command": "subscribe", "pattern": "storm.*"})
client.shell_channel.send(message)
while client.get_shell_msg(timeout=30)["parent_header"].get("msg_id") != message["header"]["msg_id"]:
    pass

client.execute("local pad = ('x'):rep(50) for n = 1, %d do Event.publish('storm.x', {n = n, pad = pad}) end" % count)
found = {"received": 0, "missed": 0, "last": 0, "last_number": 0, "ordered": True}
while found["last"] < count:
    content = client.get_iopub_msg(timeout=60)["content"]
    if content.get("event_type") != "storm.x":
        continue
    n = content["data"]["n"]
    found["ordered"] = found["ordered"] and n > found["last"]
    found["received"] += 1
    found["missed"] += content["missed"]
    found["last"] = n
    found["last_number"] = content["number"]

# the kernel goes on answering
client.execute("1 + 1", reply=False)
reply = client.get_shell_msg(timeout=30)
while reply["msg_type"] != "execute_reply":
    reply = client.get_shell_msg(timeout=30)
found["answered"] = reply["content"]["status"]
pid = json.load(open(manager.connection_file)).get("pid") or manager.provisioner.pid
found["rss_kb"] = int(next(line for line in open("/proc/%d/status" % pid) if line.startswith("VmHWM")).split()[1])
client.shutdown()
client.stop_channels()
manager.cleanup_resources()
print(json.dumps(found))
sys.stdout.flush()
