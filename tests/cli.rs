//! The program from outside: statuses, formats, what holds whatever the way in.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{data, eopwatch, events, output, summary, text};
use serde_json::{Value, json};

fn story() -> PathBuf {
    data("../sample-logs/story-mail.log.gz")
}

fn postfix() -> PathBuf {
    data("real-logs/postfix/mail.log.gz")
}

/// Stdout of the program with `input` on its stdin.
fn piped(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = eopwatch()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("joined").expect("all was read");
    assert!(output.status.success(), "{:?}", output.status);
    output.stdout
}

/// What must not depend on the way in: all but names of files and offsets in them.
fn without_places(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("first_line");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    value.as_object_mut().expect("an object").remove("inputs");
    strip(&mut value);
    value
}

#[test]
fn a_header_that_changes_costs_no_pipe_its_lines() {
    const HEADERS: [&str; 2] =
        ["type,timeLogged,orig,rcpt,dsnDiag,dsnMta\n", "type,timeLogged,orig,rcpt,vmta,dsnMta,dsnDiag\n"];
    const RELAY: &str = "outlook-com.olc.protection.outlook.com (52.101.8.1)";
    let begin = |n: u64| format!("d,2026-05-12 08:00:00+0000,n@example.com,a{n}@outlook.com");
    let old = |n: u64| format!("{},smtp;250 2.6.0 queued,{RELAY}\n", begin(n));
    let new = |n: u64| format!("{},vmta-1,{RELAY},smtp;250 2.6.0 queued\n", begin(n));
    let log =
        |rows: u64| [HEADERS[0], &(1..rows).map(old).collect::<String>(), HEADERS[1], &new(rows)].concat();
    let delivered = |inputs: &[&str], piped_in: &str| {
        let arguments = [&["summary", "--format", "json"], inputs].concat();
        let found: Value = serde_json::from_slice(&piped(&arguments, piped_in.as_bytes())).expect("JSON");
        found["totals"]["delivered"].as_u64().expect("a number")
    };
    assert_eq!(delivered(&["-"], &log(3)), 3);
    // Large enough to be cut up, were there no pipe beside it.
    const MANY: u64 = 150_000;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("acct.csv");
    fs::write(&file, log(MANY)).expect("written");
    let file = file.display().to_string();
    assert_eq!(delivered(&[&file], ""), MANY);
    let other = [HEADERS[0], &(MANY..MANY + 7).map(old).collect::<String>()].concat();
    assert_eq!(delivered(&["-", &file], &other), MANY + 7);
}

#[test]
fn the_same_bytes_whatever_the_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    // Larger than several spans, so that threads really share it.
    let plain = folder.path().join("mail.log");
    fs::write(&plain, text(&story())).expect("written");
    let of = |threads: &str| {
        let mut command = eopwatch();
        command.args(["summary", "--format", "json", "--threads", threads]).arg(&plain).arg(postfix());
        output(&mut command, 0).stdout
    };
    let one = of("1");
    assert!(one == of("2"), "two threads");
    assert!(one == of("7"), "seven threads");
}

#[test]
fn plain_mapped_gzip_zstd_stdin_and_cut_inputs_give_the_same_summary() {
    for sample in [
        story(),
        postfix(),
        data("real-logs/exim/exim-mainlog.gz"),
        data("real-logs/exim-plain/exim-mainlog.gz"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let content = text(&sample);
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).expect("written");
            path
        };
        let expected = without_places(summary(&[], std::slice::from_ref(&sample)));
        assert!(expected["totals"]["attempts"].as_u64() > Some(500));
        let check = |name: &str, value: Value| {
            let value = without_places(value);
            for field in ["totals", "range", "sources", "domains", "datacenters", "replies", "onsets"] {
                assert!(expected[field] == value[field], "{name} of {}: {field}", sample.display());
            }
        };
        let plain = write("plain.log", content.as_bytes());
        check("plain", summary(&["--mmap", "never"], std::slice::from_ref(&plain)));
        check("mapped", summary(&["--mmap", "always"], std::slice::from_ref(&plain)));
        let zstd = zstd::encode_all(content.as_bytes(), 1).expect("compressed");
        check("zstd", summary(&[], &[write("log", &zstd)]));
        let stdin = piped(&["summary", "--format", "json", "-"], content.as_bytes());
        check("stdin", serde_json::from_slice(&stdin).expect("JSON"));
        for part in [3, 7, 9] {
            let at = content.len() * part / 10;
            let cut = content[..at].rfind('\n').expect("a line") + 1;
            let first = write("a.log", &content.as_bytes()[..cut]);
            let second = write("b.log", &content.as_bytes()[cut..]);
            check("cut in two", summary(&[], &[first, second]));
        }
    }
}

#[test]
fn the_summary_adds_up() {
    let value = summary(&[], &[story(), postfix()]);
    assert_eq!(value["schema"], "eopwatch.summary/1");
    let number = |row: &Value, field: &str| row[field].as_u64().unwrap_or_else(|| panic!("{field} in {row}"));
    let totals = &value["totals"];
    for table in ["sources", "domains", "datacenters"] {
        for field in ["attempts", "delivered", "deferred", "bounced", "blocked", "throttled"] {
            let sum: u64 = value[table].as_array().expect("rows").iter().map(|r| number(r, field)).sum();
            assert_eq!(sum, number(totals, field), "{table} {field}");
        }
    }
    assert_eq!(
        number(totals, "delivered") + number(totals, "deferred") + number(totals, "bounced"),
        number(totals, "attempts")
    );
    let inputs: u64 = value["inputs"].as_array().expect("rows").iter().map(|r| number(r, "attempts")).sum();
    assert_eq!(inputs, number(totals, "attempts"));
    let events = events(&[], &[story(), postfix()]);
    assert_eq!(events.len() as u64, number(totals, "attempts"));
    let blocks = events.iter().filter(|e| e["is_block"] == true).count() as u64;
    assert_eq!(blocks, number(totals, "blocked"));
    let refused = events.iter().filter(|e| e["class"] != "accepted").count() as u64;
    let replies: u64 = value["replies"].as_array().expect("rows").iter().map(|r| number(r, "count")).sum();
    assert_eq!(replies, refused);
}

#[test]
fn filters_hold_what_they_name_and_events_and_summary_agree() {
    let paths = [story()];
    let everything = events(&[], &paths);
    type Case<'c> = (&'c [&'c str], &'c dyn Fn(&Value) -> bool);
    let cases: [Case<'_>; 7] = [
        (&["--domain", "hotmail.*"], &|e| e["recipient_domain"] == "hotmail.com"),
        (&["--domain", "!*.com"], &|e| !e["recipient_domain"].as_str().unwrap_or("").ends_with(".com")),
        (&["--source", "203.0.113.31"], &|e| e["source_ip"] == "203.0.113.31"),
        (&["--source", "postfix-out1/*"], &|e| e["source_name"] == "postfix-out1/smtp"),
        (&["--class", "ip-block", "--class", "ip-rate"], &|e| {
            e["class"] == "ip-block" || e["class"] == "ip-rate"
        }),
        (&["--outcome", "bounced", "--platform", "m365"], &|e| {
            e["outcome"] == "bounced" && e["platform"] == "m365"
        }),
        (&["--reply", "5.7.511"], &|e| e["enhanced_code"] == "5.7.511"),
    ];
    for (arguments, holds) in cases {
        let expected = everything.iter().filter(|e| holds(e)).count();
        assert!(expected > 0, "{arguments:?} selects nothing");
        let found = events(arguments, &paths);
        assert_eq!(found.len(), expected, "{arguments:?}");
        assert!(found.iter().all(holds), "{arguments:?}");
        let summary = summary(arguments, &paths);
        assert_eq!(summary["totals"]["attempts"], json!(expected), "{arguments:?}");
    }
    // One host of a datacenter, of which a summary without that filter counts all together.
    let host = everything.iter().find_map(|e| e["datacenter_host"].as_str()).expect("a host tag");
    let of_host = everything.iter().filter(|e| e["datacenter_host"] == host).count();
    let found = summary(&["--datacenter", host], &paths);
    assert_eq!(found["totals"]["attempts"], json!(of_host), "{host}");
    let range = ["--since", "2026-11-22T09:00:00Z", "--until", "2026-11-22T12:00:00Z"];
    let within = |e: &&Value| {
        let time = e["time"].as_str().expect("a time");
        ("2026-11-22T09:00:00Z"..="2026-11-22T12:00:00Z").contains(&time)
    };
    assert_eq!(events(&range, &paths).len(), everything.iter().filter(within).count());
}

#[test]
fn the_story_is_told_begin_spread_clear_and_still_blocked() {
    let value = summary(&[], &[story()]);
    let onsets = value["onsets"].as_array().expect("onsets");
    let of = |source: &str, family: &str| -> Vec<&Value> {
        onsets.iter().filter(|o| o["source_ip"] == source && o["family"] == family).collect()
    };
    let first = of("203.0.113.25", "block");
    assert_eq!(first.len(), 1, "one block of the first source: {first:#?}");
    assert_eq!(first[0]["status"], "cleared");
    let start = first[0]["start"].as_str().expect("a time");
    assert!(("2026-11-22T09:41".."2026-11-22T09:55").contains(&start), "{start}");
    assert_eq!(first[0]["reply_id"], "block-list-s3140");
    assert_eq!(first[0]["platform"], json!(["consumer"]));
    let last = of("203.0.113.40", "block");
    assert_eq!(last.len(), 1, "one block of the last source: {last:#?}");
    assert_eq!(last[0]["status"], "active");
    assert_eq!(last[0]["reply_id"], "banned-sender-511");
    assert_eq!(of("203.0.113.31", "throttle").len(), 1);
    let status = |ip: &str| {
        let sources = value["sources"].as_array().expect("sources");
        sources.iter().find(|s| s["source_ip"] == ip).map(|s| s["status"].clone())
    };
    assert_eq!(status("203.0.113.25"), Some(json!("clear")));
    assert_eq!(status("203.0.113.31"), Some(json!("clear")));
    assert_eq!(status("203.0.113.40"), Some(json!("blocked")));
    assert_eq!(onsets.len(), 3, "and nothing else: unknown recipients are no block");
}

#[test]
fn statuses_tell_scripts_what_happened() {
    let said = |arguments: &[&str], paths: &[PathBuf], status: i32| {
        let out = output(eopwatch().arg("summary").args(arguments).args(paths), status);
        (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    said(&[], &[story()], 0);
    said(&["--fail-on", "blocked"], &[story()], 1);
    said(&["--fail-on", "throttled"], &[story()], 0);
    said(&["--fail-on", "any"], &[story()], 1);
    assert!(said(&["--only-if", "blocked"], &[story()], 0).0.contains("BLOCKED"));
    assert_eq!(said(&["--only-if", "throttled"], &[story()], 0).0, "");
    said(&["--no-such-flag"], &[story()], 2);
    assert!(said(&["--since", "whenever"], &[story()], 2).1.contains("is no time"));
    assert!(said(&["--timezone", "Mars/Olympus"], &[story()], 2).1.contains("no such zone"));
    assert!(said(&["--mta", "nonesuch"], &[story()], 2).1.contains("known:"));

    let missing = PathBuf::from("/nonexistent/mail.log");
    let (out, err) = said(&[], &[missing, postfix()], 3);
    assert!(out.contains("1 748 attempts to Microsoft"), "the others are still processed: {out}");
    assert!(err.starts_with("eopwatch: /nonexistent/mail.log: no such file"), "{err}");
}

#[test]
fn what_is_no_log_is_named_and_an_empty_file_is_fine() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    let empty = file("empty.log", b"");
    let value = summary(&[], std::slice::from_ref(&empty));
    assert_eq!(value["totals"]["lines"], 0);
    assert_eq!(value["inputs"][0]["mta"], Value::Null);

    let poem = file("poem.txt", b"so much depends\nupon\na red wheel\nbarrow\n");
    let out = output(eopwatch().arg("summary").arg(&poem), 3);
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(err.contains("no MTA log that eopwatch knows; looks like text"), "{err}");

    // In a folder of logs, other files are passed over and said.
    file("mail.log", text(&postfix()).as_bytes());
    let out = output(eopwatch().args(["summary", "--format", "json"]).arg(folder.path()), 0);
    let value: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(value["totals"]["attempts"], 1748);
    assert!(String::from_utf8_lossy(&out.stderr).contains("poem.txt"));
}

#[test]
fn lines_shaped_like_deliveries_that_were_not_counted_are_named_with_a_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let good = "May 12 08:11:41 mta1 our-odd.name/out-7/smtp[3011]: 4bWx2k3Tq1z9sPq: to=<anna@outlook.com>, \
                relay=outlook-com.olc.protection.outlook.com[198.51.100.11]:25, delay=1.9, delays=0.06/0.01/0.55/1.3, \
                dsn=2.6.0, status=sent (250 2.6.0 ok)\n";
    let bad = "May 12 08:11:42 mta1 postfix/smtp[3011]: 4bWx2k3Tq1z9sPr: to=<ben@outlook.com>, \
               relay=outlook-com.olc.protection.outlook.com[198.51.100.11]:25, delay=1.9, dsn=2.6.0\n";
    fs::write(&path, format!("{good}{bad}")).expect("written");
    let out = output(eopwatch().args(["summary", "--format", "json"]).arg(&path), 0);
    let value: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(value["totals"]["attempts"], 1, "an odd syslog_name is counted");
    assert_eq!(value["totals"]["malformed"], 1);
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(err.contains("1 line looks like deliveries and could not be read"), "{err}");
    assert!(err.contains("ben@outlook.com"), "with a sample: {err}");
    let out = output(eopwatch().args(["summary", "--mask"]).arg(&path), 0);
    assert!(!String::from_utf8_lossy(&out.stderr).contains("ben@"), "masked");
}

#[test]
fn one_reply_is_one_row_whatever_its_stamp_host_and_address() {
    let value = summary(&[], &[story()]);
    let rows = value["replies"].as_array().expect("rows");
    let ids: Vec<_> = rows.iter().map(|r| r["reply_id"].as_str().expect("an id")).collect();
    assert_eq!(ids.iter().filter(|id| **id == "block-list-s3140").count(), 1);
    assert!(rows.len() <= 8, "hundreds of refusals, a handful of kinds: {ids:?}");
    for row in rows {
        assert!(
            row["example"].is_string() && row["root_cause"].is_string() && row["fix"].is_string(),
            "{row}"
        );
    }
}

#[test]
fn explain_knows_the_table_of_the_readme() {
    let rows = [
        ("550 5.7.1 Service unavailable; client host blocked", "ip-block", true, "delist"),
        ("550 5.7.350 Remote server returned message not accepted", "auth-spf", false, "SPF"),
        ("550 5.7.520 Access denied, banned sender", "ip-block", true, "delist"),
        ("550 5.7.515 Access denied, domain does not match", "auth-dmarc", false, "DKIM"),
        ("550 5.7.708 Service unavailable. Access denied (IP)", "ip-block", true, "rate"),
        ("421 4.7.650 Connection refused, new domain", "new-sender", false, "gradual"),
        ("451 4.7.650 Temporary service unavailable", "rate-limit", false, "rate"),
    ];
    for (reply, class, is_block, fix) in rows {
        let out = output(eopwatch().args(["explain", "--format", "json", reply]), 0);
        let value: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        assert_eq!(value["schema"], "eopwatch.explain/1");
        let first = &value["matches"][0];
        assert_eq!(first["class"], class, "{reply}");
        assert_eq!(first["is_block"], is_block, "{reply}");
        assert_eq!(first["certainty"], "exact", "{reply}");
        let advice = format!("{} {}", first["fix"], first["steps"]).to_lowercase();
        assert!(advice.contains(&fix.to_lowercase()), "{reply}: {advice}");
    }
    for bare in ["5.7.1", "550 5.7.520"] {
        let out = output(eopwatch().args(["explain", "--format", "json", bare]), 0);
        let value: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        assert!(value["matches"].as_array().expect("matches").len() > 1, "{bare} lists its variants");
    }
    output(eopwatch().args(["explain", "no such thing at all"]), 1);
}

#[test]
fn events_of_a_platform_are_left_out_where_no_domain_of_it_is_asked_for() {
    let onsets = |domain: &str| {
        let out = output(eopwatch().args(["onsets", "--format", "json", "--domain", domain]).arg(story()), 0);
        let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        found["onsets"].as_array().expect("a list").len()
    };
    assert_eq!((onsets("hotmail.com"), onsets("nosuch.example")), (2, 0));
}

#[test]
fn where_there_is_nothing_to_read_that_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = eopwatch().arg("summary").arg(folder.path()).output().expect("run");
    assert_eq!(run.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&run.stderr).contains("there is no file in it"));
}

#[test]
#[cfg(unix)]
fn a_written_file_is_like_any_other_and_its_error_names_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, plain) = (folder.path().join("out.json"), folder.path().join("plain"));
    output(eopwatch().args(["summary", "--format", "json", "-o"]).arg(&ours).arg(story()), 0);
    fs::write(&plain, "").expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&ours), mode(&plain));
    let nowhere = folder.path().join("none/out.json");
    let run = eopwatch().args(["summary", "-o"]).arg(&nowhere).arg(story()).output().expect("run");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(3));
    assert!(said.ends_with("none/out.json: there is no such folder (make it first)\n"), "{said}");
}

#[test]
fn a_file_is_written_whole_and_hostile_text_is_harmless() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("summary.json");
    output(eopwatch().args(["summary", "--format", "json", "-o"]).arg(&file).arg(postfix()), 0);
    let value: Value = serde_json::from_slice(&fs::read(&file).expect("written")).expect("JSON");
    assert_eq!(value["totals"]["attempts"], 1748);
    for arguments in [&["summary"][..], &["events"][..], &["events", "--format", "csv"][..], &["onsets"][..]]
    {
        let out = output(eopwatch().args(arguments).arg(postfix()), 0);
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        let control = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "{arguments:?} prints a control character");
    }
}

#[test]
fn events_have_every_field_in_the_order_of_the_contract() {
    let fields = "time mta file offset host queue_id source_ip source_name source_evidence sender_domain \
                  recipient_domain relay_host relay_ip platform outcome smtp_code enhanced_code reply reply_id class \
                  is_block datacenter_host site forest region";
    let out = output(eopwatch().args(["events", "--format", "csv"]).arg(postfix()), 0);
    let csv = String::from_utf8(out.stdout).expect("UTF-8");
    assert_eq!(csv.lines().next(), Some(fields.split_whitespace().collect::<Vec<_>>().join(",").as_str()));
    let out = output(eopwatch().arg("events").arg(postfix()), 0);
    let line = String::from_utf8(out.stdout).expect("UTF-8").lines().next().expect("an event").to_owned();
    let mut at = 0;
    for field in fields.split_whitespace() {
        at += line[at..].find(&format!("\"{field}\":")).unwrap_or_else(|| panic!("{field} in {line}"));
    }
    // The offset is where the line begins in the decompressed stream.
    let event: Value = serde_json::from_str(&line).expect("JSON");
    let content = text(&postfix());
    let found = &content[event["offset"].as_u64().expect("an offset") as usize..];
    assert!(found.starts_with("Nov 24 ") && found.lines().next().expect("a line").contains("status="));
}

#[test]
fn a_pipe_is_read_once_and_events_still_know_what_the_whole_input_teaches() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let bytes = fs::read(postfix()).expect("a sample");
    for command in ["summary", "events"] {
        let (target, bytes) = (pipe.clone(), bytes.clone());
        let writer = std::thread::spawn(move || fs::write(target, bytes));
        let out = output(eopwatch().arg(command).arg(&pipe), 0);
        writer.join().expect("joined").expect("all was read");
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        match command {
            "summary" => assert!(text.contains("1 748 attempts to Microsoft"), "{text}"),
            _ => {
                assert_eq!(text.lines().count(), 1748);
                assert!(text.contains(r#""source_evidence":"learned""#));
            }
        }
    }
}

#[test]
fn own_replies_come_first_in_events_summary_and_explain() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let line = "2026-05-12T08:15:09Z mta1 postfix-out2/smtp[1]: 4bWx6n0Kz4z9sQL: to=<m@msn.com>, \
        relay=msn-com.olc.protection.outlook.com[52.101.21.1]:25, delay=1, delays=0/0/0/1, dsn=5.7.999, status=bounced \
        (host msn-com.olc.protection.outlook.com[52.101.21.1] said: 550 5.7.999 The moon is full (in reply to MAIL FROM \
        command))\n";
    let log = path("mail.log", line);
    let own = "[[reply]]\nid = \"moon\"\nsmtp_code = 550\nenhanced_code = \"5.7.999\"\ntexts = [\"the moon is full\"]\n\
        class = \"ip-block\"\nfix = \"Wait.\"\nlinks = [\"https://example.com/moon\"]\n\
        example = \"550 5.7.999 The moon is full\"\n";
    let rules = path("rules.toml", own);
    let config = path("config.toml", &format!("[detect]\n\n{own}"));
    assert_eq!(common::events(&[], std::slice::from_ref(&log))[0]["reply_id"], "unknown-5.7.999");
    for (flag, file) in [("--rules", &rules), ("--config", &config)] {
        let file = file.to_str().expect("a path");
        let found = common::events(&[flag, file], std::slice::from_ref(&log));
        assert_eq!((&found[0]["reply_id"], &found[0]["is_block"]), (&"moon".into(), &true.into()), "{flag}");
        let value = common::summary(&[flag, file], std::slice::from_ref(&log));
        assert_eq!((&value["replies"][0]["fix"], &value["totals"]["blocked"]), (&"Wait.".into(), &1.into()));
        let mut command = eopwatch();
        command.args(["explain", "--format", "json", flag, file, "550 5.7.999 the moon is FULL"]);
        let value: serde_json::Value = serde_json::from_slice(&output(&mut command, 0).stdout).expect("JSON");
        assert_eq!(value["matches"][0]["reply_id"], "moon");
        assert_eq!(value["matches"][0]["evidence"], "your own rule");
        assert_eq!(value["matches"][0]["links"][0], "https://example.com/moon");
    }
    let said = output(eopwatch().args(["explain", "--check"]).arg(&rules), 0);
    assert_eq!(String::from_utf8_lossy(&said.stdout), "ok       moon: its example is this reply\n");
    let wrong = path("wrong.toml", &own.replace("example = \"550 5.7.999 The", "example = \"550 5.7.1 A"));
    let said = output(eopwatch().args(["explain", "--check"]).arg(&wrong), 1);
    assert!(String::from_utf8_lossy(&said.stdout).contains("WRONG    moon: its example is taken for "));
    let broken = path("broken.toml", &own.replace("ip-block", "ipblock"));
    output(eopwatch().args(["summary", "--rules"]).args([&broken, &log]), 2);
    output(eopwatch().args(["explain", "--check"]).arg(&broken), 2);
}

#[test]
fn a_filter_word_that_does_not_exist_is_an_error_not_an_empty_result() {
    let sample = common::data("real-logs/postfix/mail.log.gz");
    for (option, word) in [("--class", "ipblock"), ("--outcome", "rejected"), ("--platform", "!outlook")] {
        let said = output(eopwatch().args(["summary", option, word]).arg(&sample), 2);
        assert!(String::from_utf8_lossy(&said.stderr).contains("no such word (one of "), "{option}");
    }
    for (option, word) in [("--class", "ip-*"), ("--outcome", "!DELIVERED"), ("--platform", "gov")] {
        output(eopwatch().args(["summary", option, word]).arg(&sample), 0);
    }
}

#[test]
fn onsets_as_a_table_and_one_of_them_number_by_number() {
    let out = output(eopwatch().args(["onsets", "--format", "csv"]).arg(story()), 0);
    let csv = String::from_utf8(out.stdout).expect("UTF-8");
    let header: Vec<&str> = csv.lines().next().expect("a header").split(',').collect();
    let out = output(eopwatch().args(["onsets", "--format", "ndjson"]).arg(story()), 0);
    let line = String::from_utf8(out.stdout).expect("UTF-8").lines().next().expect("a change").to_owned();
    let fields: Value = serde_json::from_str(&line).expect("JSON");
    // A line says what happened and when, and has all fields of the object.
    assert_eq!(fields.as_object().expect("an object").len(), header.len() + 2);
    let mut at = 0;
    for field in &header {
        at +=
            line[at..].find(&format!("\"{field}\":")).unwrap_or_else(|| panic!("{field} comes in its order"));
    }
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.contains(r#","[""consumer""]","#), "what has parts is JSON in its cell: {csv}");

    let explained = |which: &str| {
        let mut command = eopwatch();
        command.args(["onsets", "--explain-onset", which]).arg(story());
        String::from_utf8(output(&mut command, 0).stdout).expect("UTF-8")
    };
    let first = explained("1");
    let id = csv.lines().nth(1).and_then(|line| line.split(',').next()).expect("an id");
    assert!(first.starts_with(&format!("Event {id} of source 203.0.113.25\n")), "{first}");
    assert!(first.contains("ln A = ") && first.contains(": cleared 2026-"), "{first}");
    assert_eq!(explained(id), first);
    let out = output(eopwatch().args(["onsets", "--explain-onset", "4"]).arg(story()), 2);
    assert!(String::from_utf8_lossy(&out.stderr).contains("there are 1 to 3"));
    // The list for people has the numbers.
    for command in ["onsets", "summary"] {
        let out = output(eopwatch().arg(command).arg(story()), 0);
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        for (number, row) in (1..).zip(csv.lines().skip(1)) {
            let source = row.split(',').find(|cell| cell.starts_with("203.0.113.")).expect("a source");
            let listed = |line: &str| line.starts_with(&format!(" {number}  ")) && line.contains(source);
            assert!(text.lines().any(listed), "{number} {source} in {text}");
        }
    }
}

#[test]
fn the_knobs_of_the_detection() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("config.toml");
    let run = |text: &str, code: i32| {
        std::fs::write(&config, text).expect("written");
        let mut command = eopwatch();
        command.args(["onsets", "--format", "csv", "--config"]).arg(&config).arg(story());
        output(&mut command, code)
    };
    let cleared = |out: &std::process::Output| {
        String::from_utf8_lossy(&out.stdout).lines().filter(|l| l.contains(",cleared,")).count()
    };
    let usual =
        run("[detect]\nfalse_alarms_a_day = 0.01\nsmallest_share = 0.08\nclear_after_minutes = 10\n", 0);
    assert_eq!(usual.stdout, run("", 0).stdout, "these are the defaults");
    let patient = run("[detect]\nclear_after_minutes = 1440\n", 0);
    assert!(cleared(&patient) < cleared(&usual), "not all were accepted for a day");
    for (knob, bounds) in [
        ("false_alarms_a_day = 0.0", "false_alarms_a_day = 0: must be from 0.0001 to 1 "),
        ("smallest_share = 1.5", "smallest_share = 1.5: must be from 0.08 to 0.9 "),
        ("clear_after_minutes = 0.5", "clear_after_minutes = 0.5: must be from 1 to 1440 "),
        ("clear_after_minutes = nan", "clear_after_minutes = NaN: must be from 1 to 1440 "),
    ] {
        let out = run(&format!("[detect]\n{knob}\n"), 2);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(err.contains("config.toml: [detect] ") && err.contains(bounds), "{err}");
    }
}

/// A message to Outlook.com every minute for a day, from two senders in turn; those of `shop.example` are refused for their
/// authentication for two hours.
fn failing_authentication() -> String {
    let line = |minute: usize| {
        let (h, m) = (minute / 60, minute % 60);
        let is_shop = minute.is_multiple_of(2);
        let sender = if is_shop { "shop.example" } else { "news.example" };
        let result = if is_shop && (600..720).contains(&minute) {
            "dsn=5.7.515, status=bounced (host hotmail-com.olc.protection.outlook.com[52.101.21.2] said: 550 5.7.515 Access \
             denied, sending domain SHOP.EXAMPLE doesn't meet the required authentication level. The sender's domain in the \
             5322.From address doesn't meet the authentication requirements defined for the sender. To learn how to fix this \
             see: https://go.microsoft.com/fwlink/p/?linkid=2319303 Spf= Fail , Dkim= Fail , DMARC= Fail \
             [CO1PEPF000044FB.namprd10.prod.outlook.com 2026-05-12T06:13:19.771Z 08DEA1B20C3D5001] (in reply to end of DATA \
             command))"
        } else {
            "dsn=2.6.0, status=sent (250 2.6.0 Queued mail for delivery)"
        };
        format!(
            "2026-05-12T{h:02}:{m:02}:00+00:00 mta1 postfix/qmgr[8]: 4c{minute:06}: from=<a@{sender}>, size=1, nrcpt=1 \
             (queue active)\n2026-05-12T{h:02}:{m:02}:01+00:00 mta1 postfix/smtp[9]: 4c{minute:06}: to=<a@hotmail.com>, \
             relay=hotmail-com.olc.protection.outlook.com[52.101.21.2]:25, delay=1, delays=0/0/1/0, {result}\n"
        )
    };
    (0..1440).map(line).collect()
}

#[test]
fn failing_authentication_is_the_senders_and_ends_when_its_mail_goes_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let log = failing_authentication();
    fs::write(&path, &log).expect("written");
    let onsets = |stdout: &[u8]| -> Value {
        let mut found: Value = serde_json::from_slice(stdout).expect("JSON");
        for onset in found["onsets"].as_array_mut().expect("a list") {
            onset.as_object_mut().expect("an object").remove("first_line");
        }
        found["onsets"].take()
    };
    let whole = onsets(&output(eopwatch().args(["onsets", "--format", "json"]).arg(&path), 0).stdout);
    assert_eq!(whole.as_array().expect("a list").len(), 1, "{whole:#}");
    let onset = &whole[0];
    assert_eq!((&onset["family"], &onset["sender_domain"]), (&json!("auth"), &json!("shop.example")));
    assert_eq!(onset["start"], "2026-05-12T10:00:01Z");
    assert_eq!((&onset["status"], &onset["end"]), (&json!("cleared"), &json!("2026-05-12T11:58:01Z")));
    assert_eq!(onset["during"]["refused"], 60);
    // A pipe cannot be read again.
    assert_eq!(onsets(&piped(&["onsets", "--format", "json", "-"], log.as_bytes())), whole);
    // The sender's line may be in the file before.
    let (mut lines, mut senders) = (String::new(), String::new());
    for line in log.split_inclusive('\n') {
        if line.contains("qmgr") { senders.push_str(line) } else { lines.push_str(line) }
    }
    let parts = [folder.path().join("mail.log.1"), folder.path().join("mail.log.2")];
    fs::write(&parts[0], lines).expect("written");
    fs::write(&parts[1], senders).expect("written");
    let split = onsets(&output(eopwatch().args(["onsets", "--format", "json"]).args(&parts), 0).stdout);
    assert_eq!(split, whole);
}
