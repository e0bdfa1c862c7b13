#!/usr/bin/env python3
"""Delivers the plan's mail with a real Postfix and a real Exim to the responder, all inside one network.

Usage: deliver.py PACKAGES WORK. Must run as root in network, mount and process namespaces of its own (`run` sees to
that): it replaces /etc by a copy, gives the loopback device public-looking addresses, and what it starts ends with it.
"""

import os
import shutil
import smtplib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import plan
import responder

BODY = "From: <news@example.com>\r\nSubject: test\r\nTo: undisclosed-recipients:;\r\n\r\nHello.\r\n"
PATIENCE = 90.0

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
command_directory = {packages}/usr/sbin
daemon_directory = {packages}/usr/lib/postfix/sbin
shlib_directory = {packages}/usr/lib/postfix
meta_directory = {packages}/etc/postfix
mail_owner = postfix
setgid_group = postdrop
default_privs = nobody
maillog_file = {log}
maillog_file_prefixes = {work}
myhostname = out.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = {protocols}
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_tls_security_level = none
smtp_host_lookup = dns
smtp_connection_cache_on_demand = no
sender_dependent_default_transport_maps = inline:{{ {lanes} }}
transport_maps = inline:{{ {own} }}
default_transport = error:no lane
# So that of several messages to a host that hangs up one is tried and the others are put off.
initial_destination_concurrency = 1
notify_classes =
"""

MASTER_CF = """
127.0.0.1:2525 inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

EXIM_CONF = """
exim_user = Debian-exim
exim_group = Debian-exim
exim_path = {program}
spool_directory = {spool}
log_file_path = {log}
{selector}
primary_hostname = out.example.com
local_interfaces = 127.0.0.1
disable_ipv6 = true
keep_environment =
qualify_domain = out.example.com
trusted_users = root
queue_only = true
smtp_accept_queue_per_connection = 0
accept_8bitmime = true
acl_smtp_rcpt = accept
acl_smtp_data = accept

begin routers
own:
  driver = redirect
  domains = {own}
  data = :blackhole:
dnslookup:
  driver = dnslookup
  transport = remote_smtp
  no_more

begin transports
remote_smtp:
  driver = smtp
  interface = ${{if eq{{$sender_address_domain}}{{}}{{}}{{${{lookup{{$sender_address_domain}}lsearch{{{lanes}}}}}}}}}

begin retry
{retry}
"""


def system(*command):
    subprocess.run([str(part) for part in command], check=True)


def private_network():
    """The plan's addresses on the loopback device. Gives whether IPv6 is to be had."""
    system("ip", "link", "set", "lo", "up")
    addresses = {relay.address for relay in plan.RELAYS} | {lane.source for lane in plan.LANES}
    for address in sorted(a for a in addresses if ":" not in a):
        system("ip", "addr", "add", f"{address}/32", "dev", "lo")
    try:
        for address in sorted(a for a in addresses if ":" in a):
            system("ip", "-6", "addr", "add", f"{address}/128", "dev", "lo", "nodad")
    except subprocess.CalledProcessError:
        return False
    return True


def private_etc(packages, work):
    """A copy of /etc in place of the real one: users, resolver, and where libraries lie. The host sees none of it."""
    system("mount", "--make-rprivate", "/")
    etc = work / "etc"
    secret = shutil.ignore_patterns("*shadow*", "ssh", "private")
    shutil.copytree("/etc", etc, symlinks=True, ignore=secret, ignore_dangling_symlinks=True)
    for name in ("hosts", "resolv.conf", "nsswitch.conf", "ld.so.cache", "passwd", "group", "ld.so.conf"):
        if (etc / name).is_symlink():
            text = (Path("/etc") / name).read_bytes() if (Path("/etc") / name).exists() else b""
            (etc / name).unlink()
            (etc / name).write_bytes(text)
    (etc / "hosts").write_text("127.0.0.1 localhost out.example.com\n")
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n")
    users = {"postfix": 64101, "Debian-exim": 64102}
    groups = {**users, "postdrop": 64103}
    for file, wanted, line in (
        ("passwd", users, "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"),
        ("group", groups, "{0}:x:{1}:\n"),
    ):
        kept = [row for row in (etc / file).read_text().splitlines(True) if row.split(":")[0] not in wanted]
        (etc / file).write_text("".join(kept) + "".join(line.format(*item) for item in wanted.items()))
    if not (etc / "services").exists():
        (etc / "services").write_text("smtp 25/tcp\n")
    # Ours first, so that the libraries fit the programs.
    folders = f"{packages}/usr/lib/postfix\n" + "".join(f"{lib}\n" for lib in packages.glob("usr/lib/*-linux-gnu*"))
    (etc / "ld.so.conf").write_text(folders + (etc / "ld.so.conf").read_text())
    exim = etc / "exim4"
    exim.mkdir(exist_ok=True)
    (exim / "trusted_configs").write_text(f"{work}/exim-full/exim.conf\n{work}/exim-plain/exim.conf\n")
    # Exim trusts nothing that others may write.
    for path in (etc, exim):
        os.chmod(path, 0o755)
    system("mount", "--bind", etc, "/etc")
    if Path("/var/cache/ldconfig").is_dir():
        system("mount", "-t", "tmpfs", "tmpfs", "/var/cache/ldconfig")
    system("ldconfig")


def wait(what, done):
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"real-mta: {what} took more than {PATIENCE:.0f} s")
        time.sleep(0.05)


def submit(server, messages):
    for message in messages:
        server.sendmail(message.sender, message.recipients, BODY)


class Postfix:
    NAMES = ["postfix"]

    def __init__(self, packages, work, with_six):
        self.packages, self.home = packages, work / "postfix"
        self.config, self.queue, self.log = self.home / "etc", self.home / "queue", work / "postfix.log"
        self.config.mkdir(parents=True)
        (self.home / "data").mkdir()
        shutil.chown(self.home / "data", "postfix")
        self.queue.mkdir()
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
                     "saved", "trace"):
            (self.queue / name).mkdir(mode=0o700)
            shutil.chown(self.queue / name, "postfix")
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (self.queue / name).mkdir()
            os.chown(self.queue / name, 64101, 64103)
            os.chmod(self.queue / name, mode)
        (self.queue / "pid").mkdir()
        lanes = [lane for lane in plan.LANES if lane.mta == "postfix" and (with_six or not lane.six)]
        of_lanes, own, master = [], [], MASTER_CF
        for i, lane in enumerate(lanes):
            for domain in (lane.sender_domain, plan.UNALIGNED + lane.sender_domain):
                of_lanes.append(f"{{ @{domain} = lane{i}: }}")
                own.append(f"{{ {domain} = discard: }}")
            bind = "smtp_bind_address6" if lane.six else "smtp_bind_address"
            # The real service's name is what stands behind the slash.
            master += f"lane{i} unix - - n - - smtp\n  -o {bind}={lane.source}\n  -o syslog_name={lane.name}\n"
            master += f"  -o soft_bounce={'yes' if lane.soft_bounce else 'no'}\n"
        (self.config / "main.cf").write_text(
            MAIN_CF.format(
                queue=self.queue, data=self.home / "data", packages=packages, work=work, log=self.log,
                protocols="all" if with_six else "ipv4", lanes=", ".join(of_lanes), own=", ".join(own),
            )
        )
        (self.config / "master.cf").write_text(master)
        self.master = subprocess.Popen(
            [packages / "usr/lib/postfix/sbin/master", "-d", "-c", self.config],
            env={"PATH": os.environ["PATH"], "MAIL_CONFIG": str(self.config), "MAIL_LOGTAG": "postfix"},
        )
        wait("Postfix's start", self.listens)

    def listens(self):
        if self.master.poll() is not None:
            sys.exit("real-mta: Postfix does not start")
        try:
            socket.create_connection(("127.0.0.1", 2525), 1).close()
            return True
        except OSError:
            return False

    def deliver(self, messages):
        with smtplib.SMTP("127.0.0.1", 2525, "client.example.com", 20) as server:
            submit(server, messages)

    def again(self):
        """Tries what is deferred, without waiting."""
        program = self.packages / "usr/sbin/postqueue"
        before = self.waiting()
        system(program, "-c", self.config, "-f")
        # The queue manager moves each out of the folder; a stamp of its own tells that it came back.
        wait("Postfix's second run", lambda: not self.waiting() & before)

    def waiting(self):
        return self.files("deferred")

    def files(self, folder):
        return {
            (name, os.stat(os.path.join(at, name)).st_mtime_ns)
            for at, _, names in os.walk(self.queue / folder)
            for name in names
            if os.path.exists(os.path.join(at, name))
        }

    def idle(self):
        return not any(self.files(folder) for folder in ("maildrop", "incoming", "active"))

    def stop(self):
        """Ends it when its log holds all: lines go to the log's writer one behind the other, a last one of ours too."""
        system(self.packages / "usr/sbin/postlog", "-c", self.config, "-t", "postfix/test", "the end")
        wait("Postfix's log", lambda: self.log.read_bytes().endswith(b"the end\n"))
        self.master.terminate()
        self.master.wait(10)


class Exim:
    def __init__(self, packages, work, name, selector, retry):
        home = work / name
        home.mkdir()
        (home / "spool").mkdir()
        shutil.chown(home / "spool", "Debian-exim", "Debian-exim")
        lanes = [lane for lane in plan.LANES if lane.mta == name]
        domains = [prefix + lane.sender_domain for lane in lanes for prefix in ("", plan.UNALIGNED)]
        table = home / "lanes"
        table.write_text(
            "".join(f"{p}{lane.sender_domain}: {lane.source}\n" for lane in lanes for p in ("", plan.UNALIGNED))
        )
        # `%s` stands for main, reject and panic.
        (home / "exim.conf").write_text(
            EXIM_CONF.format(
                program=packages / "usr/sbin/exim4", spool=home / "spool", log=f"{home}/%slog", selector=selector, lanes=table,
                own=" : ".join(domains), retry=retry,
            )
        )
        os.chmod(home / "exim.conf", 0o644)
        os.chmod(table, 0o644)
        shutil.chown(home, "Debian-exim", "Debian-exim")
        self.log = home / "mainlog"
        self.command = [str(packages / "usr/sbin/exim4"), "-C", str(home / "exim.conf")]

    def submit(self, messages):
        batch = []
        for message in messages:
            batch.append(f"MAIL FROM:<{message.sender}>")
            batch += [f"RCPT TO:<{to}>" for to in message.recipients]
            batch += ["DATA", BODY.rstrip().replace("\r\n", "\n"), "."]
        text = "EHLO client.example.com\n" + "\n".join(batch) + "\nQUIT\n"
        subprocess.run([*self.command, "-bS"], input=text.encode(), check=True)

    def deliver(self):
        """Delivers; tries what it does not want to try yet; tries all of it again."""
        for how in ("-q", "-q", "-qff"):
            system(*self.command, how)


def main():
    packages, work = Path(sys.argv[1]), Path(sys.argv[2])
    with_six = private_network()
    if not with_six:
        print("real-mta: no IPv6 here: that lane is left out", file=sys.stderr)
    private_etc(packages, work)
    messages = plan.messages(with_six)
    server = responder.Server(messages, responder.Journal(work / "journal.tsv"))
    server.listen(socket.AF_INET, "0.0.0.0")
    if with_six:
        server.listen(socket.AF_INET6, "::")
    responder.Names().listen()

    postfix = Postfix(packages, work, with_six)
    exims = {
        "exim-full": Exim(packages, work, "exim-full", "log_selector = +incoming_interface +outgoing_interface "
                          "+outgoing_port +millisec +pid", "* * F,2h,15m"),
        "exim-plain": Exim(packages, work, "exim-plain", "", ""),
    }

    def of(name):
        return [message for message in messages if message.lane.mta == name]

    for name, exim in exims.items():
        exim.submit(of(name))
    at_work = [threading.Thread(target=exim.deliver, daemon=True) for exim in exims.values()]
    for thread in at_work:
        thread.start()
    postfix.deliver(of("postfix"))
    wait("Postfix's first run", postfix.idle)
    # The stamps in its queue have whole seconds: the second run's must differ from the first's.
    time.sleep(1.1)
    postfix.again()
    wait("Postfix's second run", postfix.idle)
    for thread in at_work:
        thread.join(PATIENCE)
        if thread.is_alive():
            sys.exit(f"real-mta: Exim took more than {PATIENCE:.0f} s")
    postfix.stop()
    wait("the last connection's end", lambda: server.open == 0)
    (work / "sources.map").write_text(
        "".join(f"{lane.name} {lane.source}\n" for lane in plan.LANES if lane.evidence == {"mapped"})
    )
    for name, exim in exims.items():
        shutil.copy(exim.log, work / f"{name}.log")


if __name__ == "__main__":
    main()
