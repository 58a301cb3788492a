"""Writes expected.json beside this file: python3 test/conformance/python/make.py (then `bun run format`)

Python 3.11 is the judge of arithmetic (operators and the math module), of text (str and textwrap) and of UUIDs.
"""
import json
import math
import os
import random
import textwrap
import uuid

random.seed(42)
HERE = os.path.dirname(os.path.abspath(__file__))
FUNCTIONS = {"sin": math.sin, "cos": math.cos, "tan": math.tan, "atan": math.atan, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
             "asinh": math.asinh, "exp": math.exp, "abs": abs, "floor": math.floor, "ceil": math.ceil, "int": math.trunc}


def expression(depth):
    """An expression and the same in Python; every operand is parenthesised or not at random."""
    if depth == 0:
        n = random.choice([random.randint(0, 20), round(random.uniform(0, 9), 2)])
        return (str(n),) * 2
    kind = random.random()
    if kind < 0.15:
        a, b = expression(depth - 1)
        name = random.choice(list(FUNCTIONS))
        return f"{name}({a})", f"F['{name}']({b})"
    if kind < 0.25:
        a, b = expression(depth - 1)
        return f"-({a})", f"-({b})"
    if kind < 0.35:
        a, b = expression(depth - 1)
        return f"({a})", f"({b})"
    a, b = expression(depth - 1)
    c, d = expression(depth - 1)
    op = random.choice(["+", "-", "*", "/", "+", "-", "*"])
    return f"{a} {op} {c}", f"{b} {op} {d}"


arithmetic = []
while len(arithmetic) < 300:
    ours, python = expression(random.randint(1, 4))
    try:
        value = eval(python, {"F": FUNCTIONS})
    except (ZeroDivisionError, OverflowError, ValueError):
        continue
    arithmetic.append([ours, value])
for ours, python in [("2 ^ 3 ^ 2", "2 ** 3 ** 2"), ("-2 ^ 2", "-2 ** 2"), ("2 ^ -1", "2 ** -1"), ("2 * 3 ^ 2", "2 * 3 ** 2"), ("-3 ^ 2 * 2", "-3 ** 2 * 2"),
                     ("(1 + 2) * 3 - 4 / 2", "(1 + 2) * 3 - 4 / 2"), ("1 - 2 - 3", "1 - 2 - 3"), ("24 / 4 / 2", "24 / 4 / 2"), ("1e3 + .5", "1e3 + .5"),
                     ("1 + 2 < 4", "int(1 + 2 < 4)"), ("1 < 2 && 3 > 2 || 0", "int(1 < 2 and 3 > 2 or False)"), ("!(1 == 1)", "int(not 1 == 1)"),
                     ("0 || 0 && 1", "int(bool(0 or 0 and 1))"), ("1 != 2", "int(1 != 2)"), ("7 % 3", "math.fmod(7, 3)"), ("-7 % 3", "math.fmod(-7, 3)"),
                     ("log(2, 1024)", "math.log2(1024)"), ("log(1000)", "math.log10(1000)"), ("ln(e)", "math.log(math.e)"), ("sqrt(2)", "math.sqrt(2)"),
                     ("asin(1)", "math.asin(1)"), ("acos(0.5)", "math.acos(0.5)"), ("acosh(2)", "math.acosh(2)"), ("atanh(0.5)", "math.atanh(0.5)"),
                     ("min(3, 1, 2) + max(4, 9)", "min(3, 1, 2) + max(4, 9)"), ("sqrt((1 + 2) * (3 + (4)))", "math.sqrt((1 + 2) * (3 + (4)))"),
                     ("pi() * e", "math.pi * math.e"), ("sign(-3) + sign(0) + sign(8)", "-1 + 0 + 1")]:
    arithmetic.append([ours, eval(python, {"F": FUNCTIONS, "math": math})])

TEXTS = ["", "hello world", "  padded\ttext \n", "Grüße aus Köln ß", "emoji 😀 and 👍🏽 end", "a\n  b\n\n    c", "    four\n      six\n\n    four", "one two three four five six seven eight nine ten",
         "\t tab\n\t\ttabs", "ends with newline\n", "日本語 テキスト", "longwordlongwordlongwordlongword x y"]
text = []
for t in TEXTS:
    size = lambda s: len(s.encode())
    for operation, options, result in [
        ("uppercase", {}, t.upper()), ("lowercase", {}, t.lower()), ("reverse", {}, t[::-1]), ("trim", {}, t.strip()),
        ("replace", {"from": "o", "to": "$&0"}, t.replace("o", "$&0")), ("substring", {"start": 2, "end": 7}, t[2:7]), ("substring", {"start": 3}, t[3:]),
        ("split", {"delimiter": " "}, json.dumps(t.split(" "), ensure_ascii=False, separators=(",", ":"))), ("dedent", {}, textwrap.dedent(t)),
        ("indent", {"spaces": 2}, textwrap.indent(t, "  ")), ("normalize_whitespace", {}, " ".join(t.split())), ("capitalize", {}, t.capitalize()),
        ("length", {}, str(len(t))), ("count", {}, str(len(t.split()))), ("count", {"count_type": "chars"}, str(len(t))),
        ("count", {"count_type": "lines"}, str(len(t.splitlines()))), ("truncate", {"max_length": 8}, t if len(t) <= 8 else t[:5] + "..."),
        ("word_wrap", {"width": 12}, "\n".join(textwrap.fill(" ".join(line.split()), 12, break_long_words=False, break_on_hyphens=False) for line in t.split("\n"))),
        ("sanitize", {}, "".join(c for c in t if " " <= c <= "~" or c in "\n\t").strip()),
    ]:
        text.append({"operation": operation, "input": t, "options": options, "result": result, "bytes": [size(t), size(result)]})

NAMESPACES = {"dns": uuid.NAMESPACE_DNS, "url": uuid.NAMESPACE_URL, "oid": uuid.NAMESPACE_OID, "x500": uuid.NAMESPACE_X500,
              "agent": uuid.UUID("6ba13d5a-3f5d-4a5b-9f7e-3d5a2f4d3a2b"), "tool": uuid.UUID("7cb24e6b-4f6e-5b6c-af8f-4e6b3f5e4b3c"),
              "workflow": uuid.UUID("8dc35f7c-5f7f-6c7d-bf9f-5f7c4f6f5c4d"), "test": uuid.uuid5(uuid.NAMESPACE_DNS, "test"),
              "00112233-4455-6677-8899-AABBCCDDEEFF": uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")}
uuids = [{"namespace": name, "name": text_, "uuid": str(uuid.uuid5(ns, text_)), "urn": uuid.uuid5(ns, text_).urn, "hex": uuid.uuid5(ns, text_).hex}
         for name, ns in NAMESPACES.items() for text_ in ("", "www.example.com", "Grüße 😀")]
VARIANTS = {uuid.RFC_4122: "RFC4122", uuid.RESERVED_NCS: "NCS", uuid.RESERVED_MICROSOFT: "Microsoft", uuid.RESERVED_FUTURE: "Future"}
validated = []
for t in ["2ed6657d-e927-568b-95e1-2665a8aea6a2", "2ED6657DE927168B95E12665A8AEA6A2", "{2ed6657d-e927-468b-95e1-2665a8aea6a2}", "urn:uuid:2ed6657d-e927-468b-15e1-2665a8aea6a2",
          "2ed6657d-e927-468b-c5e1-2665a8aea6a2", "2ed6657d-e927-468b-e5e1-2665a8aea6a2", "2ed6657d-e927-468b-e5e1-2665a8aea6", "zed6657d-e927-468b-e5e1-2665a8aea6a2"]:
    try:
        u = uuid.UUID(t)
        validated.append([t, {"valid": True, "uuid": str(u), "version": f"v{u.version}" if u.version else None, "variant": VARIANTS[u.variant]}])
    except ValueError:
        validated.append([t, None])

with open(os.path.join(HERE, "expected.json"), "w") as f:
    json.dump({"arithmetic": arithmetic, "text": text, "uuids": uuids, "validated": validated}, f, indent=0, ensure_ascii=False)
    f.write("\n")
