"""An independent ZeroMQ peer (libzmq through pyzmq). Arguments: the ports of a ROUTER that echoes, of a PUB and of a REP."""
import json
import sys
import zmq

router, pub, rep = (f"tcp://127.0.0.1:{port}" for port in sys.argv[1:4])
context = zmq.Context()
found = {}


def socket(kind, address, **options):
    made = context.socket(kind)
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.RCVTIMEO, 10000)
    for name, value in options.items():
        made.setsockopt(getattr(zmq, name), value)
    made.connect(address)
    return made


# sizes around every form of a frame's length, several parts, empty parts
dealer = socket(zmq.DEALER, router, IDENTITY=b"dealer-1")
sizes = [0, 1, 254, 255, 256, 257, 65535, 65536, 70000, 5_000_000]
sent = [[bytes([i]) * size, b"", bytes(range(256))] for i, size in enumerate(sizes)]
for parts in sent:
    dealer.send_multipart(parts)
found["dealer"] = [dealer.recv_multipart() == parts for parts in sent]

# a peer that gives no identity, beside one that does: each gets its own
nameless = socket(zmq.DEALER, router)
nameless.send(b"mine")
dealer.send(b"yours")
found["routed"] = [nameless.recv().decode(), dealer.recv().decode()]

# the identity of a peer that is still there is not given away; it is free again when the peer has gone
twin = socket(zmq.DEALER, router, IDENTITY=b"dealer-1")
twin.send(b"twin")
found["twin"] = "answered" if twin.poll(300) else "turned away"
dealer.close()
found["after"] = "turned away"
for _ in range(50):
    twin.send(b"again")
    if twin.poll(100):
        found["after"] = "answered"
        break

# request and reply
req = socket(zmq.REQ, rep)
found["beats"] = []
for beat in [b"ping", b"", b"x" * 300]:
    req.send(beat)
    found["beats"].append(req.recv() == beat)

# subscriptions: everything, a prefix, and one taken back. "more" asks the other side to publish.
everything = socket(zmq.SUB, pub, SUBSCRIBE=b"")
news = socket(zmq.SUB, pub, SUBSCRIBE=b"news")
fickle = socket(zmq.SUB, pub, SUBSCRIBE=b"a")
fickle.setsockopt(zmq.UNSUBSCRIBE, b"a")
fickle.setsockopt(zmq.SUBSCRIBE, b"end")
print("subscribed", flush=True)


def until_end(subscriber):
    topics = []
    while not topics or topics[-1] != "end":
        topic, _ = subscriber.recv_multipart()
        topics.append(topic.decode())
    return topics


found["everything"] = until_end(everything)
found["fickle"] = until_end(fickle)
found["news"] = [news.recv_multipart()[0].decode(), news.recv_multipart()[0].decode()]
print(json.dumps(found))
