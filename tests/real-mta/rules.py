#!/usr/bin/env python3
"""A real Postfix and a real Exim use what `eopwatch rules` prints for them.

Usage: rules.py PACKAGES WORK EOPWATCH. As root, in namespaces of its own (`run` sees to that). Each example of the
catalogue is looked up in Postfix's table by `postmap -q` and in Exim's by `exim -be`, and must get what its class asks
for. Exim also delivers a message to a server that refuses it, with the configuration that the output's head gives, and
must write the class to its log.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import deliver

CATALOGUE = Path(__file__).resolve().parents[2] / "src/microsoft/data/replies.toml"
RELAY, ADDRESS = "outlook-com.olc.protection.outlook.com", "198.51.100.11"

EXIM_CONF = """
exim_path = {program}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {home}/spool
log_file_path = {home}/%slog
primary_hostname = out.example.com
local_interfaces = 127.0.0.1
disable_ipv6 = true
keep_environment =
trusted_users = root
begin acl
{acl}
begin routers
bounces:
  driver = redirect
  domains = example.com
  data = :blackhole:
all:
  driver = manualroute
  route_list = * {relay} byname
  self = send
  transport = remote_smtp
begin transports
remote_smtp:
  driver = smtp
  port = {port}
  hosts_try_fastopen =
{transport}
begin retry
* rcpt_45x F,4d,30m
"""


def run(command, text=None, **more):
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, **more)
    # postmap also ends with 1 where it finds nothing.
    if done.returncode > 1 or "fatal:" in done.stderr:
        sys.exit(f"real-mta: {command[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def exported(eopwatch, mta, file):
    home = {**os.environ, "XDG_CONFIG_HOME": "/nonexistent"}
    run([eopwatch, "rules", "--for", mta, "--output", file], env=home)
    os.chmod(file, 0o644)


def compare(mta, examples, got, wanted):
    wrong = [(entry["id"], got(entry), wanted(entry)) for entry in examples if got(entry) != wanted(entry)]
    for name, found, right in wrong:
        print(f"real-mta: {mta}: {name} gets {found!r}, not {right!r}", file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"real-mta: {mta} uses its exported rules: {len(examples)} examples")


def postfix(packages, work, eopwatch, examples):
    config, table = work / "postfix", work / "eopwatch.pcre"
    config.mkdir()
    (config / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {work}\nmail_owner = postfix\nsetgid_group = postdrop\n"
        f"shlib_directory = {packages}/usr/lib/postfix\nmeta_directory = {config}\nsmtp_delivery_status_filter = pcre:{table}\n"
    )
    (config / "dynamicmaps.cf").write_text(f"pcre {packages}/usr/lib/postfix/postfix-pcre.so dict_pcre_open\n")
    exported(eopwatch, "postfix", table)

    def status(entry, digit="5"):
        return f"{digit}.7.1 host {RELAY}[{ADDRESS}] said: {entry['example']} (in reply to MAIL FROM command)"

    queries = "".join(f"{status(entry)}\n" for entry in examples)
    answers = run([packages / "usr/sbin/postmap", "-c", config, "-q", "-", f"pcre:{table}"], queries)
    found = dict(line.split("\t", 1) for line in answers.splitlines())
    compare(
        "Postfix", examples, lambda entry: found.get(status(entry)),
        lambda entry: status(entry, "4" if entry["class"] == "ip-block" else "5"),
    )
    other = "5.7.1 host mx.example.net[198.51.100.52] said: 550 5.7.606 Access denied, banned sending IP"
    if run([packages / "usr/sbin/postmap", "-c", config, "-q", other, f"pcre:{table}"]):
        sys.exit("real-mta: Postfix's table changes the reply of a host that is not Microsoft's")


def refuse(server, reply):
    """Answers one session; MAIL FROM gets `reply`."""
    connection, _ = server.accept()
    with connection, connection.makefile("rw", newline="\r\n") as lines:
        def say(text):
            lines.write(f"{text}\n")
            lines.flush()

        say("220 outlook.com ready")
        for line in lines:
            verb = line[:4].upper()
            say("221 bye" if verb == "QUIT" else reply if verb == "MAIL" else "250 OK")
            if verb == "QUIT":
                return


def section(text, name):
    """What stands between `# begin-NAME` and `# end-NAME`, without its comment signs."""
    lines = text.split(f"# begin-{name}", 1)[1].split(f"# end-{name}", 1)[0].splitlines()[1:]
    return "\n".join(line[2:] for line in lines)


def exim(packages, work, eopwatch, examples):
    home, table = work / "exim", work / "exim" / "eopwatch.rules"
    home.mkdir()
    (home / "spool").mkdir()
    shutil.chown(home / "spool", "Debian-exim", "Debian-exim")
    exported(eopwatch, "exim", table)
    server = socket.create_server((ADDRESS, 0))
    text = table.read_text().replace("/etc/exim4/eopwatch.rules", str(table))
    conf = home / "exim.conf"
    conf.write_text(
        EXIM_CONF.format(
            program=packages / "usr/sbin/exim4", home=home, relay=RELAY, port=server.getsockname()[1], acl=section(text, "acl"),
            transport=section(text, "transport"),
        )
    )
    os.chmod(conf, 0o644)
    shutil.chown(home, "Debian-exim", "Debian-exim")
    (Path("/etc/exim4/trusted_configs")).write_text(f"{conf}\n")
    with open("/etc/hosts", "a") as hosts:
        hosts.write(f"{ADDRESS} {RELAY}\n")
    command = [packages / "usr/sbin/exim4", "-C", conf]
    if "configuration" in (said := run([*command, "-bV"])).lower() and "error" in said.lower():
        sys.exit(f"real-mta: Exim does not take the exported configuration: {said}")

    queries = "".join(f"${{lookup{{\\N{e['example']}\\N}}nwildlsearch{{{table}}}{{$value}}{{nothing}}}}\n" for e in examples)
    answers = run([*command, "-be"], queries).splitlines()
    found = {entry["id"]: answer.removeprefix("> ") for entry, answer in zip(examples, answers)}
    compare(
        "Exim", examples, lambda entry: found.get(entry["id"]),
        lambda entry: f"reply={entry['id']} class={entry['class']} scope={entry['scope']}",
    )

    entry = next(entry for entry in examples if entry["id"] == "block-list-s3140")
    threading.Thread(target=refuse, args=(server, entry["example"]), daemon=True).start()
    message = "Subject: test\n\nHello.\n"
    run([*command, "-odi", "-f", "news@example.com", "user@outlook.com"], message, timeout=60)
    log = (home / "mainlog").read_text()
    line = f"msg:fail:delivery reply=block-list-s3140 class=ip-block scope=ip host={RELAY}"
    if line not in log:
        sys.exit(f"real-mta: Exim's log does not have the class of its refusal:\n{log}")
    # The line of its own does not disturb who reads the log.
    totals = json.loads(run([eopwatch, "summary", "--format", "json", home / "mainlog"]))["totals"]
    if (totals["blocked"], totals["malformed"]) != (1, 0):
        sys.exit(f"real-mta: eopwatch reads {totals} from Exim's log with classes")


def main():
    packages, work, eopwatch = (Path(argument).resolve() for argument in sys.argv[1:4])
    deliver.system("ip", "link", "set", "lo", "up")
    deliver.system("ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo")
    deliver.private_etc(packages, work)
    examples = tomllib.loads(CATALOGUE.read_text())["reply"]
    postfix(packages, work, eopwatch, examples)
    exim(packages, work, eopwatch, examples)


if __name__ == "__main__":
    main()
