//! The parts of the scan on their own, on a few lines that are built in: `cargo bench --bench scan`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eopwatch::microsoft::Catalogue;
use eopwatch::record::{Answer, Clock, Line, Record, Zone, by_name};
use eopwatch::scan::Scanner;
use eopwatch::source::Chunk;

const SUCCESS: &str = "May 10 00:00:00 mta1 postfix-out2/smtp[3002]: 4b000000002z02: to=<eva.rossi2@tenant198.example>, \
    relay=tenant198-example.mail.protection.outlook.com[52.101.2.2]:25, delay=1.2, delays=0.05/0.01/0.5/0.64, \
    dsn=2.6.0, status=sent (250 2.6.0 <2@news.example> [InternalId=3962346861205, \
    Hostname=SJ0PR17MB9679.namprd04.prod.outlook.com] 47157 bytes in 0.874, 60.121 KB/sec Queued mail for delivery \
    -> 250 2.1.5)";
const OTHER: &str = "May 10 00:00:00 mta1 postfix-out3/smtp[3003]: 4b000000003z03: to=<carla.rossi3@gmail.com>, \
    relay=gmail-smtp-in.l.google.com[142.250.27.27]:25, delay=1.2, delays=0.05/0.01/0.5/0.64, dsn=2.0.0, \
    status=sent (250 2.0.0 OK  3 d9443c01a7336-1b2c3d4e5f6si - gsmtp)";
const NOISE: &str = "May 10 00:00:00 mta1 postfix/qmgr[1999]: 4b000000003z03: from=<news+3@news.example>, size=18344, \
    nrcpt=1 (queue active)";
const KNOWN: &str = "550 5.7.1 Unfortunately, messages from [192.0.2.13] weren't sent. Please contact your Internet \
    service provider since part of their network is on our block list (S3140). You can also refer your provider to \
    http://mail.live.com/mail/troubleshooting.aspx#errors. [CO1PEPF000044FB.namprd10.prod.outlook.com \
    2026-05-12T06:13:19.771Z 08DEA1B20C3D5001]";
const UNKNOWN: &str = "550 5.3.9 Nobody has seen this one before \
    [CO1PEPF000044FB.namprd10.prod.outlook.com 2026-05-12T06:13:19.771Z 08DEA1B20C3D5001]";

/// A block of a busy host's log: one delivery in seven lines, a quarter of them to Microsoft.
fn block() -> Vec<u8> {
    let message = |delivery: &str| format!("{}{delivery}\n", format!("{NOISE}\n").repeat(6));
    let four = format!("{}{}", message(SUCCESS), message(OTHER).repeat(3));
    four.repeat(200).into_bytes()
}

fn scan(c: &mut Criterion) {
    let block = block();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(block.len() as u64));
    group.bench_function("block", |b| {
        b.iter(|| {
            let mut candidates = 0;
            let mut scanner = Scanner::new(&[b" relay="]);
            let seen = scanner.scan(Chunk::new(black_box(&block), 0), |_, _| candidates += 1);
            (seen, candidates)
        });
    });
    group.finish();
}

fn parse(c: &mut Criterion) {
    let format = by_name("postfix").expect("a format of that name");
    let clock = Clock { zone: Zone::Fixed(0), year: 2026 };
    let mut group = c.benchmark_group("parse");
    for (name, line) in [("success", SUCCESS), ("other", OTHER)] {
        let mut reader = format.reader(&clock);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut attempts = 0;
                let line = Line { bytes: black_box(line.as_bytes()), offset: 0 };
                reader
                    .line(line, &mut |_, record| attempts += u32::from(matches!(record, Record::Attempt(_))));
                assert_eq!(attempts, 1);
            });
        });
    }
    group.finish();
}

fn classify(c: &mut Criterion) {
    let catalogue = Catalogue::builtin();
    let mut group = c.benchmark_group("classify");
    for (name, reply) in [("known", KNOWN), ("unknown", UNKNOWN)] {
        let answer = Answer::Text(reply.as_bytes());
        group.bench_function(name, |b| b.iter(|| catalogue.classify(black_box(&answer))));
    }
    group.finish();
}

criterion_group!(parts, scan, parse, classify);
criterion_main!(parts);
