"""The other side: an SMTP server that answers by the plan and writes down what it answered, and a DNS server."""

import itertools
import socket
import struct
import threading
import time

import plan

JOURNAL_FIELDS = [
    "connection", "source_ip", "relay_ip", "relay_host", "sender", "recipient", "stage", "smtp_code",
    "enhanced_code", "datacenter_host", "outcome", "answer", "reply",
]


class Journal:
    """One row for each recipient of each try, as the server knows it. Rows are complete when written."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8", errors="backslashreplace")
        self.lock = threading.Lock()
        self.row(JOURNAL_FIELDS)

    def row(self, values):
        texts = ["" if value is None else str(value) for value in values]
        for sign, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n")):
            texts = [text.replace(sign, escape) for text in texts]
        with self.lock:
            self.file.write("\t".join(texts) + "\n")
            self.file.flush()


class Server:
    def __init__(self, messages, journal):
        self.journal = journal
        self.by_sender = {message.sender: message for message in messages}
        self.lane_of = {message.lane.source: message.lane for message in messages}
        self.serial = itertools.count(1)
        self.connections = itertools.count(1)
        self.tries = {}
        self.lock = threading.Lock()
        self.open = 0

    def listen(self, family, address):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, 25))
        listener.listen(128)
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            connection, peer = listener.accept()
            threading.Thread(target=self.serve, args=(connection, peer[0]), daemon=True).start()

    def serve(self, connection, peer):
        with self.lock:
            self.open += 1
        try:
            with connection:
                connection.settimeout(60)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Session(self, connection, peer).run()
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= 1

    def nth_try(self, recipient):
        with self.lock:
            self.tries[recipient] = self.tries.get(recipient, 0) + 1
            return self.tries[recipient]


class Session:
    def __init__(self, server, connection, peer):
        self.server = server
        self.number = next(server.connections)
        self.connection = connection
        self.lines = connection.makefile("rb")
        self.peer = peer
        self.relay = plan.RELAY_AT[connection.getsockname()[0]]
        self.lane = server.lane_of[peer]
        self.reset()

    def reset(self):
        self.sender = None
        self.accepted = []

    def say(self, text):
        self.connection.sendall(text + b"\r\n")

    def answer(self, name, sender, recipients):
        """Gives the answer and writes it down for the recipients. False: the connection is to be closed."""
        answer = plan.ANSWERS[name]
        serial = next(self.server.serial)
        tag = answer.tag or plan.TAGS[serial % len(plan.TAGS)]
        reply = ""
        if answer.code:
            stamp = time.time()
            utc = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp)) + f".{int(stamp % 1 * 1000):03}Z"
            lines = [
                line.replace("{ip}", self.peer)
                .replace("{tag}", f"[{tag} {utc} {0x08DEA1B200000000 + serial:016X}]")
                .replace("{id}", f"<m{serial}@example.com>")
                .replace("{mailbox}", plan.MAILBOX_HOSTS[serial % len(plan.MAILBOX_HOSTS)])
                for line in answer.lines
            ]
            code = f" {answer.enhanced} " if answer.enhanced else " "
            reply = "\n".join(
                f"{answer.code}{code if i == len(lines) else '-' + code[1:]}{line}" for i, line in enumerate(lines, 1)
            )
        outcome = "delivered" if answer.code == 250 else "bounced" if (answer.code or 0) >= 500 else "deferred"
        # Before it is said: whoever waits for the MTA finds it written.
        for recipient in recipients:
            self.server.journal.row([
                self.number, self.peer, self.relay.address, self.relay.name, sender, recipient, answer.stage,
                answer.code, answer.enhanced, tag if answer.code and (answer.tagged or answer.tag) else None, outcome,
                name, reply,
            ])
        if answer.code:
            self.say(reply.encode("utf-8", "surrogateescape").replace(b"\n", b"\r\n"))
        return not answer.closes

    def everyone(self):
        """The connection's recipients where no command tells them: such a relay serves one domain, and mail of one
        recipient goes there."""
        return f"*@{self.lane.sender_domain}", [f"*@{self.relay.domain}"]

    def run(self):
        at_connection = plan.ANSWERS.get(self.relay.connection)
        if at_connection and at_connection.stage == "greeting":
            self.answer(self.relay.connection, *self.everyone())
            return
        self.say(b"220 mx.protection.outlook.com Microsoft ESMTP MAIL Service ready")
        while line := self.lines.readline(4096):
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                if at_connection and at_connection.stage == "ehlo":
                    self.answer(self.relay.connection, *self.everyone())
                    return
                self.say(b"250-mx.protection.outlook.com Hello\r\n250-SIZE 157286400\r\n250-PIPELINING\r\n"
                         b"250-ENHANCEDSTATUSCODES\r\n250 8BITMIME")
            elif verb == b"MAIL":
                go_on = self.mail(address_in(line))
            elif verb == b"RCPT":
                go_on = self.recipient(address_in(line))
            elif verb == b"DATA":
                go_on = self.data()
            elif verb == b"QUIT":
                self.say(b"221 2.0.0 Service closing transmission channel")
                return
            else:
                self.reset()
                self.say(b"250 2.0.0 Resetting")
            if verb in (b"MAIL", b"RCPT", b"DATA") and not go_on:
                return

    def mail(self, sender):
        self.reset()
        message = self.server.by_sender[sender]
        name = plan.answer_name(sender)
        if self.relay.connection == "first-of-two":
            name = "first-of-two"
        if plan.ANSWERS[name].stage == "mail":
            here = [to for to in message.recipients if plan.domain_of(to) == self.relay.domain]
            return self.answer(name, sender, here)
        self.sender = sender
        self.say(b"250 2.1.0 Sender OK")
        return True

    def recipient(self, recipient):
        if self.sender is None:
            self.say(b"503 5.5.2 Need mail command")
            return True
        name = plan.answer_name(recipient)
        if plan.ANSWERS[name].again and self.server.nth_try(recipient) > 1:
            name = plan.ANSWERS[name].again
        if plan.ANSWERS[name].stage == "rcpt":
            return self.answer(name, self.sender, [recipient])
        self.accepted.append((recipient, name))
        self.say(b"250 2.1.5 Recipient OK")
        return True

    def data(self):
        if not self.accepted:
            self.say(b"503 5.5.2 Need rcpt command")
            return True
        self.say(b"354 Start mail input; end with <CRLF>.<CRLF>")
        while (line := self.lines.readline(4096)) not in (b".\r\n", b""):
            pass
        name = self.accepted[0][1]
        if self.sender.rpartition("@")[2].startswith(plan.UNALIGNED) and self.relay.domain in plan.CONSUMER:
            name = "auth515"
        sender, recipients = self.sender, [recipient for recipient, _ in self.accepted]
        self.reset()
        return self.answer(name, sender, recipients)


def address_in(line):
    """`MAIL FROM:<address> SIZE=...`; a quoted local part may hold a `>`."""
    text = line.decode("utf-8", "surrogateescape")
    start = text.index("<") + 1
    at = start
    if text[at] == '"':
        at = text.index('"', at + 1)
    return text[start : text.index(">", at)]


class Names:
    """A DNS server that knows the plan's MX and addresses, and that nothing else exists."""

    TYPES = {"A": 1, "MX": 15, "AAAA": 28}

    def __init__(self):
        self.records = {}
        for relay in plan.RELAYS:
            six = ":" in relay.address
            packed = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, relay.address)
            self.add(relay.domain, "MX", struct.pack(">H", relay.preference) + encode_name(relay.name))
            self.add(relay.name, "AAAA" if six else "A", packed)

    def add(self, name, kind, data):
        self.records.setdefault(name, []).append((self.TYPES[kind], data))

    def listen(self):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, args=(udp,), daemon=True).start()

    def serve(self, udp):
        while True:
            query, peer = udp.recvfrom(4096)
            try:
                udp.sendto(self.reply(query), peer)
            except (struct.error, IndexError, ValueError):
                pass

    def reply(self, query):
        (number,) = struct.unpack_from(">H", query)
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
            at += 1 + length
        question = query[12 : at + 5]
        (kind,) = struct.unpack_from(">H", query, at + 1)
        known = self.records.get(".".join(labels).lower())
        answers = [(k, data) for k, data in known or [] if k == kind]
        status = 0 if known else 3
        header = struct.pack(">HHHHHH", number, 0x8580 | status, 1, len(answers), 0, 0)
        body = b"".join(struct.pack(">HHHIH", 0xC00C, k, 1, 300, len(data)) + data for k, data in answers)
        return header + question + body


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
