//! `explain` from outside: what it prints in each format, the commands, the guides, rules for what is not known.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{data, eopwatch, output};
use serde_json::Value;

const BLOCK: &str = "550 5.7.1 Unfortunately, messages from [203.0.113.9] weren't sent. Please contact your Internet service \
    provider since part of their network is on our block list (S3140). You can also refer your provider to \
    http://mail.live.com/mail/troubleshooting.aspx#errors. [AM6EUR05FT041.eop-eur05.prod.protection.outlook.com]";

fn postfix(service: &str, reply: &str) -> String {
    format!(
        "May 12 08:15:09 mta1 {service}[3040]: 4bWx6n0Kz4z9sQL: to=<m@hotmail.com>, \
        relay=hotmail-com.olc.protection.outlook.com[198.51.100.16]:25, delay=0.77, delays=0.05/0.01/0.5/0.21, dsn=5.7.1, \
        status=bounced (host hotmail-com.olc.protection.outlook.com[198.51.100.16] said: {reply} (in reply to MAIL FROM command))"
    )
}

/// Stdout of `explain`, which must have ended with this status.
fn explain(arguments: &[&str], status: i32) -> String {
    let out = output(eopwatch().arg("explain").args(arguments), status);
    String::from_utf8(out.stdout).expect("UTF-8")
}

fn flat(page: &str) -> String {
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The `reply_id` of the likeliest match.
fn id(input: &str) -> String {
    let mut command: Command = eopwatch();
    let mut child = command
        .args(["explain", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it is read");
    let out = child.wait_with_output().expect("it ends");
    let value: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    value["matches"][0]["reply_id"].as_str().unwrap_or("nothing").to_owned()
}

#[test]
fn markdown_has_titles_and_lists_and_the_input_is_code() {
    let page = explain(&["--format", "markdown", BLOCK], 0);
    assert!(page.starts_with("` 550 5.7.1 Unfortunately, messages from [203.0.113.9]"), "{page}");
    for part in [
        "\n## block-list-s3140 · ip-block · BLOCK\n",
        "\n**Sending IP:** 203.0.113.9, as Microsoft sees it",
        "\n**Answered by:** ` AM6EUR05FT041.eop-eur05.prod.protection.outlook.com `, forest eur05",
        "\n### Steps\n\n1. ",
        "\n### Have ready\n\n- Outlook.com sender support form: the blocked IPs exactly as Microsoft quotes them",
        "\n### Where\n\n- Outlook.com sender support form (last checked 20",
        "  <https://olcsupport.office.com/>",
        "\n### Not to do\n\n- Do not keep retrying",
    ] {
        assert!(page.contains(part), "'{part}' is missing in\n{page}");
    }
    for hostile in [
        "550 5.7.1 `</code>`` <script>x</script> [a](https://evil.example) ![](x) www.evil.example\n# title\n- item",
        "nothing known <b>*x*</b> ```\n```sh\nrm -rf /\n``` https://evil.example a@evil.example",
    ] {
        let status = i32::from(hostile.starts_with("nothing"));
        let page = explain(&["--format", "markdown", "--", hostile], status);
        // One code span on one line holds all of it.
        let lines: Vec<&str> = page.lines().filter(|l| l.contains("evil.example")).collect();
        assert_eq!(lines.len(), 1, "{page}");
        let code = lines[0].trim_start_matches("Nothing in the catalogue fits: ");
        let fence: String = code.chars().take_while(|c| *c == '`').collect();
        assert!(!fence.is_empty() && code.ends_with(&fence), "{page}");
        assert!(!code[fence.len()..code.len() - fence.len()].contains(&fence), "{page}");
        assert!(!page.contains("\n# title") && !page.contains("\n- item"), "{page}");
    }
}

#[test]
fn markdown_of_everything_has_no_markup_of_the_data() {
    let list = explain(&["--list", "--format", "markdown"], 0);
    assert!(list.lines().count() > 170);
    for line in list.lines().skip(2) {
        assert!(line.starts_with("- "), "{line}");
        let bare = line.replace("\\<", "").replace("\\[", "").replace("\\*", "");
        assert!(!bare.contains(['<', '[', '*']), "{line}");
    }
}

#[test]
fn the_commands_of_the_mta_that_wrote_the_line_are_filled_in() {
    let line = postfix("postfix-out1/smtp", BLOCK);
    // What was given up is in no queue any more.
    assert!(explain(&[&line], 0).contains("postsuper -h QUEUE-ID\n"));
    let page = explain(&[&line.replace("status=bounced", "status=deferred")], 0);
    for part in [
        "postfix · to hold, slow down and release it; eopwatch runs none of it",
        "postsuper -h 4bWx6n0Kz4z9sQL\n",
        "postsuper -H 4bWx6n0Kz4z9sQL && postqueue -i 4bWx6n0Kz4z9sQL\n",
        "hotmail.com HOLD\n",
        "postconf -e TRANSPORT_destination_rate_delay=10s",
    ] {
        assert!(page.contains(part), "'{part}' is missing in\n{page}");
    }
    let exim = format!(
        "2026-05-12 08:32:03 1uEAbF-0000000BxZ2-4Def ** e@live.com F=<n@example.com> R=dnslookup T=remote_smtp \
        H=live-com.olc.protection.outlook.com [198.51.100.13] I=[10.0.0.5]:40000 X=TLS1.3 CV=yes : SMTP error from remote \
        mail server after MAIL FROM:<n@example.com> SIZE=18010: {BLOCK}"
    );
    let page = explain(&[&exim], 0);
    assert!(page.contains("exim -Mf QUEUE-ID\n"), "{page}");
    assert!(page.contains("exiqgrep -x -i -r '@live.com$' | xargs -r exim -Mf\n"), "{page}");
    // The log's address and the one that Microsoft saw differ: the request must name the latter.
    let words = flat(&page);
    assert!(
        words.contains("OTHER IP The log says that it was sent from 10.0.0.5, Microsoft saw 203.0.113.9"),
        "{page}"
    );
    assert!(words.contains("ask it for 203.0.113.9"), "{page}");
    let accounting =
        std::fs::read_to_string(data("../src/record/powermta/documented.csv")).expect("a sample");
    let lines: Vec<&str> = accounting.lines().collect();
    let refused =
        lines.iter().find(|line| line.starts_with("b,") && line.contains("S3150")).expect("a block");
    let page = explain(&["--", &format!("{}\n{refused}", lines[0])], 0);
    assert!(page.contains("pmta pause queue ") && !page.contains("SOURCE\n"), "{page}");
    // In Markdown they are code.
    let page = explain(&["--format", "markdown", &exim], 0);
    assert!(page.contains("\n  ```sh\n  exim -Mf QUEUE-ID\n  ```\n"), "{page}");
}

#[test]
fn commands_are_printed_for_a_named_mta_and_where_they_help() {
    let page = explain(&["--mta", "powermta", "S3140"], 0);
    assert!(page.contains("pmta set queue --mode=backoff DOMAIN/SOURCE\n"), "{page}");
    let page = explain(&["--mta", "kumomta", BLOCK], 0);
    assert!(page.contains("kcli suspend --domain DOMAIN --duration 6h"), "{page}");
    // An unknown recipient is no reason to hold anything.
    let page =
        explain(&[&postfix("postfix/smtp", "550 5.5.0 Requested action not taken: mailbox unavailable")], 0);
    assert!(!page.contains("postsuper"), "{page}");
    // A reply without a log line tells no MTA.
    assert!(!explain(&[BLOCK], 0).contains("runs none of it"));
    let out = output(eopwatch().args(["explain", "--mta", "nonesuch", "S3140"]), 2);
    assert!(String::from_utf8_lossy(&out.stderr).contains("known: postfix"));
}

#[test]
fn a_hostile_line_puts_nothing_into_a_command() {
    for queue_id in ["$(reboot)", "`reboot`", "x;reboot", "-Mrm", "x'y"] {
        let line = postfix("postfix/smtp", BLOCK)
            .replace("4bWx6n0Kz4z9sQL", queue_id)
            .replace("status=bounced", "status=deferred");
        let page = explain(&["--mta", "postfix", &line], 0);
        let commands: Vec<&str> = page.lines().filter(|l| l.contains("postsuper -")).collect();
        assert!(!commands.is_empty(), "{page}");
        for command in commands {
            assert!(
                !command.contains("reboot") && !command.contains("-Mrm") && !command.contains("x'y"),
                "{command}"
            );
        }
    }
    let line = postfix("postfix/smtp", BLOCK).replace("m@hotmail.com", "m@hotmail.com$(reboot)");
    let page = explain(&["--mta", "exim", &line], 0);
    assert!(page.contains("-r '@DOMAIN$'"), "{page}");
}

#[test]
fn masked_output_names_no_recipient_and_keeps_commands_and_forms_whole() {
    let reply = "550 5.7.511 Access denied, banned sender[203.0.113.9]. To request removal from this list please forward this \
        message to delist@microsoft.com about jo.doe@customer.example";
    for format in ["text", "markdown", "json"] {
        let line = postfix("postfix/smtp", reply).replace("m@hotmail", "jo.doe@hotmail");
        let page = explain(&["--mask", "--mta", "exim", "--format", format, &line], 0);
        assert!(!page.contains("jo.doe"), "{page}");
        assert!(page.contains("mailto:delist@microsoft.com"), "{page}");
        assert!(format == "json" || page.contains("exiqgrep -x -i -r '@DOMAIN$'"), "{page}");
    }
}

#[test]
fn what_is_pasted_in_other_clothes_is_found() {
    let wanted = "block-list-s3140";
    let soft = BLOCK
        .replace("Please contact", "Please con=\r\ntact")
        .replace("list (S", "list=20(S")
        .replace('\'', "=27");
    assert_eq!(id(&format!("Diagnostic-Code: smtp;{soft}")), wanted);
    assert_eq!(id(&soft.lines().map(|line| format!("> {line}\n")).collect::<String>()), wanted);
    let html = BLOCK.replace('\'', "&#39;").replace("service", "<b>service</b>&nbsp;");
    assert_eq!(id(&format!("<p>Remote Server returned &#39;{html}&#39;<br></p>")), wanted);
    let escaped = format!(
        "Remote Server returned &lt;mx.example.org #5.7.1 smtp;{}&gt;",
        BLOCK.replace('\'', "&amp;#39;")
    );
    assert_eq!(id(&escaped), wanted);
    let quoted: String = BLOCK.split(". ").map(|part| format!(">> {part}.\n")).collect();
    assert_eq!(id(&quoted), wanted);
    let dsn = format!(
        "Reporting-MTA: dns; mta1.example.com\n\nFinal-Recipient: rfc822; m@hotmail.com\nAction: failed\nStatus: 5.7.1\n\
        Remote-MTA: dns; hotmail-com.olc.protection.outlook.com\nDiagnostic-Code: smtp; {}\n",
        BLOCK.replace("since part", "since\n    part")
    );
    assert_eq!(id(&dsn), wanted);
    // Of several lines of a log, the refused one.
    let log = postfix("postfix/smtp", "250 2.1.5 Ok").replace("status=bounced", "status=sent");
    assert_eq!(id(&format!("{log}\n{}\n{log}\n", postfix("postfix/smtp", BLOCK))), wanted);
    let session = std::fs::read_to_string(data("../src/record/exchange/documented.log")).expect("a sample");
    assert_ne!(id(&session), "accepted");
    // The innermost decides.
    assert_eq!(
        id(
            "550 4.4.7 QUEUE.Expired; message expired, last reply =\n'451 4.7.650 The mail server [192.0.2.30] has been =\ntemporarily rate limited due to IP reputation. (S775)'"
        ),
        "ip-rate-limited-650"
    );
    // What looks like an escape in an address is none.
    assert_eq!(
        id(
            "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit \
            https://sender.office.com/ and follow the directions. For more information please go to \
            http://go.microsoft.com/fwlink/?LinkID=526655 [AM5EUR02FT008.eop-EUR02.prod.protection.outlook.com]"
        ),
        "banned-sending-ip"
    );
}

#[test]
fn guides_are_listed_and_printed() {
    let list = explain(&["--guide"], 0);
    assert_eq!(list, explain(&["--guide", "list"], 0));
    for topic in ["snds", "traps", "delisting", "jmrp", "authentication", "ramp", "trade-show-list"] {
        assert!(list.contains(topic), "{topic}");
        let page = explain(&["--guide", topic], 0);
        assert!(page.contains("  Steps        1. ") && page.contains("  Sources      - "), "{page}");
        let page = explain(&["--guide", topic, "--format", "markdown"], 0);
        assert!(page.starts_with("## ") && page.contains("\n### Steps\n\n1. "), "{page}");
        let value: Value =
            serde_json::from_str(&explain(&["--guide", topic, "--format", "json"], 0)).expect("JSON");
        assert_eq!(
            (&value["schema"], &value["guides"][0]["id"]),
            (&"eopwatch.guides/1".into(), &topic.into())
        );
    }
    // Three routes and a fourth.
    let page = flat(&explain(&["--guide", "delisting"], 0));
    for part in
        ["sender support form of Outlook.com", "sender.office.com", "delist@microsoft.com", "Spamhaus itself"]
    {
        assert!(page.contains(part), "{page}");
    }
    output(eopwatch().args(["explain", "--guide", "nonesuch"]), 2);
    output(eopwatch().args(["explain"]), 2);
    output(eopwatch().args(["explain", "--guide", "snds", "5.7.1"]), 2);
}

#[test]
fn what_is_not_known_becomes_a_rules_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("mail.log");
    let mut lines = String::new();
    for number in 0..5 {
        lines.push_str(&postfix("postfix-out1/smtp", &format!(
            "550 5.7.999 The moon is full over <jo.doe{number}@customer.example>, messages from [203.0.113.{number}] wait \
            [AM6EUR05FT04{number}.eop-eur05.prod.protection.outlook.com 2026-05-12T06:21:09.630Z 08DEA1B20C3D500{number}]"
        )));
        lines.push('\n');
    }
    lines.push_str(&postfix("postfix-out1/smtp", "550 5.1.99 No such thing here"));
    lines.push('\n');
    lines.push_str(&postfix("postfix-out1/smtp", BLOCK));
    lines.push('\n');
    std::fs::write(&log, lines).expect("written");
    let path = log.to_str().expect("a path");
    let file = explain(&["--unknown", path], 0);
    let many = file.find("The moon is full").expect("the frequent one");
    let few = file.find("No such thing").expect("the rare one");
    assert!(many < few && file.contains("\n# 5 times, from ") && file.contains(", bounced 5\n"), "{file}");
    assert!(file.contains("texts = [\"the moon is full over\"]"), "{file}");
    assert!(!file.contains("S3140"), "{file}");
    for secret in ["jo.doe", "customer", "203.0.113", "m@hotmail"] {
        assert!(!file.contains(secret), "{secret} in\n{file}");
    }
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, &file).expect("written");
    let rules = rules.to_str().expect("a path");
    let checked = explain(&["--check", rules], 0);
    assert_eq!(checked.matches("ok       ").count(), 2, "{checked}");
    // And with them in use nothing is unknown any more.
    let rest = explain(&["--rules", rules, "--unknown", path], 0);
    assert!(!rest.contains("[[reply]]") && rest.starts_with("# 0 replies"), "{rest}");
    output(eopwatch().args(["explain", "--format", "json", "--unknown", path]), 2);
    output(eopwatch().args(["explain", "--unknown", "/nonexistent.log"]), 3);
}

#[test]
fn what_is_not_known_of_the_samples_is_sound_too() {
    let folder = tempfile::tempdir().expect("a folder");
    for sample in ["../sample-logs/story-mail.log.gz", "real-logs/postfix/mail.log.gz"] {
        let file = explain(&["--unknown", data(sample).to_str().expect("a path")], 0);
        let rules = folder.path().join("rules.toml");
        std::fs::write(&rules, &file).expect("written");
        output(eopwatch().args(["explain", "--check"]).arg(&rules), 0);
    }
}
