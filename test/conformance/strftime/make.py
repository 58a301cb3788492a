"""Writes expected.json beside this file: python3 test/conformance/strftime/make.py (then `bun run format`)

Python's datetime and zoneinfo (strftime of glibc) and GNU date are the judges; made with Python 3.11, coreutils 9.1.
"""
import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

random.seed(20240315)
HERE = os.path.dirname(os.path.abspath(__file__))
SPECIFIERS = list("YCymbBhdeaAwuUWGgVjHkIlPpMSzZsDFTRrcxX") + [":z", "-d", "_d", "-H", "_m", "-j"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "America/Sao_Paulo",
         "Asia/Tokyo", "Europe/London", "America/St_Johns", "Pacific/Apia", "Africa/Johannesburg"]
UTC = timezone.utc


def moments():
    """Year ends, where weeks are counted differently, changes of offset, and random times from 1970 to 2037."""
    for year in (1976, 1999, 2000, 2004, 2008, 2009, 2015, 2016, 2020, 2021, 2024, 2026):
        for month, day in ((1, 1), (1, 3), (12, 29), (12, 31)):
            yield datetime(year, month, day, 0, 5, 9, tzinfo=UTC)
    for t in (datetime(2024, 3, 31, 0, 59, 59), datetime(2024, 3, 31, 1, 0, 0), datetime(2024, 11, 3, 5, 59, 59),
              datetime(2024, 11, 3, 6, 0, 0), datetime(2024, 2, 29, 12, 0, 0), datetime(2011, 12, 30, 10, 0, 0)):
        yield t.replace(tzinfo=UTC)
    for _ in range(40):
        yield datetime.fromtimestamp(random.randint(0, 2**31 - 1), UTC)




formatted = []
for t in moments():
    zone = random.choice(ZONES)
    formats = "|".join(f"%{s}" for s in SPECIFIERS)
    env = {**os.environ, "TZ": zone, "LC_ALL": "C"}
    out = subprocess.run(["date", "-d", f"@{int(t.timestamp())}", f"+{formats}"], capture_output=True, text=True, env=env)
    expected = dict(zip(SPECIFIERS, out.stdout[:-1].split("|")))
    expected["c"] = t.astimezone(ZoneInfo(zone)).strftime("%a %b %e %H:%M:%S %Y")
    formatted.append({"timestamp": int(t.timestamp()), "zone": zone, "expected": expected})

conversions = []
for t in list(moments())[-46:]:
    zone = random.choice(ZONES)
    local = t.astimezone(ZoneInfo(zone))
    conversions.append({"input": t.strftime("%Y-%m-%dT%H:%M:%SZ"), "zone": zone, "expected": local.isoformat()})

# Days and weeks keep the wall clock (Python's own rule for aware datetimes); hours are exact time (computed in UTC).
additions = []
for _ in range(60):
    zone = random.choice(ZONES)
    local = datetime.fromtimestamp(random.randint(0, 2**31 - 1), ZoneInfo(zone))
    if datetime.fromtimestamp(local.timestamp(), ZoneInfo(zone)).fold:
        continue
    unit = random.choice(["seconds", "minutes", "hours", "days", "weeks"])
    amount = random.randint(-400, 400)
    step = timedelta(**{unit: amount})
    if unit in ("days", "weeks"):
        moved = datetime.fromtimestamp((local + step).timestamp(), ZoneInfo(zone))
        if moved.replace(tzinfo=None) != (local + step).replace(tzinfo=None) or moved.fold:
            continue
    else:
        moved = (local.astimezone(UTC) + step).astimezone(ZoneInfo(zone))
    additions.append({"input": local.strftime("%Y-%m-%d %H:%M:%S"), "zone": zone, "amount": amount, "unit": unit,
                      "expected": moved.isoformat()})

PARSED = [
    ("%Y-%m-%d %H:%M:%S", "2024-02-29 23:59:59"), ("%d/%m/%y", "01/12/69"), ("%d/%m/%y", "01/12/68"),
    ("%A, %d %B %Y", "Friday, 15 March 2024"), ("%a %b %d %I:%M %p %Y", "Fri Mar 15 12:01 AM 2024"),
    ("%I:%M %p %Y-%j", "12:01 PM 2023-365"), ("%G-W%V-%u", "2020-W53-7"), ("%G-W%V-%u", "2009-W01-1"),
    ("%Y %U %w", "2024 10 0"), ("%Y %W %u", "2024 10 1"), ("%Y-%m-%dT%H:%M:%S%z", "2024-03-15T10:30:00+0530"),
    ("%Y-%m-%dT%H:%M:%S%z", "2024-03-15T10:30:00-09:30"), ("%Y-%m-%d %%", "2024-03-15 %"),
    ("%Y-%m-%d", "2023-02-29"), ("%H:%M %Y-%m-%d", "24:00 2024-01-01"), ("%a %Y-%m-%d", "Fri 2024-03-15"),
    ("%Y-%m-%d", "2024-13-01"), ("%Y-%m-%d", "2024-03-15 "), ("%Y-%m-%d", "24-03-15x"),
]
parsed = []
for pattern, text in PARSED:
    try:
        t = datetime.strptime(text, pattern)
        t = t if t.tzinfo else t.replace(tzinfo=UTC)
        expected = int(t.timestamp())
    except ValueError:
        expected = None
    parsed.append({"format": pattern, "text": text, "expected": expected})

# The abbreviations in January and July 2024.
names = {}
for zone in ZONES + ["Europe/Paris", "Europe/Moscow", "America/Los_Angeles", "America/Chicago", "America/Denver", "Asia/Seoul",
                     "Asia/Hong_Kong", "Europe/Dublin", "Australia/Perth", "Pacific/Auckland", "America/Argentina/Buenos_Aires",
                     "America/Anchorage", "Pacific/Honolulu", "America/Halifax", "Europe/Lisbon", "Europe/Athens", "Asia/Kathmandu",
                     "Africa/Lagos", "Africa/Nairobi", "Asia/Shanghai", "Asia/Singapore", "Asia/Jerusalem", "Asia/Karachi", "Asia/Manila"]:
    names[zone] = [datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).tzname() for month in (1, 7)]

with open(os.path.join(HERE, "expected.json"), "w") as f:
    json.dump({"formatted": formatted, "conversions": conversions, "additions": additions, "parsed": parsed, "names": names}, f, indent=1)
