"""A kernel that is killed while a cell runs, and started again by jupyter_client. Prints what it saw as one JSON document."""
import json
import os
import signal
import time

from jupyter_client import KernelManager

found = {}
manager = KernelManager(kernel_name="llmspell")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=30)
found["before"] = client.execute_interactive("kept = 40", timeout=30)["content"]["status"]
client.execute("while true do end")
while client.get_iopub_msg(timeout=30)["msg_type"] != "execute_input":
    pass
os.kill(manager.provisioner.pid, signal.SIGKILL)
while manager.is_alive():
    time.sleep(0.02)
manager.restart_kernel()
client.wait_for_ready(timeout=30)
results = []
take = lambda message: message["msg_type"] == "execute_result" and results.append(message["content"]["data"]["text/plain"])
reply = client.execute_interactive("kept == nil and 41", output_hook=take, timeout=30)
found["after"] = [reply["content"]["status"], *results]
asked = client.history(hist_access_type="tail", n=2, raw=True, output=False)
while True:
    message = client.get_shell_msg(timeout=30)
    if message["parent_header"].get("msg_id") == asked:
        break
found["history"] = [entry[2] for entry in message["content"]["history"]]
client.stop_channels()
manager.shutdown_kernel(now=True)
print(json.dumps(found))
