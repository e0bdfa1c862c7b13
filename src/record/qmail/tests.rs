#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::json::tests::shown;
use crate::record::wrapped;

fn read(log: &str) -> Vec<String> {
    shown(&MULTILOG, log)
}

/// The report of a delivery to `a@b.c`.
fn report(verdict: &str) -> String {
    read(&format!("@400000006a02d4bf0a2b3c44 starting delivery 1: msg 7 to remote a@b.c\n@400000006a02d4bf1a2b3c44 delivery 1: {verdict}")).join("|")
}

const START: &str = "2026-05-12T07:20:21.439Z 7 - - - a@b.c -";

#[test]
fn documented_lines() {
    let log = include_str!("documented.log");
    let expected = [
        "21.439Z 918273 - - - a@outlook.com - 198.51.100.11 delivered 250 2.6.0 <q1@example.com> [InternalId=858993418344, Hostname=CY8PR11MB7000.namprd11.prod.outlook.com] 18344 bytes in 0.187, 95.542 KB/sec Queued mail for delivery -> 250 2.1.5",
        "23.439Z 918273 - - - c@hotmail.com - 198.51.100.12 deferred 451 4.7.500 Server busy. Please try again later from [192.0.2.51]. (S77719) [PH1PEPF000132F5.NAMP220.PROD.OUTLOOK.COM 2026-05-12T07:20:23.000Z 08DEA1B20C3D5017]",
        "25.439Z 918273 - - - e@live.com - 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from [192.0.2.51] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [MWH0EPF000971E4.namprd02.prod.outlook.com 2026-05-12T07:20:25.000Z 08DEA1B20C3D5018]",
    ]
    .map(|line| format!("2026-05-12T07:20:{line}"));
    assert_eq!(read(log), expected);
    // The same through splogger, beside other programs.
    let spooled: String = log
        .lines()
        .map(|line| {
            let (naive, end) = stamp::parse(line.as_bytes()).unwrap();
            let stamp = format!("{}.{}000", naive.seconds(0), naive.millis.unwrap());
            format!(
                "May 12 09:20:21 mx1 dovecot: login\nMay 12 09:20:21 mx1 qmail: {stamp}{}\n",
                &line[end..]
            )
        })
        .collect();
    assert_eq!(shown(wrapped::tests::alone("qmail"), &spooled), expected);
    // Where the start is not in the log, the recipient is not told.
    let (_, verdict) = log.split_once('\n').unwrap();
    assert!(
        read(verdict)[0]
            .starts_with("2026-05-12T07:20:21.439Z - - - - - - 198.51.100.11 delivered 250 2.6.0 ")
    );
}

#[test]
fn reports_of_all_kinds() {
    for (verdict, expected) in [
        (
            "deferral: Connected_to_198.51.100.12_but_sender_was_rejected./Remote_host_said:_451_4.7.650_slow/",
            "198.51.100.12 deferred 451 4.7.650 slow",
        ),
        (
            "failure: User_and_password_not_set,_continuing_without_authentication./2001:db8::1_does_not_like_recipient./Remote_host_said:_550-5.7.1_see_http://x/550_5.7.1_y/Giving_up_on_2001:db8::1./",
            "2001:db8::1 bounced 550-5.7.1 see http://x 550 5.7.1 y",
        ),
        ("deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/", "- deferred Nobody"),
        ("failure: Sorry,_I_couldn't_find_any_host_named_b.c._(#5.1.2)/", "- bounced Nobody"),
        (
            "deferral: Connected_to_198.51.100.12_but_connection_died._(#4.4.2)/",
            "198.51.100.12 deferred Nobody",
        ),
        (
            "failure: 198.51.100.12_failed_after_I_sent_the_message./Remote_host_said:_gibberish/",
            "198.51.100.12 bounced Codes { smtp: None, enhanced: None }",
        ),
    ] {
        assert_eq!(report(verdict), format!("{START} {expected}"), "{verdict}");
    }
}

#[test]
fn what_is_no_attempt() {
    let line = |text: &str| read(&format!("@400000006a02d4bf1a2b3c44 {text}")).join("|");
    assert_eq!(line("info msg 918273: bytes 20112 from <n@example.com> qp 4242 uid 89"), "queued");
    assert_eq!(line("delivery 9: success: did_0+0+1/"), "");
    assert_eq!(line("delivery 9: wonder: x/"), "an unknown verdict");
    assert_eq!(line("delivery 9: succ"), "a delivery without a verdict");
    assert_eq!(line("status: local 0/10 remote 1/20"), "");
    assert_eq!(report("success: 127.0.0.1_accepted_message./Remote_host_said:_250_ok/"), "");
    let local = "@400000006a02d4bf0a2b3c44 starting delivery 1: msg 7 to local a@b.c\n@400000006a02d4bf1a2b3c44 delivery 1: deferral: Unable_to_chdir/";
    assert_eq!(read(local), [""; 0]);
}

#[test]
fn memory_is_bounded() {
    let mut joins = Joins::new();
    for number in 0..200_000 {
        joins.start(format!("{number}: msg 7 to remote {}@b.c", "a".repeat(300)).as_bytes(), None);
    }
    joins.key(b"5", None);
    assert!(joins.starts.get(&joins.key).is_none());
    joins.key(b"199999", None);
    assert!(joins.starts.get(&joins.key).is_some());
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
        let line = String::from_utf8_lossy(&line).into_owned();
        read(&format!("{line}\n{log}{line}"));
        shown(wrapped::tests::alone("qmail"), &format!("May 12 09:20:21 mx1 qmail: 1778570421.1 {line}"));
    }

    #[test]
    fn what_qmail_logs_is_read_back(
        local in "[a-z0-9.+=,@><\" ]{1,12}",
        ip in any::<[u8; 4]>(),
        words in "[ -.0-^`-~é]{0,40}(http://x/y)?[ -.0-^`-~]{0,20}",
        code in 200u16..600,
        kind in 0..3usize,
        number in any::<u32>(),
    ) {
        let ip = std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]);
        let to = format!("{local}@b.c");
        let reply = format!("{code} 5.7.1 {words}");
        let logged = reply.replace(' ', "_");
        let report = [
            format!("success: {ip}_accepted_message./Remote_host_said:_{logged}/"),
            format!("deferral: {ip}_failed_after_I_sent_the_message./Remote_host_said:_{logged}/"),
            format!("failure: {ip}_does_not_like_recipient./Remote_host_said:_{logged}/Giving_up_on_{ip}./"),
        ][kind].clone();
        let log = format!("@400000006a02d4bf0a2b3c44 starting delivery {number}: msg 7 to remote {to}\n@400000006a02d4bf0a2b3c44 starting delivery 0{number}: msg 8 to remote x@y\n@400000006a02d4bf1a2b3c44 delivery {number}: {report}");
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(read(&log), vec![format!("2026-05-12T07:20:21.439Z 7 - - - {to} - {ip} {outcome} {reply}")]);
    }
}
