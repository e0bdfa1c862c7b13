#!/usr/bin/env python3
"""Compares what eopwatch tells of the logs with what the responder wrote down.

Usage: compare.py EOPWATCH WORK. Every attempt of the journal must be found, with all its fields, and nothing else;
where an MTA logs something else than was said to it, a rule below says so.
"""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import plan

# --- The rules: what an MTA makes of an answer -----------------------------------------------------------------------


def postfix_skips_a_5xx_greeting(lane, row):
    """`smtp_skip_5xx_greeting` is on by default: a 5xx greeting defers."""
    if lane.mta == "postfix" and row["stage"] == "greeting" and row["outcome"] == "bounced":
        return {**row, "outcome": "deferred"}
    return row


def postfix_soft_bounce(lane, row):
    """With `soft_bounce` nothing bounces."""
    if lane.soft_bounce and row["outcome"] == "bounced":
        return {**row, "outcome": "deferred"}
    return row


def a_second_host_was_tried(lane, row):
    """A failure that the MTA follows by trying the next MX host is no result: the next host's is."""
    return None if row["answer"] == "first-of-two" else row


def long_replies_are_cut(lane, row):
    """Postfix keeps 2,048 bytes of a reply, Exim logs 1,024: the host tag at the end is gone."""
    return {**row, "datacenter_host": ""} if row["answer"] in ("long", "longlines") else row


def exim_calls_a_long_reply_malformed(lane, row):
    """A reply over 4,096 bytes is malformed to Exim, whatever its code, and it tries again later."""
    if lane.mta.startswith("exim") and row["answer"] in ("long", "longlines"):
        return {**row, "outcome": "deferred"}
    return row


def exim_tries_again_at_once(lanes, rows):
    """Of a message that others got, Exim tries a deferred recipient a second time on the same connection, and logs
    the last answer alone."""
    last = {(row["connection"], row["recipient"]): i for i, row in enumerate(rows)}
    return [
        row
        for i, row in enumerate(rows)
        if not lanes[row["source_ip"]].mta.startswith("exim") or last[row["connection"], row["recipient"]] == i
    ]


RULES = [
    postfix_skips_a_5xx_greeting,
    postfix_soft_bounce,
    a_second_host_was_tried,
    long_replies_are_cut,
    exim_calls_a_long_reply_malformed,
]

# What a log says where nothing was tried.
HELD_BACK = {"postfix": "delivery temporarily suspended", "exim": ": retry time not reached"}

# --- The comparison --------------------------------------------------------------------------------------------------

FIELDS = ["source_ip", "recipient_domain", "relay_host", "relay_ip", "datacenter_host", "smtp_code", "enhanced_code",
          "outcome"]


def essence(reply, code, enhanced):
    """The letters and digits of a reply, without the codes of its lines. Of a long one its begin, of one with odd
    bytes, that each MTA prints in its own way, what stands between them and behind them."""
    if code:
        reply = re.sub(rf"(^|\s){code}[ -]({re.escape(enhanced)} )?" if enhanced else rf"^{code}[ -]", " ", reply)
    if "Zugriff" in reply:
        reply = reply[reply.index("gesperrt") :].split(" command)")[0] + reply[reply.rindex("[") :]
    return re.sub(r"[^A-Za-z0-9]", "", reply)[:600]


def journal(work, lanes):
    """Expected attempts: lane, key, sender domain."""
    with open(work / "journal.tsv", encoding="utf-8", newline="") as file:
        rows = [
            {key: re.sub(r"\\([tn\\])", lambda m: {"t": "\t", "n": "\n", "\\": "\\"}[m[1]], value)
             for key, value in row.items()}
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
    for row in exim_tries_again_at_once(lanes, rows):
        lane = lanes[row["source_ip"]]
        row["recipient_domain"] = plan.domain_of(row["recipient"])
        for rule in RULES:
            row = row and rule(lane, row)
        if row:
            yield lane, row


def key_of(row):
    reply = essence(row["reply"] or "", row["smtp_code"], row["enhanced_code"])
    return (*("" if row[name] is None else str(row[name]) for name in FIELDS), reply)


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"real-mta: eopwatch {arguments[0]} ends with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode("utf-8")


def events(program, work, log, *more):
    text = run(program, "events", "--source-map", work / "sources.map", *more, work / f"{log}.log")
    return [json.loads(line) for line in text.splitlines()]


class Report:
    def __init__(self):
        self.wrong = 0

    def say(self, text):
        self.wrong += 1
        print(text, file=sys.stderr)

    def differences(self, what, expected, found):
        for sign, left, right in (("in the journal only", expected, found), ("in the events only", found, expected)):
            for key, count in sorted((left - right).items()):
                self.say(f"{what}: {sign}, {count} x: {dict(zip([*FIELDS, 'reply'], key))}")


def main():
    program, work = sys.argv[1], Path(sys.argv[2])
    report = Report()
    with_six = (work / "journal.tsv").read_text(encoding="utf-8").count("2001:db8:") > 0
    lanes = {lane.source: lane for lane in plan.LANES if with_six or not lane.six}
    truth = list(journal(work, lanes))

    # The test would tell nothing of an answer that was never given.
    given = {(lane.source, row["answer"]) for lane, row in truth}
    for message in plan.messages(with_six):
        for address in (message.sender, *message.recipients):
            relay = [relay.connection for relay in plan.RELAYS if relay.domain == plan.domain_of(address)]
            name = relay[0] if relay and relay[0] and relay[0] != "first-of-two" else plan.answer_name(address)
            if name != "ok" and (message.lane.source, name) not in given:
                report.say(f"{message.lane.source} never got the answer {name}")

    for log in sorted({lane.mta for lane in lanes.values()}):
        here = [row for lane, row in truth if lane.mta == log]
        all_events = events(program, work, log, "--all")
        report.differences(f"{log}, --all", Counter(map(key_of, here)), Counter(map(key_of, all_events)))
        microsoft = Counter(key_of(row) for row in here if row["recipient_domain"] not in plan.OTHERS)
        own_events = events(program, work, log)
        report.differences(log, microsoft, Counter(map(key_of, own_events)))

        senders = {}
        for row in here:
            senders.setdefault(key_of(row), Counter())[plan.domain_of(row["sender"])] += 1
        # Every message's sender stands in the log, on the line that took it in.
        for event in all_events:
            domain = event["sender_domain"]
            if senders.get(key_of(event), Counter())[domain] <= 0:
                report.say(f"{log}: sender domain {domain} of {key_of(event)}")
            else:
                senders[key_of(event)][domain] -= 1

        for event in all_events:
            lane = lanes.get(event["source_ip"])
            relay_is_other = event["recipient_domain"] in plan.OTHERS
            if lane and event["source_evidence"] not in lane.evidence and not relay_is_other:
                report.say(f"{log}: {event['source_ip']} is known by {event['source_evidence']}")

        summary = json.loads(run(program, "summary", "--format", "json", work / f"{log}.log"))
        lines = (work / f"{log}.log").read_bytes().split(b"\n")[:-1]
        words = HELD_BACK[log.split("-")[0]].encode()
        for name, expected in (
            ("lines", len(lines)),
            ("malformed", 0),
            ("attempts", sum(microsoft.values())),
            ("other_attempts", len(here) - sum(microsoft.values())),
            ("held_back", sum(words in line for line in lines)),
        ):
            if summary["totals"][name] != expected:
                report.say(f"{log}: {name} is {summary['totals'][name]}, not {expected}")

    if report.wrong:
        sys.exit(f"real-mta: {report.wrong} differences between {work}/journal.tsv and what eopwatch read")
    messages = len(plan.messages(with_six))
    print(f"real-mta: {messages} messages, {len(truth)} attempts, all as the responder wrote them down")


if __name__ == "__main__":
    main()
