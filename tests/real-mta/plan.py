"""What is sent, from where, to whom, and what the other side answers: the one table that all parts share.

Everything is decided by addresses. The local part of a sender or recipient begins with the name of an answer
(`s3140.7@...`); a relay that refuses connections does so by its own address.
"""

from dataclasses import dataclass, field

# Sending lanes: each has its own source address and sender domain, so a connection tells its lane.


@dataclass(frozen=True)
class Lane:
    mta: str  # the instance, and the name of its log
    name: str  # Postfix: syslog_name; Exim: nothing of it is in the log
    source: str
    sender_domain: str
    evidence: frozenset  # how eopwatch is to know the source address
    six: bool = False
    soft_bounce: bool = False


MAPPED, LOGGED, TAUGHT = frozenset({"mapped"}), frozenset({"logged"}), frozenset({"reply", "learned"})
LANES = [
    # The source map tells the address.
    Lane("postfix", "postfix-out1", "203.0.113.11", "news.example.com", MAPPED),
    # The name holds the address.
    Lane("postfix", "postfix-203-0-113-12", "203.0.113.12", "shop.example.com", LOGGED),
    # Nothing but the replies tells it; and `soft_bounce` is on.
    Lane("postfix", "postfix-out3", "203.0.113.13", "soft.example.org", TAUGHT, soft_bounce=True),
    Lane("postfix", "postfix-six", "2001:db8:1::14", "six.example.net", MAPPED, six=True),
    # With `+incoming_interface +outgoing_interface`: Exim writes `I=` of what it sends only with both.
    Lane("exim-full", "", "203.0.113.21", "lists.example.com", LOGGED),
    Lane("exim-full", "", "203.0.113.22", "bills.example.org", LOGGED),
    # Exim's own defaults, and no retry rule: what is deferred bounces at once.
    Lane("exim-plain", "", "203.0.113.31", "plain.example.net", TAUGHT),
]

# A domain whose mail is refused for its missing authentication; each IPv4 lane sends some of it.
UNALIGNED = "unaligned."


@dataclass(frozen=True)
class Relay:
    """One MX host: its name, address, and what it does to every connection (None: it listens)."""

    domain: str
    name: str
    address: str
    preference: int = 10
    connection: str | None = None


RELAYS = [
    Relay("outlook.com", "outlook-com.olc.protection.outlook.com", "198.51.100.11"),
    Relay("hotmail.com", "hotmail-com.olc.protection.outlook.com", "198.51.100.12"),
    Relay("live.com", "live-com.olc.protection.outlook.com", "198.51.100.13"),
    Relay("msn.com", "msn-com.olc.protection.outlook.com", "198.51.100.14"),
    Relay("contoso.example", "contoso-example.mail.protection.outlook.com", "198.51.100.21"),
    Relay("fabrikam.example", "fabrikam-example.mail.protection.outlook.com", "198.51.100.22"),
    Relay("signed.example", "signed-example.x-v1.mx.microsoft", "198.51.100.23"),
    Relay("agency.example", "agency-example.mail.protection.office365.us", "198.51.100.24"),
    Relay("beijing.example", "beijing-example.mail.protection.partner.outlook.cn", "198.51.100.25"),
    Relay("six.example", "six-example.mail.protection.outlook.com", "2001:db8:2::26"),
    # Refused, or hung up on, before or at EHLO.
    Relay("greet554.example", "greet554-example.mail.protection.outlook.com", "198.51.100.31", connection="greet554"),
    Relay("greet421.example", "greet421-example.mail.protection.outlook.com", "198.51.100.32", connection="greet421"),
    Relay("ehlo421.example", "ehlo421-example.mail.protection.outlook.com", "198.51.100.33", connection="ehlo421"),
    Relay("mute.example", "mute-example.mail.protection.outlook.com", "198.51.100.34", connection="mute"),
    # These hang up in a transaction; one domain each, for it makes an MTA wait with the domain's other mail.
    Relay("hang1.example", "hang1-example.mail.protection.outlook.com", "198.51.100.35"),
    Relay("hang2.example", "hang2-example.mail.protection.outlook.com", "198.51.100.36"),
    Relay("hang3.example", "hang3-example.mail.protection.outlook.com", "198.51.100.37"),
    # Two MX hosts: the first always defers, the second goes by the recipient.
    Relay("two.example", "two-a-example.mail.protection.outlook.com", "198.51.100.41", 10, "first-of-two"),
    Relay("two.example", "two-b-example.mail.protection.outlook.com", "198.51.100.42", 20),
    # Not Microsoft.
    Relay("gmail.com", "gmail-smtp-in.l.google.com", "198.51.100.51"),
    Relay("example.net", "mx.example.net", "198.51.100.52"),
]
RELAY_AT = {relay.address: relay for relay in RELAYS}
OTHERS = ("gmail.com", "example.net")
CONSUMER = ("outlook.com", "hotmail.com", "live.com", "msn.com")

# Machines that answer, of several forests and of both styles of names.
TAGS = [
    "DU2PEPF00028D0D.eurprd03.prod.outlook.com",
    "COL0NAM10FT065.eop-nam10.prod.protection.outlook.com",
    "BL6PEPF0001AB57.namprd04.prod.outlook.com",
    "VI1EUR06FT028.eop-eur06.prod.protection.outlook.com",
    "HK2PEPF00006FB1.apcprd02.prod.outlook.com",
    "SN1PEPF0002BA51.namprd03.prod.outlook.com",
]
MAILBOX_HOSTS = [
    "SJ0PR17MB4821.namprd17.prod.outlook.com",
    "DB9PR04MB8410.eurprd04.prod.outlook.com",
    "TYZPR06MB6112.apcprd06.prod.outlook.com",
]


@dataclass(frozen=True)
class Answer:
    """A reply, `lines` without codes, or a connection closed without one (`code` is None).

    `{ip}` is the address the server sees, `{tag}` its host tag with stamp and id. `closes`: it hangs up behind it.
    """

    stage: str
    code: int | None = None
    enhanced: str | None = None
    lines: tuple = ()
    closes: bool = False
    tagged: bool = True
    tag: str | None = None  # where the reply names the machine in another way
    odd: bool = False  # bytes that MTAs print in their own way
    again: str | None = None  # the answer to the same recipient from the second try on


LONG = "This message was refused for a reason that takes very many words to tell. "

ANSWERS = {
    # In reply to MAIL FROM: decided by the sender's local part.
    "s3140": Answer(
        "mail", 550, "5.7.1",
        ("Unfortunately, messages from [{ip}] weren't sent. Please contact your Internet service provider since part "
         "of their network is on our block list (S3140). You can also refer your provider to "
         "http://mail.live.com/mail/troubleshooting.aspx#errors. {tag}",),
    ),
    "s775": Answer(
        "mail", 451, "4.7.650",
        ("The mail server [{ip}] has been temporarily rate limited due to IP reputation. For e-mail delivery "
         "information, see https://aka.ms/postmaster (S775) [Name=Protocol Filter Agent][AGT=PFA]"
         "[MxId=11BD2C4F0A7733E1] {tag}",),
    ),
    # In reply to RCPT TO: decided by the recipient's.
    "banned": Answer(
        "rcpt", 550, "5.7.511",
        ("Access denied, banned sender[{ip}]. To request removal from this list please forward this message to "
         "delist@messaging.microsoft.com. For more information please go to "
         "https://go.microsoft.com/fwlink/?LinkId=526653. AS(1410) {tag}",),
    ),
    "gone": Answer(
        "rcpt", 550, "5.4.1",
        ("Recipient address rejected: Access denied. For more information see https://aka.ms/EXOSmtpErrors "
         "AS(201806281) {tag}",),
    ),
    "unavailable": Answer(
        "rcpt", 550, "5.5.0", ("Requested action not taken: mailbox unavailable (S2017062302). {tag}",)
    ),
    "full452": Answer("rcpt", 452, "4.2.2", ("The email account that you tried to reach is over quota. {tag}",)),
    "full552": Answer("rcpt", 552, "5.2.2", ("Requested mail action aborted: exceeded storage allocation. {tag}",)),
    "busy": Answer(
        "rcpt", 451, "4.7.500", ("Server busy. Please try again later from [{ip}]. (S77719) {tag}",)
    ),
    "grey": Answer("rcpt", 450, "4.7.0", ("Try again, (later). {tag}",), again="ok"),
    "several": Answer(
        "rcpt", 550, "5.7.1",
        ("Service unavailable, Client host [{ip}] blocked using Spamhaus.",
         "To request removal from this list see https://www.spamhaus.org/query/ip/{ip} (AS16012609)",
         "{tag}"),
    ),
    "oldstyle": Answer(
        "rcpt", 550, None,
        ("SC-001 (COL004-MC1F5) Unfortunately, messages from {ip} weren't sent. Please contact your Internet service "
         "provider since part of their network is on our block list.",),
        tag="COL004-MC1F5",
    ),
    "odd": Answer(
        "rcpt", 550, "5.7.1",
        ("Zugriff f\udcfcr \"{ip}\" gesperrt; \\ 100%% (in reply to RCPT TO command) \x01\x07\t\u00fc\u65e5 {tag}",),
        odd=True,
    ),
    "long": Answer("rcpt", 550, "5.7.1", ((LONG * 70)[:5000] + "{tag}",)),
    "longlines": Answer("rcpt", 550, "5.7.1", tuple([LONG * 6] * 11 + ["{tag}"])),
    "bare": Answer("rcpt", 550, None, ("No such user here",), tagged=False),
    "close421": Answer("rcpt", 421, "4.3.2", ("Service not active {tag}",), closes=True),
    "hangrcpt": Answer("rcpt", closes=True),
    # In reply to the message itself.
    "auth515": Answer(
        "data", 550, "5.7.515",
        ("Access denied, sending domain UNALIGNED.EXAMPLE.COM doesn't meet the required authentication level. The "
         "sender's domain in the 5322.From address doesn't meet the authentication requirements defined for the "
         "sender. To learn how to fix this see: https://go.microsoft.com/fwlink/p/?linkid=2319303 Spf= Fail , Dkim= "
         "Fail , DMARC= Fail {tag}",),
    ),
    "dmarc": Answer(
        "data", 550, "5.7.509",
        ("Access denied, sending domain example.com does not pass DMARC verification and has a DMARC policy of "
         "reject. {tag}",),
    ),
    "storedrv": Answer("data", 432, "4.3.2", ("STOREDRV.Deliver; recipient thread limit exceeded {tag}",)),
    "hangdata": Answer("data", closes=True),
    # To a connection: decided by the relay's address.
    "greet554": Answer(
        "greeting", 554, "5.7.1", ("Service unavailable; Client host [{ip}] refused {tag}",), closes=True
    ),
    "greet421": Answer(
        "greeting", 421, "4.3.2", ("The maximum number of concurrent connections has exceeded a limit {tag}",),
        closes=True,
    ),
    "mute": Answer("greeting", closes=True),
    "ehlo421": Answer("ehlo", 421, "4.3.2", ("Service not available, closing channel {tag}",), closes=True),
    "first-of-two": Answer("mail", 451, "4.7.500", ("Server busy. Please try again later from [{ip}]. {tag}",)),
    # Accepted.
    "ok": Answer(
        "data", 250, "2.6.0",
        ("{id} [InternalId=858993418344, Hostname={mailbox}] 18344 bytes in 0.187, 95.542 KB/sec Queued mail for "
         "delivery -> 250 2.1.5",),
        tagged=False,
    ),
}


@dataclass
class Message:
    number: int
    lane: Lane
    sender: str
    recipients: list = field(default_factory=list)


# One lane's mail: the sender's answer, and recipients by their answers.
TEMPLATE = [
    ("ok", "ok@outlook.com"),
    ("ok", "ok@hotmail.com", "ok@hotmail.com"),
    ("ok", "ok@live.com"),
    ("ok", "ok@contoso.example"),
    ("ok", "ok@signed.example"),
    ("ok", "ok@agency.example"),
    ("ok", "ok@beijing.example"),
    ("s3140", "ok@outlook.com"),
    ("s3140", "ok@hotmail.com", "ok@hotmail.com"),
    ("s3140", "ok@msn.com"),
    ("s775", "ok@outlook.com"),
    ("s775", "ok@live.com", "ok@live.com"),
    ("ok", "banned@contoso.example"),
    ("ok", "banned@fabrikam.example"),
    ("ok", "gone@contoso.example"),
    ("ok", "ok@fabrikam.example", "gone@fabrikam.example", "full452@fabrikam.example", "ok@fabrikam.example"),
    ("ok", "unavailable@outlook.com", "ok@outlook.com"),
    ("ok", "full452@hotmail.com"),
    ("ok", "full552@live.com"),
    ("ok", "busy@fabrikam.example"),
    ("ok", "grey@contoso.example"),
    ("ok", "several@contoso.example"),
    ("ok", "oldstyle@hotmail.com"),
    ("ok", "odd@fabrikam.example"),
    ("ok", "long@contoso.example"),
    ("ok", "longlines@fabrikam.example"),
    ("ok", "dmarc@outlook.com"),
    ("ok", "storedrv@contoso.example"),
    ("ok", "bare@agency.example"),
    ("ok", "ok@outlook.com", "gone@contoso.example", "ok@gmail.com"),
    ("ok", "ok@greet554.example"),
    ("ok", "ok@greet421.example"),
    ("ok", "ok@greet421.example"),
    ("ok", "ok@greet421.example"),
    ("ok", "ok@ehlo421.example"),
    ("ok", "ok@mute.example"),
    ("ok", "close421@hang1.example"),
    ("ok", "hangrcpt@hang2.example"),
    ("ok", "hangdata@hang3.example"),
    ("ok", "ok@two.example"),
    ("ok", "gone@two.example"),
    ("ok", "ok@gmail.com"),
    ("ok", "bare@example.net"),
    # Local parts that need quotes, and an address with a tag.
    ("ok", '"ok.a, b>c"@outlook.com', '"gone.x@y"@contoso.example', "ok+tag@live.com"),
    ("unaligned", "ok@outlook.com"),
    ("unaligned", "ok@hotmail.com"),
]
TEMPLATE_SIX = [
    ("ok", "ok@six.example"),
    ("s3140", "ok@six.example"),
    ("ok", "gone@six.example"),
    ("ok", "several@six.example"),
]


def messages(with_six: bool) -> list:
    """Every message of the run. Sender and recipient addresses are never used twice."""
    found = []
    for lane in LANES:
        if lane.six and not with_six:
            continue
        for sender, *recipients in TEMPLATE_SIX if lane.six else TEMPLATE:
            number = len(found) + 1
            domain = lane.sender_domain
            if sender == "unaligned":
                domain = UNALIGNED + domain
            message = Message(number, lane, f"{sender}.{number}@{domain}")
            for i, address in enumerate(recipients):
                local, _, at = address.rpartition("@")
                suffix = f".{number}.{i}"
                local = local[:-1] + suffix + '"' if local.endswith('"') else local + suffix
                message.recipients.append(f"{local}@{at}")
            found.append(message)
    return found


def answer_name(address: str) -> str:
    """The answer that an address asks for."""
    local = address.rpartition("@")[0].lstrip('"')
    name = local.replace("+", ".").split(".")[0]
    return name if name in ANSWERS else "ok"


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()
