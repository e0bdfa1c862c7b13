"""What MTAs write of a message and its one try, as lists of lines. A message is a dictionary: see `bulk` in generate.py."""
import datetime
import json


def seconds(m):
    return int(m["t"].replace(tzinfo=datetime.timezone.utc).timestamp())


def source(m):
    return f"192.0.2.{10 + m['out']}"


def domain(m):
    return m["rcpt"].split("@")[1]


def delivery(stamp, host, name, pid, qid, rcpt, mx, ip, dsn, status, text, delay=1.2):
    return (f"{stamp} {host} {name}/smtp[{pid}]: {qid}: to=<{rcpt}>, relay={mx}[{ip}]:25, delay={delay}, "
            f"delays=0.05/0.01/0.5/{delay - 0.56:.2f}, dsn={dsn}, status={status} ({text})\n")


def said(mx, ip, text, command):
    return f"host {mx}[{ip}] said: {text} (in reply to {command} command)"


def postfix(m):
    """What the daemons write of a message and its one try."""
    stamp, qid, pid = m["stamp"], m["qid"], m["number"] % 50
    name, host = f"postfix-out{m['out']}", m["host"]
    text = m["text"] if m["status"] == "sent" else said(m["mx"], m["ip"], m["text"], m["command"])
    return [
        f"{stamp} {host} postfix/smtpd[{2000 + pid}]: connect from app1.example[10.1.1.1]\n",
        f"{stamp} {host} postfix/smtpd[{2000 + pid}]: {qid}: client=app1.example[10.1.1.1]\n",
        f"{stamp} {host} postfix/cleanup[{2100 + pid}]: {qid}: message-id=<{m['number']}@news.example>\n",
        f"{stamp} {host} postfix/qmgr[1999]: {qid}: from=<{m['sender']}>, size=18344, nrcpt=1 (queue active)\n",
        f"{stamp} {host} postfix/smtpd[{2000 + pid}]: disconnect from app1.example[10.1.1.1] ehlo=1 mail=1 rcpt=1 "
        f"data=1 quit=1 commands=5\n",
        delivery(stamp, host, name, 3000 + m["out"], qid, m["rcpt"], m["mx"], m["ip"], m["dsn"], m["status"], text),
        f"{stamp} {host} postfix/qmgr[1999]: {qid}: removed\n",
    ]


POWERMTA = ("type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,srcType,srcMta,"
            "dlvType,dlvSourceIp,dlvDestinationIp,dlvEsmtpAvailable,dlvSize,vmta,jobId,envId,queue,vmtaPool\n")


def powermta(m):
    kind, action, words = {"sent": ("d", "relayed", "success"), "deferred": ("t", "delayed", "policy-related"),
                           "bounced": ("b", "failed", "policy-related")}[m["status"]]
    t = f"{m['t']:%Y-%m-%d %H:%M:%S}+0000"
    text = m["text"].replace('"', '""')
    return [f"{kind},{t},{t},{m['sender']},{m['rcpt']},,{action},{m['dsn']} ({words}),\"smtp;{text}\",{m['mx']} "
            f"({m['ip']}),{words if kind != 'd' else ''},smtp,app1.example (10.1.1.1),smtp,{source(m)},"
            f"{m['ip']},\"ENHANCEDSTATUSCODES,PIPELINING,8BITMIME,SMTPUTF8,SIZE,STARTTLS\",20112,vmta-{m['out']},"
            f"job-{m['number'] // 5000},,{domain(m)}/vmta-{m['out']},pool-a\n"]


def kumomta(m):
    kind = {"sent": "Delivery", "deferred": "TransientFailure", "bounced": "Bounce"}[m["status"]]
    code = m["text"][:3]
    first, second, third = m["dsn"].split(".")
    content = m["text"][4:].removeprefix(m["dsn"]).strip()
    second_of = seconds(m)
    common = (f'"id":"{m["number"]:032x}","sender":"{m["sender"]}","recipient":"{m["rcpt"]}",'
              f'"queue":"news:acme@{domain(m)}"')
    end = (f'"timestamp":{second_of},"event_time":"{m["t"]:%Y-%m-%dT%H:%M:%S}.218004Z","created":{second_of},'
           f'"num_attempts":0')
    return [
        f'{{"type":"Reception",{common},"site":"","size":20112,"response":{{"code":250,"enhanced_code":null,'
        f'"content":"","command":null}},"peer_address":{{"name":"app1.example","addr":"10.1.1.1"}},{end},'
        f'"egress_pool":null,"egress_source":null,"reception_protocol":"ESMTP","nodeid":"557f3ad4"}}\n',
        f'{{"type":"{kind}",{common},"site":"ip-{m["out"]}->{m["mx"]}@smtp_client","size":20112,'
        f'"response":{{"code":{code},"enhanced_code":{{"class":{first},"subject":{second},"detail":{third}}},'
        f'"content":{json.dumps(content)},"command":null}},"peer_address":{{"name":"{m["mx"]}.","addr":"{m["ip"]}"}},'
        f'{end},"egress_pool":"pool-a","egress_source":"ip-{m["out"]}","source_address":'
        f'{{"address":"{source(m)}:41044"}},"delivery_protocol":"ESMTP","nodeid":"557f3ad4"}}\n',
    ]


def exim(m):
    t, qid = f"{m['t']:%Y-%m-%d %H:%M:%S}", f"1u{m['number'] % 10**4:04d}-{m['number']:011d}-0001"
    who, to = f"H={m['mx']} [{m['ip']}]", f"{m['rcpt']} R=dnslookup T=remote_smtp"
    lines = [f"{t} {qid} <= {m['sender']} H=app1.example [10.1.1.1] P=esmtps S=18344 id={m['number']}@news.example\n"]
    said = f"SMTP error from remote mail server after {m['command']}:<{m['rcpt']}>: {m['text']}"
    if m["status"] == "sent":
        lines.append(f'{t} {qid} => {to} {who} I=[{source(m)}] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no C="{m["text"]}"\n')
    elif m["status"] == "deferred":
        lines.append(f"{t} {qid} == {to} defer (-45) {who} I=[{source(m)}]: {said}\n")
    else:
        lines.append(f"{t} {qid} ** {to} {who} I=[{source(m)}]: {said}\n")
    return lines if m["status"] == "deferred" else lines + [f"{t} {qid} Completed\n"]


def sendmail(m):
    qid, head = f"64C{m['number']:011d}", f"{m['stamp']} {m['host']} sm-out{m['out']}[{7100 + m['out']}]"
    tail = {"sent": f"stat=Sent ({m['text'][4:].removeprefix(m['dsn']).strip()})",
            "deferred": f"reply={m['text']}, stat=Deferred: {m['text']}",
            "bounced": f"reply={m['text']}, stat=Service unavailable"}[m["status"]]
    return [
        f"{head}: {qid}: from=<{m['sender']}>, size=18344, class=0, nrcpts=1, msgid=<{m['number']}@news.example>, "
        f"proto=ESMTP, daemon=MTA, relay=app1.example [10.1.1.1]\n",
        f"{head}: {qid}: to=<{m['rcpt']}>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=31204, "
        f"relay={m['mx']}. [{m['ip']}], dsn={m['dsn']}, {tail}\n",
    ]


def opensmtpd(m):
    head, session = f"{m['stamp']} {m['host']} smtpd[45037]", f"{m['number']:016x}"
    result = {"sent": "Ok", "deferred": "TempFail", "bounced": "PermFail"}[m["status"]]
    return [
        f"{head}: {session} mta connecting address=smtp://{m['ip']}:25 host={m['mx']}\n",
        f"{head}: {session} mta connected\n",
        f"{head}: {session} mta delivery evpid={m['number']:016x} from=<{m['sender']}> to=<{m['rcpt']}> rcpt=<-> "
        f'source="{source(m)}" relay="{m["ip"]} ({m["mx"]})" delay=1s result="{result}" stat="{m["text"]}"\n',
    ]


def momentum(m):
    ids = f"{m['number'] % 100:02d}/00-{m['number'] % 10**5:05d}-{m['number']:08X}@00/00-03736-F4101B54@00/00-04532-A3456B54"
    kind = {"sent": "D", "deferred": "T", "bounced": "P"}[m["status"]]
    head = f"{seconds(m)}@{ids}@{kind}@{domain(m)}"
    if kind == "D":
        return [f"{head}@20112@group-a@vip-{m['out']}@0@1.393@{m['ip']}\n"]
    return [f"{head}@0@group-a@vip-{m['out']}@5@0@0.91@{m['ip']}@{m['text']}\n"]


def halon(m):
    status = {"sent": "delivered", "deferred": "delayed", "bounced": "failed"}[m["status"]]
    return [json.dumps({
        "type": "SMTP", "hostname": m["host"], "eventid": f"7b0f6c1e-0000-4000-8000-{m['number']:012x}",
        "messageid": f"18a7e0c1-4d20-11f1-9a00-{m['number']:012x}:1", "ts_attempt": seconds(m) + 0.5,
        "ts_received": seconds(m), "status": status, "result_code": int(m["text"][:3]), "result_enhanced": m["dsn"],
        "result_reason": m["text"][4:].removeprefix(m["dsn"]).strip(), "result_state": "EOD",
        "connection_localip": source(m), "connection_remoteip": m["ip"], "connection_remotemx": m["mx"],
        "sender": m["sender"], "recipient_localpart": m["rcpt"].split("@")[0], "recipient_domain": domain(m),
        "size": 20112}) + "\n"]


def greenarrow(m):
    status = {"sent": "success", "deferred": "deferral", "bounced": "failure"}[m["status"]]
    words = "accepted message" if status == "success" else "does not like recipient"
    return [json.dumps({
        "timestamp": seconds(m) + 0.12, "channel": "remote", "status": status, "is_retry": 0,
        "msguid": f"{seconds(m)}.{m['number']}.mta1", "message": f"{m['ip']} {words}./Remote host said: {m['text']}",
        "sender": m["sender"], "recipient": m["rcpt"], "mtaid": "1", "sendid": "s1", "listid": "l1",
        "outmtaid": str(m["out"]), "outmtaid_ip": source(m), "outmtaid_hostname": f"out{m['out']}.example.com",
        "mx_hostname": m["mx"], "mx_ip": m["ip"]}) + "\n"]


def mailerq(m):
    result = "accepted" if m["status"] == "sent" else "error"
    return [json.dumps({
        "envelope": m["sender"], "recipient": m["rcpt"], "results": [{
            "state": "message", "result": result, "time": f"{m['t']:%Y-%m-%d %H:%M:%S}", "mta": m["mx"],
            "from": source(m), "to": m["ip"], "messages": 1, "code": int(m["text"][:3]), "status": m["dsn"],
            "description": m["text"][4:].removeprefix(m["dsn"]).strip()}]}) + "\n"]


def ses(m):
    t = f"{m['t']:%Y-%m-%dT%H:%M:%S}.000Z"
    mail = {"timestamp": t, "source": m["sender"], "messageId": f"0100019c-{m['number']:012x}", "destination": [m["rcpt"]],
            "tags": {"ses:source-ip": ["192.0.2.200"], "ses:outgoing-ip": [source(m)]}}
    if m["status"] == "sent":
        return [json.dumps({"eventType": "Delivery", "mail": mail, "delivery": {
            "timestamp": t, "processingTimeMillis": 1100, "recipients": [m["rcpt"]], "smtpResponse": m["text"],
            "remoteMtaIp": m["ip"], "reportingMTA": "a8-1.smtp-out.example.com"}}) + "\n"]
    who = {"emailAddress": m["rcpt"], "status": m["dsn"], "diagnosticCode": f"smtp; {m['text']}"}
    if m["status"] == "deferred":
        return [json.dumps({"eventType": "DeliveryDelay", "mail": mail, "deliveryDelay": {
            "timestamp": t, "delayType": "TransientCommunicationFailure", "delayedRecipients": [who]}}) + "\n"]
    return [json.dumps({"eventType": "Bounce", "mail": mail, "bounce": {
        "bounceType": "Permanent", "bounceSubType": "General", "timestamp": t,
        "reportingMTA": "dns; a8-1.smtp-out.example.com", "bouncedRecipients": [who | {"action": "failed"}]}}) + "\n"]


EXCHANGE = ("#Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,source,"
            "event-id,internal-message-id,message-id,network-message-id,recipient-address,recipient-status,total-bytes,"
            "recipient-count,sender-address,return-path\n")


def exchange(m):
    """Message tracking: a receipt, and what became of it."""
    t, number = f"{m['t']:%Y-%m-%dT%H:%M:%S}.123Z", m["number"]
    ids = f"{5000 + number},<{number}@news.example>,8e9b967e-b07a-46d7-081f-{number:012x}"
    tail = f"4096,1,{m['sender']},{m['sender']}\n"
    receipt = f"{t},10.1.1.1,EX01,,,08DEA1B20C3D{number:04X},Default,SMTP,RECEIVE,{ids},{m['rcpt']},,{tail}"
    common = f"08DEA1B20C3D{number:04X},To Internet,SMTP"
    if m["status"] == "sent":
        return [receipt, f'{t},{source(m)},EX01,{m["ip"]},{m["mx"]},{common},SENDEXTERNAL,{ids},{m["rcpt"]},"{m["text"]}",{tail}']
    event = {"deferred": "DEFER", "bounced": "FAIL"}[m["status"]]
    status = f"[{{LED={m['text']}}};{{MSG=}};{{FQDN={m['mx']}}};{{IP={m['ip']}}}]"
    return [receipt, f'{t},,EX01,,,{common},{event},{ids},{m["rcpt"]},"{status}",{tail}']


FORMATS = {writer.__name__: writer for writer in
           [postfix, powermta, kumomta, exim, sendmail, opensmtpd, momentum, halon, greenarrow, mailerq, ses, exchange]}
HEADERS = {"powermta": [POWERMTA], "exchange": [EXCHANGE]}
