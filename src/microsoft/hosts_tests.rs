use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

#[test]
fn relays() {
    let microsoft =
        |host: &str, platform| assert_eq!(relay(host.as_bytes()), Relay::Microsoft(platform), "{host}");
    microsoft("outlook-com.olc.protection.outlook.com", Platform::Consumer);
    microsoft("Outlook-Com.OLC.Protection.Outlook.COM.", Platform::Consumer);
    microsoft("mx1.hotmail.com", Platform::Consumer);
    microsoft("example-org.mail.protection.outlook.com", Platform::M365);
    microsoft("example-org.p-v1.mx.microsoft", Platform::M365);
    microsoft("example-org.mail.eo.outlook.com", Platform::M365);
    microsoft("agency-gov.mail.protection.office365.us", Platform::Gov);
    microsoft("example-cn.mail.protection.partner.outlook.cn", Platform::China);
    microsoft("mail-bn8nam110052.inbound.protection.outlook.com", Platform::Unknown);
    // Sendmail shortens names in the middle.
    microsoft("cpandl-example.mai...ction.outlook.com", Platform::M365);
    microsoft("hotmail-example.ol...ction.outlook.com", Platform::Consumer);
    microsoft("mail-bn8nam110052....ction.outlook.com", Platform::Unknown);
    for host in [
        "mail-bn8nam11on2052.outbound.protection.outlook.com",
        "gmail-smtp-in.l.google.com",
        "outlook.com",
        "olc.protection.outlook.com.example",
        "notoutlook-com.olc.protection.outlook.com.evil.example",
        "",
        ".",
        "...",
        "gmail-smtp-in.l...oogle.com",
        "x.hotmail.comm",
    ] {
        assert_eq!(relay(host.as_bytes()), Relay::Other, "{host}");
    }
    for host in ["smtp.office365.com", "SMTP.Office365.com.", "smtp-mail.outlook.com", "smtp.office365.us"] {
        assert_eq!(relay(host.as_bytes()), Relay::Submission, "{host}");
    }
}

#[test]
fn addresses() {
    for inside in [
        "40.92.0.1",
        "40.93.255.255",
        "40.107.1.2",
        "52.100.0.0",
        "52.103.255.255",
        "104.47.127.255",
        "2a01:111:f400::1",
        "2a01:111:f403:ffff::1",
        "::ffff:40.92.0.1",
    ] {
        assert!(is_eop_address(inside.parse().expect("address")), "{inside}");
    }
    for outside in [
        "40.91.255.255",
        "40.94.0.0",
        "40.108.0.0",
        "52.104.0.0",
        "104.47.128.0",
        "198.51.100.1",
        "2a01:111:f401::1",
        "::1",
    ] {
        assert!(!is_eop_address(outside.parse().expect("address")), "{outside}");
    }
}

#[test]
fn consumer_domains() {
    for domain in [
        "outlook.com",
        "OUTLOOK.FR",
        "outlook.com.br",
        "outlook.co.id",
        "hotmail.co.uk",
        "hotmail.de",
        "live.nl",
        "live.com.mx",
        "msn.com",
        "Passport.com",
        "windowslive.com",
        "hotmail.com.",
    ] {
        assert!(is_consumer_domain(domain.as_bytes()), "{domain}");
    }
    for domain in [
        "example.org",
        "outlook",
        "outlook.example",
        "live.example",
        "mail.outlook.com",
        "outlook.com.example",
        "hotmail.net.uk",
        "xoutlook.com",
        "msn.co",
        "",
        ".com",
        "outlook.c1",
    ] {
        assert!(!is_consumer_domain(domain.as_bytes()), "{domain}");
    }
}

fn tag(reply: &str) -> Option<&str> {
    host_tag(reply.as_bytes()).map(|host| std::str::from_utf8(host).expect("ascii"))
}

#[test]
fn host_tags() {
    assert_eq!(
        tag("550 5.7.1 x (S3140). [BN8NAM11FT017.eop-nam11.prod.protection.outlook.com]"),
        Some("BN8NAM11FT017.eop-nam11.prod.protection.outlook.com")
    );
    assert_eq!(
        tag(
            "451 4.7.650 x (S775) [Name=Protocol Filter Agent][AGT=PFA][MxId=11BD2C4F0A7733E1] [BL6PEPF0001AB57.namprd04.prod.outlook.com 2026-05-12T06:13:19.771Z 08DEA1B20C3D5001]"
        ),
        Some("BL6PEPF0001AB57.namprd04.prod.outlook.com")
    );
    // The last of several, case as printed.
    assert_eq!(
        tag(
            "550 5.7.509 [EXAMPLE.COM] x [TYCP286MB3363.JPNP286.PROD.OUTLOOK.COM 2024-06-11T09:04:02.679Z 08DC8850F12E1502] [CO1PEPF000066EC.namprd05.prod.outlook.com 2024-06-11T09:04:02.731Z 08DC89E7235090DB]"
        ),
        Some("CO1PEPF000066EC.namprd05.prod.outlook.com")
    );
    // No blank before it; folded.
    assert_eq!(
        tag("550 5.7.520 Access denied, banned sender[COL0NAM10FT065.eop-nam10.prod.protection.outlook.com]"),
        Some("COL0NAM10FT065.eop-nam10.prod.protection.outlook.com")
    );
    assert_eq!(
        tag(
            "550 x\r\n    [BN8NAM11FT017.eop-nam11.prod.protection.outlook.com\r\n    2026-05-12T08:00:01.002Z 08DEA1B20C3D5F23]"
        ),
        Some("BN8NAM11FT017.eop-nam11.prod.protection.outlook.com")
    );
    assert_eq!(
        tag("451 4.7.500 x [BN3USG02FT068.eop-USG02.itar.protection.office365.us]"),
        Some("BN3USG02FT068.eop-USG02.itar.protection.office365.us")
    );
    // Old Hotmail.
    assert_eq!(
        tag("550 SC-001 (SNT004-MC1F12) Unfortunately, messages from 192.0.2.13 weren't sent."),
        Some("SNT004-MC1F12")
    );
    assert_eq!(tag("550 5.7.0 (BAY004-MC5F17) Message could not be delivered."), Some("BAY004-MC5F17"));
    // Brackets that are no tags, and a tag that was cut off.
    for reply in [
        "550 5.1.10 [user@example.com] x [192.0.2.1]",
        "550 5.7.509 Access denied, sending domain [outlook.com] x",
        "550 5.7.1 x [Hostname=AM0PR05MB4521.eurprd05.prod.outlook.com]",
        "550 5.7.1 x [BN8NAM11FT017.eop-nam11.prod.protection.outl",
        "550 5.7.1 x [BN8NAM11FT017.eop-nam11.prod.protection.outlook.com 2026-05-12T08:00",
        "550 5.7.1 x [a..prod.outlook.com]",
        "550 5.7.1 x [mx.example.org]",
        "550 SC-001 Mail rejected by Outlook.com",
        "550 5.7.1 (S3140) x",
        "",
    ] {
        assert_eq!(tag(reply), None, "{reply}");
    }
    let success = "250 2.6.0 <p1@example.com> [InternalId=858993418344, Hostname=SJ0PR17MB4821.namprd17.prod.outlook.com] 18344 bytes Queued mail for delivery -> 250 2.1.5";
    assert_eq!(tag(success), None);
    assert_eq!(mailbox_host(success.as_bytes()), Some(&b"SJ0PR17MB4821.namprd17.prod.outlook.com"[..]));
    assert_eq!(
        mailbox_host(b"<h1@x> [InternalId=8, Hostname=DM4PR12MB6100.namprd12.prod.outlook.com] Queued"),
        Some(&b"DM4PR12MB6100.namprd12.prod.outlook.com"[..])
    );
    assert_eq!(
        mailbox_host(b"432 4.3.2 STOREDRV.Deliver; x [Hostname=AM0PR05MB4521.eurprd05.prod.outlook.com]"),
        None
    );
}

#[test]
fn datacenters() {
    for (host, site, forest, region) in [
        ("BN8NAM12FT071.eop-nam12.prod.protection.outlook.com", "BN8", "nam12", "NAM"),
        ("COL0NAM10FT065.eop-nam10.prod.protection.outlook.com", "COL0", "nam10", "NAM"),
        ("VE1EUR03FT055.eop-EUR03.prod.protection.outlook.com", "VE1", "eur03", "EUR"),
        ("SG2APC01FT0008.eop-APC01.prod.protection.outlook.com", "SG2", "apc01", "APC"),
        ("CWLGBR01FT013.eop-gbr01.prod.protection.outlook.com", "CWL", "gbr01", "GBR"),
        ("CY1USG02FT013.eop-usg02.itar.protection.office365.us", "CY1", "usg02", "USG"),
        ("BL0GCC02FT048.eop-gcc02.prod.protection.outlook.com", "BL0", "gcc02", "GCC"),
        ("CO1PEPF000044FB.namprd05.prod.outlook.com", "CO1", "namprd05", "NAM"),
        ("PH1PEPF000132F5.NAMP220.PROD.OUTLOOK.COM", "PH1", "namp220", "NAM"),
        ("BL02EPF0002992B.namprd03.prod.outlook.com", "BL02", "namprd03", "NAM"),
        ("MWH0EPF000971E6.namprd02.prod.outlook.com", "MWH0", "namprd02", "NAM"),
        ("MRZPEPF00000A17.FRAP264.PROD.OUTLOOK.COM", "MRZ", "frap264", "FRA"),
        ("DM4PR12MB6100.namprd12.prod.outlook.com", "DM4", "namprd12", "NAM"),
        ("SJ1P223MB0482.NAMP223.PROD.OUTLOOK.COM", "SJ1", "namp223", "NAM"),
        ("TYCP286MB3363.JPNP286.PROD.OUTLOOK.COM", "TYC", "jpnp286", "JPN"),
        ("MAXPR0101CA0021.INDPRD01.PROD.OUTLOOK.COM", "MAX", "indprd01", "IND"),
        ("PH1P110MB1234.NAMP110.PROD.OUTLOOK.COM", "PH1", "namp110", "USG"),
        ("SH0PR01MB0500.CHNPR01.prod.partner.outlook.cn", "SH0", "chnpr01", "CHN"),
        ("BYAPPF00011122.namprd07.prod.outlook.com", "BYA", "namprd07", "NAM"),
        ("AM6EUR05FT041.mail.protection.outlook.com", "AM6", "eur05", "EUR"),
        ("CO1PEPF000044FB.mail.protection.outlook.com", "CO1", "", ""),
        ("SNT004-MC1F12", "SNT", "", "HOTMAIL"),
        ("COL0-MC1-F1", "COL", "", "HOTMAIL"),
        ("mail-bn8nam110052.inbound.protection.outlook.com", "BN8", "nam11", "NAM"),
        ("mail-dm3gcc020110.inbound.protection.outlook.com.", "DM3", "gcc02", "GCC"),
        ("mail-am0pr02cu003.inbound.protection.outlook.com", "AM0", "", ""),
        ("mail-sj0p223cu001.inbound.protection.outlook.com", "SJ0", "", ""),
        ("something.eop-xyz07.prod.protection.outlook.com", "", "xyz07", "XYZ"),
        ("AM6PR0732BE0065.eurprd07.prod.outlook.com", "", "eurprd07", "EUR"),
        ("outlook-com.olc.protection.outlook.com", "", "", ""),
        ("mx.example.org", "", "", ""),
        ("", "", "", ""),
    ] {
        let found = datacenter(host.as_bytes());
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let all = (text(&found.site), text(&found.forest), text(&found.region));
        assert_eq!(all, (site.to_owned(), forest.to_owned(), region.to_owned()), "{host}");
    }
}

#[test]
fn cities() {
    let name = |site, region| city(site, region).map(|city| city.city);
    assert_eq!(name("BN8", "NAM"), Some("Boydton, Virginia"));
    assert_eq!(name("MAX", "IND"), Some("Chennai"));
    assert_eq!(name("MAX", "ESP"), Some("Madrid"));
    assert_eq!(name("MAX", "NAM"), None);
    assert_eq!(name("SNT", "HOTMAIL"), Some("San Antonio, Texas"));
    assert_eq!(name("", "NAM"), None);
    assert_eq!(region_name("HOTMAIL"), Some("legacy Hotmail front ends (to 2017)"));
}

#[test]
fn quoted_addresses() {
    for (reply, want) in [
        ("550 5.7.1 Unfortunately, messages from [192.0.2.10] weren't sent.", Some("192.0.2.10")),
        (
            "550 SC-001 (SNT004-MC1F12) Unfortunately, messages from 192.0.2.13 weren't sent.",
            Some("192.0.2.13"),
        ),
        (
            "550 5.7.0 (SNT004-MC2F28) Unfortunately, messages from (192.0.2.40) on behalf of (example.com) could not",
            Some("192.0.2.40"),
        ),
        ("451 4.7.650 The mail server [192.0.2.30] has been", Some("192.0.2.30")),
        ("451 4.7.500 Server busy. Please try again later from [192.0.2.34]. (S77719)", Some("192.0.2.34")),
        ("451 4.7.500 Server busy. Please try again later from 192.0.2.34.", Some("192.0.2.34")),
        ("550 5.7.511 Access denied, banned sender[192.0.2.21].", Some("192.0.2.21")),
        ("550 5.7.606 ACCESS DENIED, BANNED SENDING IP [192.0.2.20].", Some("192.0.2.20")),
        ("550 5.7.1 Service unavailable, Client host [192.0.2.17] blocked", Some("192.0.2.17")),
        ("550 5.7.25 Access denied, the sending IPv6 address [2001:db8::26] must have", Some("2001:db8::26")),
        ("550 5.7.508 Access denied, [2001:db8:1::25] has exceeded", Some("2001:db8:1::25")),
        (
            "450 4.7.26 Service unavailable, message sent over IPv6 [2001:db8::25] must pass",
            Some("2001:db8::25"),
        ),
        ("550 5.7.606 Access denied, banned sending IP\n [192.0.2.20]", Some("192.0.2.20")),
        ("550-5.7.606 Access denied, banned sending IP 550-[192.0.2.20] 550 5.7.606 x", Some("192.0.2.20")),
        ("550-5.7.606 Access denied, banned sending IP\n550 5.7.606 [192.0.2.20]", Some("192.0.2.20")),
        ("550 5.7.606 banned sending IP [10.1.2.3]", None),
        ("550 5.7.606 banned sending IP [127.0.0.1]", None),
        ("550 5.7.606 banned sending IP [100.64.1.1]", None),
        ("550 5.7.606 banned sending IP [fd00::1]", None),
        (
            "550 5.7.520 Access denied, banned sender[COL0NAM10FT065.eop-nam10.prod.protection.outlook.com]",
            None,
        ),
        ("550 5.7.1 x [192.0.2.1]", None),
        ("550 5.7.350 Remote server returned -> 554 5.7.1 Client host [192.0.2.1] blocked", None),
        ("", None),
    ] {
        assert_eq!(quoted_ip(reply.as_bytes()), want.and_then(ip), "{reply}");
    }
}

#[test]
fn microsoft_bound() {
    let tagged = Answer::Text(b"550 5.7.1 x [BN8NAM11FT017.eop-nam11.prod.protection.outlook.com]");
    let success = Answer::Text(
        b"250 2.6.0 <a@b> [InternalId=1, Hostname=SJ0PR17MB4821.namprd17.prod.outlook.com] Queued",
    );
    let plain = Answer::Text(b"250 2.0.0 OK");
    let nobody = Answer::Nobody;
    let of = |host: Option<&str>, address: Option<&str>, answer: &Answer<'_>, domain: Option<&str>| {
        bound(owner(host.map(str::as_bytes)), address.and_then(ip), answer, domain.map(str::as_bytes))
    };
    let yes = Bound::Yes;
    // The relay's name.
    assert_eq!(
        of(
            Some("outlook-com.olc.protection.outlook.com"),
            ip_text("198.51.100.1"),
            &nobody,
            Some("outlook.com")
        ),
        yes(Platform::Consumer)
    );
    assert_eq!(
        of(Some("x.mail.protection.outlook.com"), None, &nobody, Some("x.example")),
        yes(Platform::M365)
    );
    // A reverse name: the domain tells the platform.
    assert_eq!(
        of(Some("mail-bn8nam110052.inbound.protection.outlook.com"), None, &nobody, Some("hotmail.fr")),
        yes(Platform::Consumer)
    );
    assert_eq!(
        of(Some("mail-bn8nam110052.inbound.protection.outlook.com"), None, &nobody, Some("x.example")),
        yes(Platform::Unknown)
    );
    // A public relay that is not Microsoft's, whatever it passes on.
    assert_eq!(
        of(Some("filter.example.net"), ip_text("198.51.100.1"), &tagged, Some("outlook.com")),
        Bound::No
    );
    assert_eq!(
        of(Some("gmail-smtp-in.l.google.com"), ip_text("142.250.27.27"), &plain, Some("gmail.com")),
        Bound::No
    );
    // A name of the tenant's own for an address of Microsoft's.
    assert_eq!(
        of(Some("mx.x.example"), ip_text("52.101.1.1"), &nobody, Some("x.example")),
        yes(Platform::Unknown)
    );
    // Submission, and Microsoft's own sending hosts.
    assert_eq!(of(Some("smtp.office365.com"), ip_text("40.92.0.1"), &tagged, Some("outlook.com")), Bound::No);
    assert_eq!(
        of(Some("mail-a.outbound.protection.outlook.com"), ip_text("40.92.0.1"), &nobody, None),
        Bound::No
    );
    // A bare address: its range, else the responder, else the domain.
    assert_eq!(of(None, ip_text("52.101.1.1"), &nobody, Some("x.example")), yes(Platform::Unknown));
    assert_eq!(
        of(Some("52.101.1.1"), ip_text("52.101.1.1"), &nobody, Some("live.com")),
        yes(Platform::Consumer)
    );
    assert_eq!(of(None, ip_text("198.51.100.1"), &tagged, Some("x.example")), yes(Platform::Unknown));
    assert_eq!(of(None, ip_text("198.51.100.1"), &success, Some("x.example")), yes(Platform::Unknown));
    assert_eq!(of(None, ip_text("198.51.100.1"), &plain, Some("x.example")), Bound::ByDomain);
    assert_eq!(
        of(Some("[198.51.100.1]"), ip_text("198.51.100.1"), &nobody, Some("msn.com")),
        yes(Platform::Consumer)
    );
    // No relay at all.
    assert_eq!(of(None, None, &nobody, Some("hotmail.com")), yes(Platform::Consumer));
    assert_eq!(of(None, None, &nobody, Some("x.example")), Bound::ByDomain);
    assert_eq!(of(None, None, &tagged, None), yes(Platform::Unknown));
    assert_eq!(of(None, None, &nobody, None), Bound::No);
    // A local hop.
    assert_eq!(of(None, ip_text("127.0.0.1"), &tagged, Some("outlook.com")), Bound::No);
    assert_eq!(of(Some("amavis.internal"), ip_text("10.0.0.1"), &tagged, Some("outlook.com")), Bound::No);
}

fn ip_text(text: &str) -> Option<&str> {
    Some(text)
}

#[test]
fn needles_are_lower_case_and_hold_the_relays() {
    let found = |line: &str| {
        let line = line.to_ascii_lowercase();
        needles().iter().any(|needle| memmem::find(line.as_bytes(), needle).is_some())
    };
    assert!(needles().iter().all(|needle| !needle.is_empty() && !needle.iter().any(u8::is_ascii_uppercase)));
    for rule in &HOSTS.file.relay {
        assert!(found(&format!("relay=x{}[192.0.2.1]", rule.suffix)), "{}", rule.suffix);
    }
    for line in [
        "[PH1PEPF000132F5.NAMP220.PROD.OUTLOOK.COM]",
        "@outlook.com@",
        "to=<a@live.fr>",
        "relay=cpandl-example.mai...ction.outlook.com.",
        "relay=\"52.101.7.9 (52.101.7.9)\"",
        "2a01:111:f403:1::5",
    ] {
        assert!(found(line), "{line}");
    }
    assert!(!found("to=<a@gmail.com>, relay=gmail-smtp-in.l.google.com[142.250.27.27]:25"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = relay(&bytes);
        let _ = host_tag(&bytes);
        let _ = mailbox_host(&bytes);
        let _ = datacenter(&bytes);
        let _ = is_consumer_domain(&bytes);
        let _ = quoted_ips(&bytes).count();
        let _ = bound(owner(Some(&bytes)), None, &Answer::Text(&bytes), Some(&bytes));
        let _ = bound(owner(None), None, &Answer::Text(&bytes), None);
    }

    #[test]
    fn no_host_panics(host in r"[A-Za-z0-9]{0,5}(EPF|PR|P|PF|NAM|mail-)?[A-Z0-9]{0,12}\.(eop-|inbound)?[a-z0-9é]{0,6}\.(prod|protection)\.outlook\.com\.?", dots in 0usize..4) {
        let _ = datacenter(host.as_bytes());
        let _ = relay(host.replacen('.', &".".repeat(dots), 1).as_bytes());
        let tagged = format!("550 [{host}]");
        let _ = host_tag(tagged.as_bytes());
    }
}
