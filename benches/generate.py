#!/usr/bin/env python3
"""Writes logs, the same bytes for the same arguments.

    generate.py bulk [--bytes N] [--share S] [--auth S] [--stamps bsd|iso] [--host NAME] [--format FORMAT] > FILE
        A busy host: smtpd, cleanup, qmgr and smtp lines; a share S of the deliveries goes to Microsoft,
        three in a hundred of those are refused, a share of them for the sender's authentication. FORMAT is one of
        formats.py. The counts of what was written go to stderr as JSON.
    generate.py story > FILE
        Three days of three sources: a trade-show list hits spam traps, one source is blocked at one
        datacenter, then at all, is worked on and comes free again; another one is throttled for two hours;
        the third is still blocked where the log ends.
"""
import argparse
import datetime
import json
import random
import sys

from formats import FORMATS, HEADERS, delivery, said

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
FORESTS = ["namprd10", "namprd12", "namprd04", "eurprd03", "eurprd07", "apcprd02"]
SITES = {"namprd10": "CO1", "namprd12": "BN8", "namprd04": "SN1", "eurprd03": "DU2", "eurprd07": "AM6",
         "apcprd02": "SG2"}
CONSUMER = ["outlook.com", "hotmail.com", "live.com", "msn.com"]
TENANTS = ["contoso.example", "fabrikam.example", "adatum.example", "litware.example"]
OTHERS = [("gmail.com", "gmail-smtp-in.l.google.com", "142.250.27.27"),
          ("yahoo.com", "mta5.am0.yahoodns.net", "67.195.204.72"),
          ("corp.example", "mx1.corp.example", "198.51.100.253")]


def bsd(t):
    return f"{MONTHS[t.month - 1]} {t.day:2d} {t:%H:%M:%S}"


def iso(t):
    return f"{t:%Y-%m-%dT%H:%M:%S}.{t.microsecond // 1000:03d}000+00:00"


def tag(rng, t, forest):
    host = f"{SITES[forest]}PEPF{rng.randrange(1 << 32):08X}.{forest}.prod.outlook.com"
    return f"[{host} {t:%Y-%m-%dT%H:%M:%S}.{t.microsecond // 1000:03d}Z 08DE{rng.randrange(1 << 48):012X}]"


def relay(domain):
    name = domain.replace(".", "-")
    kind = "olc" if domain in CONSUMER else "mail"
    return f"{name}.{kind}.protection.outlook.com"


def accepted(rng, number, forest):
    return (f"250 2.6.0 <{number}@news.example> [InternalId={rng.randrange(10**13)}, "
            f"Hostname=SJ0PR17MB{rng.randrange(10**4):04d}.{forest}.prod.outlook.com] "
            f"{rng.randrange(2000, 60000)} bytes in 0.{rng.randrange(100, 999)}, 60.121 KB/sec "
            f"Queued mail for delivery -> 250 2.1.5")


def refusal(kind, rng, t, ip, forest, domain):
    end = tag(rng, t, forest)
    return {
        "s3140": f"550 5.7.1 Unfortunately, messages from [{ip}] weren't sent. Please contact your Internet service "
                 f"provider since part of their network is on our block list (S3140). You can also refer your "
                 f"provider to http://mail.live.com/mail/troubleshooting.aspx#errors. {end}",
        "511": f"550 5.7.511 Access denied, banned sender[{ip}]. To request removal from this list please forward "
               f"this message to delist@microsoft.com. For more information please go to "
               f"http://go.microsoft.com/fwlink/?LinkId=526653. AS(1410) {end}",
        "rate": f"451 4.7.650 The mail server [{ip}] has been temporarily rate limited due to IP reputation. For "
                f"e-mail delivery information, see https://aka.ms/postmaster (S775) {end}",
        "unknown": f"550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). {end}",
        "auth": f"550 5.7.515 Access denied, sending domain NEWS.EXAMPLE doesn't meet the required authentication level. "
                f"The sender's domain in the 5322.From address doesn't meet the authentication requirements defined "
                f"for the sender. To learn how to fix this see: https://go.microsoft.com/fwlink/p/?linkid=2319303 Spf= "
                f"Fail , Dkim= Fail , DMARC= Fail {end}",
        "unknown365": f"550 5.4.1 Recipient address rejected: Access denied. For more information see "
                      f"https://aka.ms/EXOSmtpErrors AS(201806281) {end}",
    }[kind]


def bulk(args):
    rng = random.Random(20260512)
    stamp_of = bsd if args.stamps == "bsd" else iso
    t = datetime.datetime(2026, 5, 10, 0, 0, 0)
    out = sys.stdout.buffer
    counts = {"lines": 0, "microsoft": 0, "delivered": 0, "deferred": 0, "bounced": 0, "other": 0}
    written = number = 0
    # The words of a message are taken from pools: making each by chance would take longer than the scan.
    oks = [accepted(rng, n, FORESTS[n % len(FORESTS)]) for n in range(4096)]
    users = [f"{a}.{b}{n}" for n, (a, b) in enumerate(
        (rng.choice(["anna", "ben", "carla", "david", "eva"]), rng.choice(["meyer", "rossi", "ito", "diaz"]))
        for _ in range(4096))]
    tenants = [f"tenant{n}.example" for n in range(2000)] + TENANTS
    lines = list(HEADERS.get(args.format, []))
    while written < args.bytes:
        for _ in range(2000):
            number += 1
            t += datetime.timedelta(microseconds=rng.randrange(40000, 260000))
            m = {"t": t, "stamp": stamp_of(t), "host": args.host, "number": number, "out": number % 6,
                 "qid": f"4b{number:09X}z{number % 97:02d}", "sender": f"news+{number}@news.example",
                 "status": "sent", "command": None}
            user = users[number & 4095]
            if rng.random() < args.share:
                counts["microsoft"] += 1
                consumer = rng.random() < 0.7
                domain = rng.choice(CONSUMER) if consumer else rng.choice(tenants)
                m["mx"], m["ip"] = relay(domain), f"52.101.{number % 40}.{number % 8}"
                chance = rng.random()
                if chance < 0.97:
                    counts["delivered"] += 1
                    m["dsn"], m["text"] = "2.6.0", oks[number & 4095]
                else:
                    m["status"] = "deferred" if chance < 0.985 else "bounced"
                    counts[m["status"]] += 1
                    if m["status"] == "deferred":
                        kind, m["dsn"] = "rate", "4.7.650"
                    elif consumer and args.auth and rng.random() < args.auth:
                        kind, m["dsn"] = "auth", "5.7.515"
                    elif consumer:
                        kind, m["dsn"] = rng.choice([("unknown", "5.5.0"), ("s3140", "5.7.1")])
                    else:
                        kind, m["dsn"] = "unknown365", "5.4.1"
                    m["command"] = "MAIL FROM" if kind == "rate" else "RCPT TO"
                    forest = FORESTS[number % 40 % len(FORESTS)]
                    m["text"] = refusal(kind, rng, t, f"192.0.2.{10 + m['out']}", forest, domain)
            else:
                counts["other"] += 1
                domain, m["mx"], m["ip"] = OTHERS[number % 3]
                m["dsn"], m["text"] = "2.0.0", f"250 2.0.0 OK  {number} d9443c01a7336-1b2c3d4e5f6si - gsmtp"
            m["rcpt"] = f"{user}@{domain}"
            lines += FORMATS[args.format](m)
        counts["lines"] += len(lines)
        block = "".join(lines).encode()
        lines = []
        written += len(block)
        out.write(block)
    out.flush()
    counts["bytes"] = written
    print(json.dumps(counts), file=sys.stderr)


def story(_):
    rng = random.Random(7)
    day = datetime.datetime(2026, 11, 21)
    at = lambda d, h, m=0, s=0: day + datetime.timedelta(days=d, hours=h, minutes=m, seconds=s)
    begin, spread, worked_on, test, free = at(1, 9, 41, 7), 100 * 60, at(2, 8), at(2, 13, 30), at(2, 14, 5)
    sources = [("postfix-out1", "203.0.113.25"), ("postfix-out2", "203.0.113.31"), ("postfix-out3", "203.0.113.40")]
    number = 0
    t = at(0, 0, 0, 40)
    end = at(3, 6)
    lines = []
    while t < end:
        hour = t.hour + t.minute / 60
        busy = 0.15 + max(0.0, 1 - abs(hour - 13) / 9)
        t += datetime.timedelta(seconds=rng.expovariate(busy / 5))
        number += 1
        name, ip = sources[rng.choices(range(3), [5, 4, 3])[0]]
        if name == "postfix-out1" and worked_on <= t < test:
            continue  # the queue is on hold while the cause is looked for
        if name == "postfix-out1" and test <= t < free and rng.random() < 0.8:
            continue  # a small test first
        domain = rng.choices(CONSUMER + TENANTS, [9, 8, 3, 1, 3, 2, 2, 1])[0]
        consumer = domain in CONSUMER
        mx = relay(domain)
        front = rng.randrange(12)
        address, forest = f"52.101.{20 + front}.{1 + front % 4}", FORESTS[front % len(FORESTS)]
        qid = f"4cX{number:06X}z9{rng.choice('QLPVRT')}"
        user = rng.choice(["anna", "ben", "carla", "david", "eva", "felix"]) + str(rng.randrange(10**4))
        trade_show = at(1, 9, 10) <= t < at(1, 13) and name == "postfix-out1"
        kind = None
        if trade_show and rng.random() < 0.22:
            kind = "unknown" if consumer else "unknown365"
        elif rng.random() < 0.012:
            kind = "unknown" if consumer else "unknown365"
        if name == "postfix-out1" and consumer and begin <= t < test:
            first = forest == "namprd10"
            if first or t >= begin + datetime.timedelta(seconds=spread):
                kind = "s3140"
        if name == "postfix-out2" and consumer and at(1, 13, 2) <= t < at(1, 15, 10) and rng.random() < 0.55:
            kind = "rate"
        if name == "postfix-out3" and not consumer and t >= at(2, 19, 30):
            kind = "511"
        stamp = bsd(t)
        pid = 3010 + sources.index((name, ip))
        rcpt = f"{user}@{domain}"
        lines.append((t, f"{stamp} mta1 postfix/qmgr[811]: {qid}: from=<news@news.example>, size=22014, nrcpt=1 "
                         f"(queue active)\n"))
        done = t + datetime.timedelta(seconds=1)
        stamp = bsd(done)
        if kind is None:
            lines.append((done, delivery(stamp, "mta1", name, pid, qid, rcpt, mx, address, "2.6.0", "sent",
                                         accepted(rng, number, forest))))
        else:
            text = refusal(kind, rng, t, ip, forest, domain)
            dsn = text.split(" ")[1]
            status = "deferred" if kind == "rate" else "bounced"
            command = "MAIL FROM" if kind in ("s3140", "rate") else "RCPT TO"
            lines.append((done, delivery(stamp, "mta1", name, pid, qid, rcpt, mx, address, dsn, status,
                                         said(mx, address, text, command))))
            if kind == "rate":
                again = done + datetime.timedelta(minutes=rng.randrange(5, 40))
                lines.append((again, delivery(bsd(again), "mta1", name, pid, qid, rcpt, mx, address, "2.6.0",
                                              "sent", accepted(rng, number, forest), 400.0)))
        if rng.random() < 0.9:
            domain, mx, address = rng.choice(OTHERS)
            number += 1
            qid = f"4cX{number:06X}z9{rng.choice('QLPVRT')}"
            lines.append((done, delivery(stamp, "mta1", name, pid, qid, f"{user}@{domain}", mx, address, "2.0.0",
                                         "sent", f"250 2.0.0 OK  {number} - gsmtp")))
    lines.sort(key=lambda line: line[0])
    sys.stdout.write("".join(line for when, line in lines if when < end))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    b = kinds.add_parser("bulk")
    b.add_argument("--bytes", type=int, default=1_000_000_000)
    b.add_argument("--share", type=float, default=0.25)
    b.add_argument("--auth", type=float, default=0.0)
    b.add_argument("--stamps", choices=["bsd", "iso"], default="bsd")
    b.add_argument("--host", default="mta1")
    b.add_argument("--format", choices=FORMATS, default="postfix")
    b.set_defaults(run=bulk)
    kinds.add_parser("story").set_defaults(run=story)
    args = parser.parse_args()
    args.run(args)


main()
