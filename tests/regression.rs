//! What once went wrong, each with the smallest input that showed it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{eopwatch, events, output, summary};

const REFUSED: &str = "May 12 08:15:08 mta1 postfix-out2/smtp[3040]: 4bWx6n0Kz4z9sQL: to=<m@msn.com>, \
    relay=msn-com.olc.protection.outlook.com[52.101.21.1]:25, delay=0.77, delays=0.05/0.01/0.5/0.21, dsn=5.7.1, \
    status=bounced (host msn-com.olc.protection.outlook.com[52.101.21.1] said: 550 5.7.1 Unfortunately, messages from \
    [192.0.2.12] weren't sent. Please contact your Internet service provider since part of their network is on our \
    block list (S3140). [DU2PEPF00028D0D.eurprd03.prod.outlook.com 2026-05-12T06:15:08.906Z 08DEA1B20C3D5002] \
    (in reply to MAIL FROM command))\n";

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path
}

#[test]
fn a_hole_longer_than_the_head_is_not_an_empty_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let holed = [vec![0; 300_000], REFUSED.repeat(3).replace("4bWx6", "4bWx7").into_bytes()].concat();
    let value = summary(&[], &[file(folder.path(), "mail.log", holed)]);
    assert_eq!(value["totals"]["lines"], 3);
    assert!(value["totals"]["attempts"].as_u64() > Some(0));
}

#[test]
fn a_single_refusal_tells_zone_and_year() {
    let folder = tempfile::tempdir().expect("a folder");
    let found = events(&[], &[file(folder.path(), "a.log", REFUSED)]);
    assert_eq!(found[0]["time"], "2026-05-12T06:15:08Z");
    let later = REFUSED.replace("2026-05-12T06", "2027-05-12T06").replace("08DEA1B2", "08E0A1B2");
    let found = events(&[], &[file(folder.path(), "b.log", later)]);
    assert_eq!(found[0]["time"], "2027-05-12T06:15:08Z", "ids of later years begin otherwise");
}

#[test]
fn blank_lines_and_a_byte_order_mark_hide_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(events(&[], &[file(folder.path(), "a.log", format!("{REFUSED}\n\n"))]).len(), 1);
    let marked = file(folder.path(), "b.log", format!("\u{feff}{REFUSED}"));
    assert_eq!(events(&[], std::slice::from_ref(&marked)).len(), 1);
    assert_eq!(summary(&[], &[marked])["totals"]["malformed"], 0);
}

#[test]
fn names_from_a_log_do_not_drive_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let hostile =
        REFUSED.replace("postfix-out2", "p\x1b[31m\u{202e}\x07").replace("msn.com>", "m\x7fsn.com>");
    let path = file(folder.path(), "a.log", hostile);
    for arguments in
        [&["summary"][..], &["summary", "--format", "json"][..], &["events"][..], &["onsets"][..]]
    {
        let out = output(eopwatch().args(arguments).arg(&path), 0);
        for text in [out.stdout, out.stderr] {
            let text = String::from_utf8(text).expect("UTF-8");
            let bad = text.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
            assert_eq!(bad, None, "{arguments:?}");
        }
    }
}

#[test]
fn a_delivery_with_an_odd_queue_id_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let odd = REFUSED.replace("4bWx6n0Kz4z9sQL", "=1+1");
    let out =
        output(eopwatch().arg("summary").arg(file(folder.path(), "a.log", format!("{REFUSED}{odd}"))), 0);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("1 line looks like deliveries and could not be read"), "{said}");
}

#[test]
fn handing_in_mail_at_port_587_is_no_delivery() {
    let folder = tempfile::tempdir().expect("a folder");
    let value = summary(&[], &[file(folder.path(), "a.log", REFUSED.replace("]:25,", "]:587,"))]);
    assert_eq!((&value["totals"]["attempts"], &value["totals"]["other_attempts"]), (&0.into(), &1.into()));
}

#[test]
fn the_formats_can_be_listed() {
    let out = output(eopwatch().args(["summary", "--mta", "list"]), 0);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("postfix") && text.contains("exim"), "{text}");
}

#[test]
fn exims_old_form_names_the_server_in_the_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = "2026-05-12 08:30:01 1uEAbC-0000000BxYz-1Abc ** e@live.com R=d T=outlook_relay: SMTP error from remote \
        mail server after RCPT TO:<e@live.com>: host live-com.olc.protection.outlook.com [198.51.100.13]: 550 5.7.1 \
        Unfortunately, messages from [192.0.2.22] weren't sent. part of their network is on our block list (S3140)\n";
    let found = events(&[], &[file(folder.path(), "mainlog", line)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["relay_host"], "live-com.olc.protection.outlook.com");
    assert_eq!(found[0]["relay_ip"], "198.51.100.13");
    assert_eq!(found[0]["reply_id"], "block-list-s3140");
}

#[test]
fn a_warning_names_some_addresses_and_counts_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let log: String = (1..=60).map(|i| REFUSED.replace("192.0.2.12", &format!("192.0.2.{i}"))).collect();
    let out = output(eopwatch().arg("summary").arg(file(folder.path(), "a.log", log)), 0);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("192.0.2.8 and 52 more)"), "{said}");
    assert!(!said.contains("192.0.2.60"), "{said}");
}

#[test]
fn junk_between_events_costs_none_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let event = |i: usize| {
        format!(
            "{{\"eventType\":\"Bounce\",\"mail\":{{\"source\":\"n@e.com\",\"messageId\":\"m{i}\"}},\"bounce\":{{\"timestamp\":\
             \"2026-05-12T08:13:00.000Z\",\"bouncedRecipients\":[{{\"emailAddress\":\"e@live.com\",\"diagnosticCode\":\
             \"smtp; 550 5.7.1 no\"}}]}}}}\n"
        )
    };
    for junk in ["{", "[", "[[[[[[[[[[", "\u{1b}[31m", "{\"a\":", "}]}", "\"\"\"", "words"] {
        let log: String = (0..200).map(|i| format!("{}{}{junk}\n", event(2 * i), event(2 * i + 1))).collect();
        assert_eq!(events(&[], &[file(folder.path(), "ses.json", log)]).len(), 400, "{junk}");
    }
}
