//! A made-up story: a block of one source everywhere, a throttle of another, a cleared one, hostile text.

use eopwatch::aggregate::{
    Bucket, Counts, DatacenterRow, DomainRow, InputRow, Progress, Range, ReplyRow, Series, Snapshot,
    SourceRow, Status, Totals, Trend, Warning,
};
use eopwatch::detect::{
    Backoff, Basis, Family, FirstLine, Onset, OnsetStatus, Reading, Spread, Takeover, Tally,
};
use eopwatch::engine::{Gone, LineList, LogLine, Mark};
use eopwatch::microsoft::{Class, Platform};
use eopwatch::record::Time;
use eopwatch::view::Advice;

/// 2026-05-12T22:00:00Z: midnight at +02:00.
pub(crate) const MIDNIGHT: i64 = 1_778_623_200;

pub(crate) fn at(hour: i64, minute: i64, second: i64) -> Time {
    Time::from_seconds(MIDNIGHT + hour * 3600 + minute * 60 + second)
}

fn counts(delivered: u64, deferred: u64, bounced: u64, blocked: u64, throttled: u64) -> Counts {
    Counts { attempts: delivered + deferred + bounced, delivered, deferred, bounced, blocked, throttled }
}

/// Attempts all day, of which the blocked ones came in the last parts.
fn trend(counts: Counts, parts: usize) -> Trend {
    let mut trend = Trend::default();
    for i in 0..Trend::PARTS {
        let blocked = if i + parts >= Trend::PARTS { counts.blocked / parts as u64 } else { 0 };
        let attempts = (counts.attempts / Trend::PARTS as u64).max(blocked);
        trend.add(i..i + 1, attempts, blocked);
    }
    trend
}

/// What a forest did in the buckets of the day: blocked between these two, then silent for a while.
fn forest(delivered: u64, blocked: std::ops::Range<u64>) -> Vec<(i64, Bucket)> {
    let bucket = |i: u64| {
        let share = if blocked.contains(&i) { (1 + (i - blocked.start) / 6).min(10) } else { 0 };
        let bucket = Bucket {
            delivered: delivered * (10 - share) / 10,
            blocked: delivered * share / 10,
            deferred: if delivered < 30 && i % 40 > 30 { 2 * delivered } else { i % 3 },
            bounced: 0,
        };
        (MIDNIGHT + i as i64 * 300, bucket)
    };
    (0..175).filter(|i| i % 50 != 13).map(bucket).collect()
}

fn source(ip: &str, name: Option<&str>, status: Status, counts: Counts) -> SourceRow {
    SourceRow {
        source_ip: Some(ip.into()),
        source_name: name.map(Into::into),
        host: None,
        status,
        last_attempt: Some(at(14, 31, 58)),
        last_accepted: Some(at(9, 40, 51)),
        counts,
        trend: trend(counts, 4),
    }
}

#[allow(clippy::too_many_arguments)] // a row of a table, in its order
fn reply(
    id: &str,
    code: u16,
    enhanced: &str,
    class: Class,
    count: u64,
    example: &str,
    cause: &str,
    fix: &str,
) -> ReplyRow {
    ReplyRow {
        reply_id: id.into(),
        smtp_code: Some(code),
        enhanced_code: (!enhanced.is_empty()).then(|| enhanced.into()),
        class,
        is_block: class.is_block(),
        count,
        first: Some(at(9, 41, 7)),
        last: Some(at(14, 31, 58)),
        example: Some(example.into()),
        root_cause: (!cause.is_empty()).then(|| cause.into()),
        fix: (!fix.is_empty()).then(|| fix.into()),
        trend: trend(Counts { attempts: count, blocked: count, ..Counts::default() }, 3),
    }
}

/// Escapes, wide characters, a heap of combining marks, bidi overrides.
pub(crate) const HOSTILE: &str = "\u{1b}[31m\u{1b}]0;owned\u{7}漢字テスト e\u{301}\u{301}\u{301}\u{301}\u{301}\u{202e}gnp.exe\u{2066}\u{200d}👩\u{200d}👩🏽\u{9b}2J";

fn onset(id: &str, family: Family, ip: &str, reply: (&str, u16, &str), class: Class) -> Onset {
    Onset {
        id: id.into(),
        was: None,
        status: OnsetStatus::Active,
        untried_since: None,
        decided_at: at(9, 41, 12),
        cleared_at: None,
        family,
        class,
        reply_id: reply.0.into(),
        smtp_code: Some(reply.1),
        enhanced_code: Some(reply.2.into()),
        source_ip: Some(ip.into()),
        source_name: None,
        host: None,
        range: None,
        platform: Some(vec!["consumer".into()]),
        datacenters: None,
        spread: vec![],
        domain: None,
        sender_domain: None,
        start: at(9, 41, 7),
        first_refused: at(9, 41, 7),
        end: None,
        last_attempt: Some(at(14, 31, 58)),
        last_accepted: Some(at(9, 40, 51)),
        basis: Basis::Rate,
        confidence: 0.9999,
        before: Tally { attempts: 31_224, refused: 2 },
        during: Tally { attempts: 1_243, refused: 1_243 },
        lost: 1_243,
        deferred: 0,
        first_line: Some(FirstLine { file: "/var/log/mail.log".into(), offset: 1_234_567 }),
        reading: Reading { verdict: "", reasons: vec![] },
        backoff: None,
        takeover: None,
    }
}

fn spread(forest: &str, start: Time, accepted: Option<Time>) -> Spread {
    Spread { forest: forest.into(), start, last_refused: at(14, 31, 58), first_accepted: accepted }
}

pub(crate) fn full() -> Snapshot {
    let s3140 = ("block-list-s3140", 550, "5.7.1");
    let mut block = onset("a1", Family::Block, "192.0.2.25", s3140, Class::IpBlock);
    block.spread = vec![
        spread("nam10", at(9, 41, 7), None),
        spread("eur01", at(10, 12, 40), Some(at(14, 2, 0))),
        spread("apc01", at(11, 55, 3), None),
    ];
    block.reading = Reading {
        verdict: "yours",
        reasons: vec![
            "1 of 3 sources has an event within 15 minutes; the others are unmoved".into(),
            "other providers took 99.2 % of the same mail in these hours".into(),
        ],
    };
    block.takeover = Some(Takeover { source_ip: Some("192.0.2.31".into()), source_name: None, factor: 2.4 });

    let mut throttle =
        onset("b2", Family::Throttle, "192.0.2.31", ("throttled-650", 451, "4.7.650"), Class::IpRate);
    throttle.platform = Some(vec!["m365".into()]);
    throttle.datacenters = Some(vec!["eur01".into(), "eur02".into()]);
    (throttle.start, throttle.first_refused) = (at(13, 2, 40), at(13, 2, 40));
    throttle.decided_at = at(13, 9, 0);
    throttle.during = Tally { attempts: 1_090, refused: 412 };
    (throttle.lost, throttle.deferred, throttle.confidence) = (0, 87, 0.981);
    throttle.backoff = Some(Backoff {
        per_minute_before: Some(12.0),
        per_minute_after: Some(31.5),
        retries: Some(325),
        accepted_per_minute: Some(7.5),
    });

    let mut cleared =
        onset("c3", Family::Block, "192.0.2.40", ("banned-sending-ip", 550, "5.7.606"), Class::IpBlock);
    cleared.status = OnsetStatus::Cleared;
    cleared.datacenters = Some(vec!["nam10".into()]);
    (cleared.start, cleared.first_refused) = (at(2, 10, 0), at(2, 10, 0));
    (cleared.end, cleared.cleared_at) = (Some(at(6, 55, 20)), Some(at(7, 10, 0)));
    cleared.decided_at = at(2, 11, 30);
    cleared.basis = Basis::Stated;
    cleared.confidence = 0.95;
    cleared.during = Tally { attempts: 320, refused: 318 };
    cleared.lost = 318;

    let mut hostile =
        onset("d4", Family::Auth, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", s3140, Class::AuthDmarc);
    hostile.sender_domain = Some(HOSTILE.into());
    hostile.reply_id = "unknown-5.7.999".into();
    hostile.enhanced_code = Some("5.7.999".into());
    hostile.untried_since = Some(at(13, 30, 0));
    hostile.start = at(12, 0, 0);
    hostile.during = Tally { attempts: 7, refused: 6 };
    (hostile.lost, hostile.deferred) = (6, 1);

    let buckets = (0..175)
        .map(|i: u64| {
            let wave = 120 + (i * 37 % 60) + if (90..160).contains(&i) { 160 } else { 0 };
            let blocked = match i {
                26..83 => 6 + i % 7,
                116.. => 18 + (i * 13 % 11) * 2,
                _ => 0,
            };
            let deferred = if i > 156 { 40 + i % 17 } else { i % 3 };
            Bucket { delivered: wave, deferred, blocked, bounced: i % 4 }
        })
        .collect();

    Snapshot {
        schema: "eopwatch.summary/1",
        changes: Vec::new(),
        inputs: vec![
            InputRow {
                path: "/var/log/mail.log".into(),
                mta: Some("postfix".into()),
                bytes: 1_400_000_000,
                lines: 8_123_456,
                attempts: 31_224,
                malformed: 12,
                first: Some(at(0, 0, 3)),
                last: Some(at(14, 32, 1)),
                ..InputRow::default()
            },
            InputRow {
                path: "/var/log/mail.log.1.gz".into(),
                mta: Some("postfix".into()),
                compression: Some("gzip".into()),
                bytes: 1_800_000_000,
                lines: 9_000_000,
                attempts: 16_888,
                first: Some(at(0, 0, 0)),
                last: Some(at(9, 0, 0)),
                ..InputRow::default()
            },
            InputRow { path: format!("/var/log/odd-{HOSTILE}.log"), bytes: 2048, ..InputRow::default() },
        ],
        range: Range { first: Some(at(0, 0, 0)), last: Some(at(14, 32, 1)) },
        totals: Totals {
            counts: counts(45_100, 1_412, 1_600, 1_561, 412),
            lines: 17_123_456,
            malformed: 12,
            held_back: 320,
            other_attempts: 98_000,
        },
        sources: vec![
            source("192.0.2.25", Some("postfix-out1"), Status::Blocked, counts(29_981, 0, 1_243, 1_243, 0)),
            source("192.0.2.40", None, Status::Clear, counts(2_000, 0, 320, 318, 0)),
            source("192.0.2.31", Some("out2"), Status::Throttled, counts(8_600, 412, 20, 0, 412)),
            source("198.51.100.7", None, Status::Clear, counts(4_517, 1_000, 15, 0, 0)),
            SourceRow {
                source_ip: None,
                source_name: Some(HOSTILE.into()),
                host: Some("mx-old".into()),
                status: Status::Clear,
                last_attempt: None,
                last_accepted: None,
                counts: counts(2, 0, 2, 1, 0),
                trend: Trend::default(),
            },
        ],
        domains: [
            ("outlook.com", Platform::Consumer, counts(14_020, 12, 820, 811, 0)),
            ("hotmail.com", Platform::Consumer, counts(9_700, 4, 540, 530, 0)),
            ("contoso.example", Platform::M365, counts(8_310, 390, 31, 0, 380)),
            ("live.com", Platform::Consumer, counts(3_000, 0, 150, 145, 0)),
            ("fabrikam.example", Platform::M365, counts(2, 1, 3, 3, 0)),
            (
                "a-very-long-domain-name-that-does-not-fit.department.university.example",
                Platform::M365,
                counts(9, 0, 0, 0, 0),
            ),
        ]
        .into_iter()
        .map(|(domain, platform, counts)| DomainRow {
            domain: Some(domain.into()),
            platform,
            counts,
            trend: trend(counts, 6),
        })
        .chain([DomainRow {
            domain: None,
            platform: Platform::Unknown,
            counts: counts(10, 0, 0, 0, 0),
            trend: Trend::default(),
        }])
        .collect(),
        datacenters: [
            (Some("nam10"), Some("NAM"), &["BL2", "COL0", "DM6"][..], counts(12_000, 3, 900, 890, 2)),
            (Some("eur01"), Some("EUR"), &["VE1", "DB5"], counts(9_000, 300, 420, 400, 300)),
            (Some("apc01"), Some("APC"), &["SG2"], counts(1_200, 1, 280, 271, 0)),
            (None, None, &[], counts(22_900, 1_108, 0, 0, 110)),
        ]
        .into_iter()
        .map(|(forest, region, sites, counts)| DatacenterRow {
            forest: forest.map(Into::into),
            region: region.map(Into::into),
            sites: sites.iter().map(|s| (*s).to_string()).collect(),
            counts,
            learned: 10,
            trend: trend(counts, 5),
            buckets: match forest {
                Some("nam10") => self::forest(70, 116..175),
                Some("eur01") => self::forest(51, 122..168),
                Some("apc01") => self::forest(9, 143..175),
                _ => self::forest(130, 0..0),
            },
        })
        .collect(),
        replies: vec![
            reply(
                "block-list-s3140",
                550,
                "5.7.1",
                Class::IpBlock,
                1_243,
                "550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [VE1EUR03FT055.eop-EUR03.prod.protection.outlook.com]",
                "The sending IP, or the network around it, is on the Outlook.com block list.",
                "Stop the list that caused it, register the IP in SNDS, then file a delist request.",
            ),
            reply(
                "throttled-650",
                451,
                "4.7.650",
                Class::IpRate,
                412,
                "451 4.7.650 The mail server [192.0.2.31] has been temporarily rate limited due to IP reputation.",
                "Rate limiting by IP reputation: not a block.",
                "Reduce the rate and retry with growing pauses.",
            ),
            reply(
                "banned-sending-ip",
                550,
                "5.7.606",
                Class::IpBlock,
                318,
                "550 5.7.606 Access denied, banned sending IP [192.0.2.40].",
                "The IP is on the Microsoft 365 blocked senders list.",
                "Delist the IP at https://sender.office.com.",
            ),
            reply(
                "unknown-user",
                550,
                "5.5.0",
                Class::Recipient,
                35,
                "550 5.5.0 Requested action not taken: mailbox unavailable",
                "The mailbox does not exist.",
                "Suppress the address.",
            ),
            reply("unknown-5.7.999", 550, "5.7.999", Class::Unknown, 4, HOSTILE, "", ""),
            ReplyRow {
                example: Some("x".repeat(1_000_000)),
                ..reply("unknown-554", 554, "", Class::Unknown, 1, "", "", "")
            },
        ],
        onsets: vec![cleared, block, hostile, throttle],
        series: Series { start: MIDNIGHT, width_s: 300, buckets },
        warnings: vec![
            Warning {
                path: Some("/var/log/mail.log.2.gz".into()),
                text: "permission denied (read it as root, or as a member of the group adm)".into(),
                is_error: true,
            },
            Warning {
                path: Some("/var/log/mail.log".into()),
                text: format!(
                    "12 lines are shaped like deliveries and were not counted: no status=; the first: {HOSTILE}"
                ),
                is_error: false,
            },
        ],
        progress: Progress {
            total_bytes: 3_200_002_048,
            done_bytes: 3_200_002_048,
            elapsed_s: 1.7,
            complete: true,
            ..Progress::default()
        },
        version: 7,
    }
}

/// Every text that comes from a log is this one, and the first example is long.
pub(crate) fn told(text: &str) -> Snapshot {
    let some = || Some(text.to_owned());
    let mut snapshot = full();
    for (i, row) in snapshot.sources.iter_mut().enumerate() {
        (row.source_name, row.host) = (some(), some());
        // An address on the screen may be as long as this, and is never hostile.
        row.source_ip = row.source_ip.take().filter(|_| i == 0);
    }
    for row in &mut snapshot.domains {
        row.domain = some();
    }
    for row in &mut snapshot.datacenters {
        (row.forest, row.region, row.sites) = (some(), some(), vec![text.to_owned()]);
    }
    for row in &mut snapshot.replies {
        row.reply_id = text.to_owned();
        row.example = some();
        (row.enhanced_code, row.root_cause, row.fix) = (some(), some(), some());
    }
    snapshot.replies[0].example = Some(text.repeat(1_000_000 / text.len()));
    for onset in &mut snapshot.onsets {
        (onset.source_ip, onset.source_name, onset.host) = (None, some(), some());
        (onset.reply_id, onset.enhanced_code) = (text.to_owned(), some());
        (onset.domain, onset.sender_domain, onset.range) = (some(), some(), some());
        onset.datacenters = Some(vec![text.to_owned(); 5]);
        onset.reading.reasons = vec![text.to_owned()];
        for spread in &mut onset.spread {
            spread.forest = text.to_owned();
        }
    }
    for input in &mut snapshot.inputs {
        input.path = text.to_owned();
        input.mta = some();
    }
    for warning in &mut snapshot.warnings {
        (warning.path, warning.text) = (some(), text.to_owned());
    }
    snapshot
}

/// So many lines, a second apart, every third a success; none of them is at hand.
pub(crate) fn many_lines(count: i64) -> LineList {
    let lines = (0..count).map(|i| LogLine { offset: i as u64, ..line(i, b"x".to_vec(), i % 3 != 2) });
    let mut list = LineList::of(lines.collect());
    list.show([]);
    list
}

/// The line in a row, with this text.
pub(crate) fn read(list: &LineList, row: usize, text: &str) -> (Mark, Result<LogLine, Gone>) {
    let mark = list.index.get(row).expect("a row");
    let line = line(row as i64, text.as_bytes().to_vec(), mark.is_refusal());
    (mark, Ok(LogLine { time: mark.time(), ..line }))
}

/// Lines of this text alone.
pub(crate) fn lines_of(text: &str) -> LineList {
    let mut lines = log_lines();
    for line in &mut lines {
        (line.source, line.domain, line.datacenter) =
            (Some(text.to_owned()), Some(text.to_owned()), Some(text.to_owned()));
        line.reply_id = text.to_owned();
        line.path = text.into();
        line.text = text.repeat(3).into_bytes().into();
    }
    lines[3].text = text.repeat(1_000_000 / text.len()).into_bytes().into();
    for line in &mut lines {
        line.size = line.text.len() as u64;
    }
    LineList::of(lines)
}

/// While the scan runs.
pub(crate) fn scanning() -> Snapshot {
    Snapshot {
        progress: Progress {
            total_bytes: 5_160_000_000,
            done_bytes: 3_200_002_048,
            elapsed_s: 1.7,
            complete: false,
            ..Progress::default()
        },
        ..full()
    }
}

/// Nothing is refused.
pub(crate) fn healthy() -> Snapshot {
    let mut snapshot = full();
    snapshot.onsets.clear();
    snapshot.replies.clear();
    snapshot.warnings.clear();
    snapshot.totals.counts = counts(48_100, 12, 0, 0, 0);
    for bucket in &mut snapshot.series.buckets {
        bucket.blocked = 0;
    }
    for row in &mut snapshot.sources {
        row.status = Status::Clear;
        row.counts = counts(row.counts.attempts, 0, 0, 0, 0);
        row.trend = trend(row.counts, 1);
    }
    for row in &mut snapshot.datacenters {
        row.counts.blocked = 0;
        row.buckets.iter_mut().for_each(|(_, bucket)| bucket.blocked = 0);
    }
    snapshot
}

/// All was read, and there was no Microsoft mail in it.
pub(crate) fn none() -> Snapshot {
    let done = Progress { total_bytes: 2048, done_bytes: 2048, complete: true, ..Progress::default() };
    Snapshot {
        inputs: vec![InputRow {
            path: "/var/log/mail.log".into(),
            mta: Some("postfix".into()),
            bytes: 2048,
            lines: 17,
            ..InputRow::default()
        }],
        totals: Totals { lines: 17, other_attempts: 9, ..Totals::default() },
        progress: done,
        version: 3,
        ..Snapshot::default()
    }
}

fn line(i: i64, text: Vec<u8>, refusal: bool) -> LogLine {
    LogLine {
        time: Some(at(14, 31, 58 - i)),
        path: "/var/log/mail.log".into(),
        offset: (9_000_000 - i * 400).unsigned_abs(),
        size: text.len() as u64,
        text: text.into(),
        source: Some("192.0.2.25".into()),
        domain: Some("outlook.com".into()),
        datacenter: Some("nam10".into()),
        reply_id: if refusal { "block-list-s3140" } else { "accepted" }.into(),
        is_refusal: refusal,
    }
}

pub(crate) fn lines() -> LineList {
    LineList::of(log_lines())
}

pub(crate) fn log_lines() -> Vec<LogLine> {
    let mut lines: Vec<LogLine> = (0..40)
        .map(|i| {
            let refused = i % 3 != 2;
            let text = if refused {
                format!("May 13 14:31:{:02} mx1 postfix-out1/smtp[{}]: 4F{i:03}A1: to=<user{i}@outlook.com>, relay=outlook-com.olc.protection.outlook.com[104.47.55.161]:25, delay=1.2, dsn=5.7.1, status=bounced (host outlook-com.olc.protection.outlook.com[104.47.55.161] said: 550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. part of their network is on our block list (S3140). [COL0NAM10FT065.eop-nam10.prod.protection.outlook.com] (in reply to MAIL FROM command))", 58 - i, 1000 + i)
            } else {
                format!("May 13 14:31:{:02} mx1 postfix-out1/smtp[{}]: 4F{i:03}A1: to=<user{i}@outlook.com>, relay=outlook-com.olc.protection.outlook.com[104.47.55.161]:25, delay=1.2, dsn=2.6.0, status=sent (250 2.6.0 Queued mail for delivery)", 58 - i, 1000 + i)
            };
            line(i, text.into_bytes(), refused)
        })
        .collect();
    lines[1].text = format!("May 13 14:31:57 mx1 {HOSTILE} status=bounced").into_bytes().into();
    lines[2].text = {
        let mut text = b"\xff\xfe bin\x00ary ".to_vec();
        text.resize(1_000_000, b'A');
        text.into()
    };
    for line in &mut lines {
        line.size = line.text.len() as u64;
    }
    lines
}

pub(crate) fn advice(id: &str) -> Option<Advice> {
    (id == "block-list-s3140").then(|| Advice {
        title: "550 5.7.1 S3140: IP on Microsoft's block list".into(),
        means: "The sending IP, or the network around it, is on the block list of Outlook.com. It refuses all mail to consumer mailboxes, whatever the message.".into(),
        steps: vec![
            "Stop the stream that caused it: look for spam trap hits and complaints in SNDS for 192.0.2.25.".into(),
            "Check that SPF, DKIM and DMARC pass and align, and that the reverse name resolves both ways.".into(),
            "File a delist request with the IP, one full reply and what was changed.".into(),
            "Resume with a small volume; expect an answer within two days.".into(),
        ],
        links: vec![
            "https://sendersupport.olc.protection.outlook.com/snds/".into(),
            "https://olcsupport.office.com/".into(),
        ],
    })
}
