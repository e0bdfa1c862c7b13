#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::record::json::tests::shown;
use crate::record::wrapped;

fn read(log: &str) -> Vec<String> {
    shown(wrapped::tests::alone("zonemta"), log)
}

#[test]
fn documented_lines() {
    let found = read(include_str!("documented.log"));
    let start = "1984e8a65b30004db2.001 203.0.113.51 - n@example.com";
    let expected = [
        format!(
            "09:10:01Z {start} a@outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <z1@example.com> [InternalId=858993418344, Hostname=LV8PR18MB5701.namprd18.prod.outlook.com] 18344 bytes in 0.187, 95.542 KB/sec Queued mail for delivery -> 250 2.1.5"
        ),
        format!(
            "09:11:00Z {start} c@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [203.0.113.51] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://aka.ms/postmaster (S775) [CY4PEPF0000E9D1.namprd03.prod.outlook.com 2026-05-12T07:11:00.101Z 08DEA1B20C3D5014]"
        ),
        format!(
            "09:12:00Z {start} e@live.com live-com.olc.protection.outlook.com 198.51.100.13 bounced 550 5.7.511 Access denied, banned sender[203.0.113.51]. To request removal from this list please forward this message to delist@microsoft.com. For more information please go to http://go.microsoft.com/fwlink/?LinkId=526653. AS(1410) [MWH0EPF000971E6.namprd02.prod.outlook.com 2026-05-12T07:12:00.004Z 08DEA1B20C3D5015]"
        ),
    ];
    assert_eq!(found, expected.map(|line| format!("2026-05-12T{line}")));
}

#[test]
fn the_verb_decides_and_the_rest_is_none() {
    let line = |text: &str| read(&format!("May 12 09:10:01 z1 zonemta[1]: info {text}")).join("|");
    let fields = "from= to=a@b.c src=1.2.3.4 mx=mx.b.c[198.51.100.9] id=<x@y> (550 5.7.1 no)";
    let start = "2026-05-12T09:10:01Z q.1 1.2.3.4 -  a@b.c mx.b.c 198.51.100.9";
    let sender = "Sender/default/1[3] id=r q.1";
    assert_eq!(line(&format!("{sender} DEFERRED {fields}")), format!("{start} deferred 550 5.7.1 no"));
    assert_eq!(
        line(&format!("{sender} REJECTED[x] {}", fields.replace("550 5.7.1", "own"))),
        format!("{start} bounced Nobody")
    );
    assert_eq!(line(&format!("{sender} QUEUED {fields}")), "");
    assert_eq!(line(&format!("{sender} ACCEPTED {}", fields.replace("198.51.100.9", "10.0.0.1"))), "");
    assert_eq!(
        line(&format!("{sender} ACCEPTED from=a@b to=c@d src=1.2.3.4 mx=mx")),
        "a delivery that lacks a field"
    );
}

proptest! {
    #[test]
    fn no_cut_or_broken_line_panics(index in 0usize..3, cut in 0usize..500, at in 0usize..500, bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
        let mut line = include_str!("documented.log").lines().nth(index).unwrap().as_bytes().to_vec();
        let at = at.min(line.len());
        let end = (at + bytes.len()).min(line.len());
        line.splice(at..end, bytes);
        line.truncate(cut);
        read(&String::from_utf8_lossy(&line));
    }

    #[test]
    fn what_zonemta_logs_is_read_back(
        local in "[a-z0-9.+=,@>< ]{1,12}",
        host in "[a-z][a-z0-9-]{0,12}\\.mail\\.protection\\.outlook\\.com",
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        words in "[ -~é]{0,60}",
        code in 200u16..600,
        kind in 0..3usize,
    ) {
        let to = if local.contains([',', '@', '>', '<', ' ']) { format!("\"{local}\"@b.c") } else { format!("{local}@b.c") };
        let ip: std::net::IpAddr = if v6 {
            std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into()
        } else {
            std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into()
        };
        let verb = ["ACCEPTED", "DEFERRED[spam]", "REJECTED[x y]"][kind].replace(' ', "-");
        let line = format!("May 12 09:10:01 z1 zonemta[1]: info Sender/default/1[3] id=r q.1 {verb} from=n@e.f to={to} src={ip} mx={host}[{ip}] id=<x@y> ({code} {words})");
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(read(&line), vec![format!("2026-05-12T09:10:01Z q.1 {ip} - n@e.f {to} {host} {ip} {outcome} {code} {words}")]);
    }
}

#[test]
fn fields_of_other_versions_stand_between() {
    let line = |fields: &str| {
        read(&format!("May 12 09:10:01 z1 zonemta[1]: info Sender/default/1[3] id=r q.1 ACCEPTED {fields}"))
            .join("|")
    };
    let plain = "from=n@e.f to=a@b.c src=1.2.3.4 mx=mx.b.c[198.51.100.9] id=<x@y> (250 2.6.0 ok)";
    let more =
        plain.replace(" src=", " new=1 src=").replace(" mx=", " pool=x mx=").replace(" id=", " port=25 id=");
    assert!(line(plain).contains(" a@b.c mx.b.c 198.51.100.9 "));
    assert_eq!(line(&more), line(plain));
}
