#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::json::tests::shown;

const ID: &str = "B840081E-6CB8-4FB5-ADD9-5827973462E9.1";

fn read(log: &str) -> Vec<String> {
    shown(&HARAKA, log)
}

/// A text log of one transaction, of lines as `[core] …` or `[outbound] …`.
fn text(lines: &[&str]) -> String {
    let line = |line: &&str| {
        let part = if line.starts_with("[outbound]") { ".1" } else { "" };
        format!("2026-05-12T07:00:01.204Z [NOTICE] [{ID}{part}] {line}\n")
    };
    lines.iter().map(line).collect()
}

const A: &str = "[core] recipient <a@b.c> code=OK msg=\"\" sender=n@e.f";
const B: &str = "[core] recipient <\"x>y\"@B.c> code=OK msg=\"\" sender=n@e.f";
const OTHER: &str = "[core] recipient <o@other.x> code=OK msg=\"\" sender=n@e.f";
const REFUSED: &str = "[core] recipient <no@b.c> code=DENY msg=\"no\" sender=n@e.f";
const MX: &str = r#"[outbound]  hook=get_mx plugin=p function=f params=b.c retval=OK msg="{\"1\":{\"exchange\":\"later.b.c\",\"priority\":20},\"0\":{\"exchange\":\"mx.b.c.\",\"priority\":10,\"bind\":\"203.0.113.5\"}}""#;
const DELIVERED: &str = r#"[outbound]  delivered file=1_2_3 domain=b.c host=mx.b.c ip=198.51.100.9 port=25 mode=SMTP tls=Y auth=N response="<q@e> [InternalId=1, Hostname=h.prod.outlook.com] \"ok\"" delay=1.2 fails=0 rcpts=1/0/0"#;
const START: &str = "2026-05-12T07:00:01.204Z B840081E-6CB8-4FB5-ADD9-5827973462E9.1.1 203.0.113.5 - n@e.f";

#[test]
fn documented_lines() {
    let id = "B840081E-6CB8-4FB5-ADD9-5827973462E9.1.1";
    let expected = [
        format!("2026-05-12T07:00:01.204Z {id} - - - @outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <h1@example.com> [InternalId=858993418344, Hostname=DM4PR12MB6100.namprd12.prod.outlook.com] 18344 bytes in 0.187, 95.542 KB/sec Queued mail for delivery -> 250 2.1.5"),
        format!("2026-05-12T07:01:10.010Z {id} - - - c@hotmail.com - - deferred 451 4.7.650 The mail server [192.0.2.41] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://aka.ms/postmaster (S775) [BN3PEPF0000B06D.namprd21.prod.outlook.com 2026-05-12T07:01:09.950Z 08DEA1B20C3D5010]"),
        // `Tried all MXs` behind it is none.
        format!("2026-05-12T07:02:00.500Z {id} - - - e@live.com - - bounced 550 5.7.1 Unfortunately, messages from [192.0.2.41] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [SN1PEPF000397B1.namprd05.prod.outlook.com 2026-05-12T07:02:00.444Z 08DEA1B20C3D5012]"),
        // Refused at MAIL FROM, and nothing told whom it was for.
        "2026-05-12T07:03:37.241Z C3D0C0B2-7E2D-4F7C-9A36-2F7E7A1B6C11.1.1 - - - - - - bounced 550 5.7.1 Unfortunately, messages from [192.0.2.41] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150). [BN8NAM04FT054.eop-nam04.prod.protection.outlook.com]".to_owned(),
        "2026-05-12T07:03:41.305Z 0F0E9A7C-54C5-4A0E-8D0A-5B2F7D9A8E21.1.1 - - - - - - deferred 451 4.7.650 The mail server [192.0.2.41] has been temporarily rate limited due to IP reputation. (S775) [AM3PEPF0000A795.eurprd04.prod.outlook.com 2026-05-12T07:03:41.280Z 08DEA1B20C3D500D]".to_owned(),
    ];
    assert_eq!(read(include_str!("documented.log")), expected);
}

#[test]
fn a_try_for_several_recipients() {
    let rejected = "[outbound] recipient <a@b.c> rejected: 550 5.4.1 no";
    let repeated = "[outbound] bouncing mail: Some recipients failed: <a@b.c>";
    let found = read(&text(&[A, B, OTHER, REFUSED, MX, rejected, DELIVERED, repeated]));
    assert_eq!(
        found,
        [
            format!("{START} a@b.c mx.b.c - bounced 550 5.4.1 no"),
            format!(
                "{START} \"x>y\"@B.c mx.b.c 198.51.100.9 delivered 250 2.6.0 <q@e> [InternalId=1, Hostname=h.prod.outlook.com] \"ok\""
            ),
        ]
    );
    // One is deferred, the other taken; the next try is for the first alone.
    let deferred = "[outbound] recipient <a@b.c> deferred: 451 4.7.500 busy";
    let again = "[outbound] Temp failing 1_2_3 for 25 seconds: Some recipients temp failed: <a@b.c>";
    let last = "[outbound] bouncing mail: Too many failures (Upstream error: 421 4.3.2 closing)";
    let found = read(&text(&[A, B, MX, deferred, DELIVERED, again, MX, last]));
    assert_eq!(found.len(), 3);
    assert_eq!(found[0], format!("{START} a@b.c mx.b.c - deferred 451 4.7.500 busy"));
    assert!(found[1].contains(" \"x>y\"@B.c mx.b.c 198.51.100.9 delivered 250 2.6.0 "), "{}", found[1]);
    assert_eq!(found[2], format!("{START} a@b.c mx.b.c - bounced 421 4.3.2 closing"));
}

#[test]
fn refusals_and_silence_for_all() {
    let refused = "[outbound] Temp failing 1_2_3 for 25 seconds: Upstream error: 451 4.7.650 slow";
    let expected =
        ["a@b.c", "\"x>y\"@B.c"].map(|to| format!("{START} {to} mx.b.c - deferred 451 4.7.650 slow"));
    assert_eq!(read(&text(&[A, B, OTHER, MX, refused])), expected);
    let broke = "[outbound] Remote end 198.51.100.9:25 closed connection while we were processing mail. Trying next MX.";
    let tried = "[outbound] Temp failing 1_2_3 for 25 seconds: Tried all MXs";
    assert_eq!(
        read(&text(&[A, MX, broke, tried])),
        [format!("{START} a@b.c mx.b.c 198.51.100.9 deferred Nobody")]
    );
    // Without a plugin's line the recipients tell the domain, if they have but one.
    assert_eq!(read(&text(&[A, B, tried])).len(), 2,);
    assert_eq!(read(&text(&[A, OTHER, tried])).len(), 1);
}

#[test]
fn json_says_the_same() {
    let line = |part: &str, origin: &str, rest: &str| {
        format!(
            "2026-05-12T07:00:01.204Z {{\"level\":\"INFO\",\"uuid\":\"{ID}{part}\",\"origin\":\"{origin}\",{rest}}}\n"
        )
    };
    let mx = r#""message":"","hook":"get_mx","plugin":"p","params":"b.c","retval":"OK","msg":"{\"0\":{\"exchange\":\"mx.b.c\",\"priority\":10,\"bind\":\"203.0.113.5\"}}""#;
    let delivered = r#""message":"","delivered file":"1_2_3","domain":"b.c","host":"mx.b.c","ip":"198.51.100.9","port":25,"mode":"SMTP","response":"<q@e> [InternalId=1, Hostname=h.prod.outlook.com] \"ok\"","delay":1.2,"fails":0,"rcpts":"1/0/0""#;
    let log = [
        line("", "core", r#""message":"recipient <a@b.c>","code":"OK","msg":"","sender":"n@e.f""#),
        line("", "core", r#""message":"recipient <\"x>y\"@B.c>","code":"OK","msg":"","sender":"n@e.f""#),
        line(".1", "outbound", mx),
        line(".1", "outbound", r#""message":"recipient <a@b.c> rejected: 550 5.4.1 no""#),
        line(".1", "outbound", delivered),
        line(".1", "outbound", r#""message":"bouncing mail: Some recipients failed: <a@b.c>""#),
    ]
    .concat();
    assert_eq!(
        read(&log),
        read(&text(&[A, B, MX, "[outbound] recipient <a@b.c> rejected: 550 5.4.1 no", DELIVERED]))
    );
    // Where the stamp is a key.
    let own_stamp = log.replace("2026-05-12T07:00:01.204Z {", "{\"timestamp\":\"2026-05-12T07:00:01.204Z\",");
    assert_eq!(read(&own_stamp), read(&log));
    assert_eq!(read(&log[..log.len() - 3]).last().unwrap(), "a broken JSON record");
}

#[test]
fn what_is_no_attempt_and_what_is_cut() {
    for (lines, expected) in [
        (&["[outbound] recipient <a@b"][..], "a recipient's address does not end"),
        (&["[outbound] recipient <a@b.c> def"], "a recipient without a verdict"),
        (&["[outbound]  delivered file=1 domain=b.c host=mx"], "a delivery that lacks a field"),
        (&["[outbound] Temp failing 1_2_3 for"], "a deferral without a reason"),
        (&["[outbound] secured verified=false cipher=x"], ""),
        (&[A, "[core] message mid=<x>"], ""),
    ] {
        assert_eq!(read(&text(lines)).join("|"), expected, "{lines:?}");
    }
    assert_eq!(read(&text(&[A, MX, &DELIVERED.replace("198.51.100.9", "10.0.0.1")])), [""; 0]);
    assert_eq!(read(&text(&[A, MX, &DELIVERED.replace("mode=SMTP", "mode=LMTP")])), [""; 0]);
    let old = DELIVERED.replace(
        "domain=b.c host=mx.b.c ip=198.51.100.9 port=25 mode=SMTP",
        "domain=\"b.c\" host=\"mx.b.c\" ip=\"198.51.100.9\" port=\"25\" mode=\"SMTP\"",
    );
    assert_eq!(read(&text(&[A, MX, &old])), read(&text(&[A, MX, DELIVERED])));
}

proptest! {
    #[test]
    fn no_cut_or_broken_line_panics(index in 0usize..6, cut in 0usize..500, at in 0usize..500, bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
        let log = include_str!("documented.log");
        let mut line = log.lines().nth(index).unwrap().as_bytes().to_vec();
        let at = at.min(line.len());
        let end = (at + bytes.len()).min(line.len());
        line.splice(at..end, bytes);
        line.truncate(cut);
        read(&format!("{}\n{}", String::from_utf8_lossy(&line), log));
    }

    #[test]
    fn what_haraka_logs_is_read_back(
        local in "[a-z0-9.+=,@>< ]{1,12}",
        host in "[a-z][a-z0-9-]{0,12}\\.mail\\.protection\\.outlook\\.com",
        ip in any::<[u8; 4]>(),
        words in "[ -~é]{0,60}",
        code in 200u16..600,
        kind in 0..4usize,
        as_json in any::<bool>(),
    ) {
        let to = if local.contains([',', '@', '>', '<', ' ']) { format!("\"{local}\"@b.c") } else { format!("{local}@b.c") };
        let ip = std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]);
        let words = format!("<{}", words.trim());
        let list = serde_json::json!({"0": {"exchange": host, "priority": 10, "bind": ip.to_string()}}).to_string();
        let reply = format!("{code} 4.7.1 {words}");
        let result = [
            format!("recipient <{to}> deferred: {reply}"),
            format!("recipient <{to}> rejected: {reply}"),
            format!("bouncing mail: {reply}"),
            String::new(),
        ][kind].clone();
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let log = if as_json {
            let event = |id: &str, fields: serde_json::Value| {
                let mut all = serde_json::json!({"level": "INFO", "uuid": id, "origin": "outbound", "message": ""});
                all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
                format!("2026-05-12T07:00:01.204Z {all}\n")
            };
            let id = format!("{ID}.1");
            let last = match kind {
                3 => serde_json::json!({"delivered file": "1", "domain": "b.c", "host": host, "ip": ip.to_string(), "port": 25, "response": words, "rcpts": "1/0/0"}),
                _ => serde_json::json!({"message": result}),
            };
            [
                event(ID, serde_json::json!({"origin": "core", "message": format!("recipient <{to}>"), "code": "OK", "sender": "n@e.f"})),
                event(&id, serde_json::json!({"hook": "get_mx", "params": "b.c", "msg": list})),
                event(&id, last),
            ].concat()
        } else {
            let last = match kind {
                3 => format!("delivered file=1 domain=b.c host={host} ip={ip} port=25 response={} rcpts=1/0/0", quote(&words)),
                _ => result,
            };
            text(&[
                &format!("[core] recipient <{to}> code=OK msg=\"\" sender=n@e.f"),
                &format!("[outbound]  hook=get_mx params=b.c msg={}", quote(&list)),
                &format!("[outbound] {last}"),
            ])
        };
        let outcome = ["deferred", "bounced", "bounced", "delivered"][kind];
        let (relay_ip, reply) = if kind == 3 { (ip.to_string(), format!("250 {words}")) } else { ("-".to_owned(), reply) };
        let expected = format!("2026-05-12T07:00:01.204Z {ID}.1 {ip} - n@e.f {to} {host} {relay_ip} {outcome} {reply}");
        prop_assert_eq!(read(&log), vec![expected.trim_end().to_owned()]);
    }
}
