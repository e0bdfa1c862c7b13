//! Bounce messages against what the remote servers truly answered: `attempts.tsv` and `connections.tsv` beside them were
//! written by the servers.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use common::{data, events, text};
use eopwatch::microsoft;
use eopwatch::record::{self, Answer, Attempt, Clock, Line, Record, Zone};

/// Recipient, code, enhanced code, datacenter host.
type Key = [String; 4];

struct Run {
    folder: &'static str,
    /// Recipients that bounced of which the bounces tell.
    told: usize,
    /// What bounces and servers cannot agree on.
    differs: usize,
    /// Recipients that the MTA's report names and says nothing of.
    malformed: usize,
    /// Recipients that the server refused for good, and of whom no bounce tells.
    untold: usize,
}

const RUNS: [Run; 8] = [
    // A reply was cut at 2000 bytes, before its host tag.
    Run { folder: "postfix", told: 260, differs: 1, malformed: 0, untold: 0 },
    Run { folder: "postfix-postlog", told: 83, differs: 0, malformed: 0, untold: 0 },
    // Replies of thousands of bytes or lines were cut, before their host tag. One report says that the time ran out, and
    // nothing of the refusal before.
    Run { folder: "exim", told: 297, differs: 3, malformed: 0, untold: 1 },
    // A control character cut a reply short.
    Run { folder: "exim-plain", told: 143, differs: 1, malformed: 0, untold: 0 },
    // Two replies were cut by a connection that broke; of one the report has no words, of three the answer to QUIT.
    Run { folder: "sendmail", told: 267, differs: 6, malformed: 0, untold: 0 },
    // A control character cut a reply short.
    Run { folder: "opensmtpd", told: 245, differs: 1, malformed: 0, untold: 0 },
    // Haraka's report gives a recipient the answer to another one of the same message, and leaves `Action` and reply out
    // where the sender was refused.
    Run { folder: "haraka", told: 243, differs: 7, malformed: 35, untold: 35 },
    Run { folder: "haraka-json", told: 71, differs: 1, malformed: 5, untold: 5 },
];

fn rows(path: &str) -> Vec<BTreeMap<String, String>> {
    let text = text(&data(path));
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().expect("a header").split('\t').collect();
    lines
        .map(|line| head.iter().map(|h| (*h).to_owned()).zip(line.split('\t').map(str::to_owned)).collect())
        .collect()
}

fn key(attempt: &Attempt<'_>) -> Key {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (code, enhanced, host) = match attempt.answer {
        Answer::Text(reply) => {
            let codes = microsoft::codes(reply);
            (codes.smtp, codes.enhanced, microsoft::host_tag(reply))
        }
        Answer::Codes { smtp, enhanced } => (smtp, enhanced, None),
        Answer::Nobody => (None, None, None),
    };
    [
        lossy(attempt.recipient.expect("a recipient")),
        code.map_or("-".into(), |code| code.to_string()),
        enhanced.map_or("-".into(), |code| code.to_string()),
        host.map_or("-".into(), lossy),
    ]
}

#[test]
fn bounces_tell_the_refusals_of_the_servers_journal() {
    let mut wrong = Vec::new();
    for run in RUNS {
        let root = format!("real-logs/{}", run.folder);
        let attempts = rows(&format!("{root}/attempts.tsv.gz"));
        let rejected: BTreeSet<String> = attempts
            .iter()
            .filter(|row| row["outcome"] == "bounced" && row["final"] == "yes")
            .map(|row| row["rcpt"].clone())
            .collect();
        let refused: BTreeSet<Key> = attempts
            .iter()
            .filter(|row| row["outcome"] != "delivered")
            .map(|row| ["rcpt", "code", "enhanced", "datacenter_host"].map(|name| row[name].clone()))
            .collect();
        // Refused before a recipient was named.
        let connections: BTreeSet<[String; 2]> = rows(&format!("{root}/connections.tsv.gz"))
            .iter()
            .map(|row| ["code", "enhanced"].map(|name| row[name].clone()))
            .collect();

        let packed = std::fs::read(data(&format!("{root}/bounces.mbox.gz"))).expect("a sample");
        let mut mbox = Vec::new();
        flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut mbox).expect("gzip");
        let format = record::by_name("dsn").expect("a format");
        let mut reader = format.reader(&Clock { zone: Zone::Fixed(0), year: 2000 });
        let mut bounced = 0;
        let mut malformed = 0;
        let mut differ = Vec::new();
        let mut recipients = BTreeSet::new();
        let mut each = |_: u64, record: Record<'_>| match record {
            Record::Retold(attempt) => {
                recipients.insert(key(&attempt)[0].clone());
                bounced += usize::from(attempt.outcome == record::Outcome::Bounced);
                let key = key(&attempt);
                let connection = [key[1].clone(), key[2].clone()];
                if !refused.contains(&key) && !connections.contains(&connection) {
                    differ.push(key);
                }
            }
            Record::Malformed { .. } => malformed += 1,
            _ => {}
        };
        let mut offset = 0;
        for line in mbox.split(|byte| *byte == b'\n') {
            reader.line(Line { bytes: line, offset }, &mut each);
            offset += line.len() as u64 + 1;
        }
        reader.finish(&mut each);
        let untold: Vec<_> = rejected.iter().filter(|recipient| !recipients.contains(*recipient)).collect();
        println!("{}: {bounced} told, {} differ, {malformed} malformed", run.folder, differ.len());
        if differ.len() != run.differs
            || (bounced, malformed, untold.len()) != (run.told, run.malformed, run.untold)
        {
            wrong.push(format!(
                "{}: {bounced} told, {malformed} malformed, {}",
                run.folder,
                differ.iter().map(|key| key.join(" ")).collect::<Vec<_>>().join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_log_and_its_bounces_count_once() {
    for folder in ["postfix", "exim", "exim-plain"] {
        let log = data(&format!(
            "real-logs/{folder}/{}",
            if folder == "postfix" { "mail.log.gz" } else { "exim-mainlog.gz" }
        ));
        let mbox = data(&format!("real-logs/{folder}/bounces.mbox.gz"));
        let alone = events(&["--all"], std::slice::from_ref(&log));
        let both = events(&["--all"], &[log, mbox.clone()]);
        assert!(both == alone, "{folder}");
        assert!(
            events(&[], &[mbox]).iter().all(|event| event["time"].is_string() && event["host"].is_string())
        );
    }
}
