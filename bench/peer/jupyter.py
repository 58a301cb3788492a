"""Times two Jupyter kernels in turns through Debian's jupyter_client: `jupyter.py ROUNDS OURS PEER`, names of kernelspecs.
Prints the samples in milliseconds as one JSON document."""
import json
import sys
import time

from jupyter_client import KernelManager

ROUNDS = int(sys.argv[1])
KERNELS = {"ours": sys.argv[2], "peer": sys.argv[3]}
PRINTS = 2000
LOOPS = {
    "ours": f"for i = 1, {PRINTS} do print(i) io.flush() end",
    "peer": f"for i in range(1, {PRINTS + 1}): print(i, flush=True)",
}
ENDLESS = {"ours": "while true do end", "peer": "while True: pass"}
PRINTED = "".join(f"{i}\n" for i in range(1, PRINTS + 1))
EXECUTIONS = 300
CELLS = 25  # in a row, as a notebook runs them
WAIT = 60


def milliseconds(begun):
    return (time.perf_counter() - begun) * 1000


def reply_to(client, message_id):
    while True:
        message = client.get_shell_msg(timeout=WAIT)
        if message["parent_header"].get("msg_id") == message_id:
            return message["content"]


def until_idle(client, message_id):
    """The text that the execution printed."""
    text = ""
    while True:
        message = client.get_iopub_msg(timeout=WAIT)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            text += content["text"]
        elif content.get("execution_state") == "idle":
            return text


def start(name, found):
    """From the start of the process to its first answer, and to the end of jupyter_client's own wait."""
    manager = KernelManager(kernel_name=KERNELS[name])
    begun = time.perf_counter()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    reply_to(client, client.kernel_info())
    found["ready"][name].append(milliseconds(begun))
    client.wait_for_ready(timeout=WAIT)
    found["waited"][name].append(milliseconds(begun))
    return manager, client


def end(manager, client):
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def execute(client, code):
    begun = time.perf_counter()
    message_id = client.execute(code)
    content = reply_to(client, message_id)
    took = milliseconds(begun)
    assert content["status"] == "ok", content
    until_idle(client, message_id)
    return took


def print_much(client, code):
    begun = time.perf_counter()
    message_id = client.execute(code)
    text = until_idle(client, message_id)
    took = milliseconds(begun)
    assert text == PRINTED, text[:200]
    reply_to(client, message_id)
    return took


def interrupt(manager, client, code):
    """From the interrupt to the reply of the cell that ran."""
    message_id = client.execute(code)
    while client.get_iopub_msg(timeout=WAIT)["msg_type"] != "execute_input":
        pass
    time.sleep(0.1)
    begun = time.perf_counter()
    manager.interrupt_kernel()
    content = reply_to(client, message_id)
    took = milliseconds(begun)
    assert content["status"] == "error", content
    until_idle(client, message_id)
    return took


def health(client):
    message = client.session.msg("kernel_status_request", {})
    begun = time.perf_counter()
    client.shell_channel.send(message)
    content = reply_to(client, message["header"]["msg_id"])
    assert "health" in content, content
    return milliseconds(begun)


def in_turns(round_number):
    names = list(KERNELS)
    return names if round_number % 2 == 0 else names[::-1]


found = {what: {name: [] for name in KERNELS} for what in ("ready", "waited", "execute", "prints", "interrupt", "health")}
for round_number in range(ROUNDS):
    for name in in_turns(round_number):
        end(*start(name, found))
running = {name: start(name, found) for name in KERNELS}
for samples in (*found["ready"].values(), *found["waited"].values()):
    samples.pop(0)
for name, (_, client) in running.items():
    for _ in range(20):
        execute(client, "1")
for round_number in range(EXECUTIONS // CELLS):
    for name in in_turns(round_number):
        for _ in range(CELLS):
            found["execute"][name].append(execute(running[name][1], "1"))
for round_number in range(ROUNDS):
    for name in in_turns(round_number):
        found["prints"][name].append(print_much(running[name][1], LOOPS[name]))
        found["interrupt"][name].append(interrupt(*running[name], ENDLESS[name]))
    found["health"]["ours"].append(health(running["ours"][1]))
for name in KERNELS:
    end(*running[name])
print(json.dumps(found))
