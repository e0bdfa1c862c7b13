use proptest::prelude::*;

use super::*;

fn ids(input: &str) -> Vec<String> {
    explain(input).matches.into_iter().map(|found| found.reply_id).collect()
}

fn first(input: &str) -> Match {
    explain(input).matches.into_iter().next().unwrap_or_else(|| panic!("nothing for {input}"))
}

const BLOCK: &str = "550 5.7.1 Unfortunately, messages from [192.0.2.12] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [DU2PEPF00028D0D.eurprd03.prod.outlook.com 2026-05-12T06:15:08.906Z 08DEA1B20C3D5002]";

#[test]
fn a_code_lists_its_variants() {
    let all = ids("5.7.1");
    assert_eq!(all[0], "ambiguous-571");
    for id in [
        "block-list-s3140",
        "block-list-s3150",
        "spamhaus-client-host",
        "client-host-blocked-571",
        "transport-rule-571",
        "unable-to-relay-571",
    ] {
        assert!(all.iter().any(|found| found == id), "{id}");
    }
    assert!(explain("5.7.1").matches.iter().all(|found| found.certainty == Certainty::Code));
    let all = ids("550 5.7.520");
    assert_eq!(all.len(), 4);
    assert!(
        all.contains(&"banned-sender-520".to_owned()) && all.contains(&"external-forwarding-520".to_owned())
    );
    assert_eq!(ids("550-5.7.520"), all);
    // A range holds it.
    assert!(ids("5.7.620").contains(&"banned-sending-ip".to_owned()));
    assert_eq!(first("5.7.620").enhanced_code.as_deref(), Some("5.7.620"));
    // The given digits go first.
    assert!(ids("421 4.7.650")[1] == "new-domain-650");
    assert!(ids("550").len() > 20);
    assert_eq!(first("250 2.1.5").class, Class::Accepted);
}

#[test]
fn a_tag_finds_its_entry() {
    for (tag, id) in [
        ("S3140", "block-list-s3140"),
        ("s3150", "block-list-s3150"),
        ("(S3150)", "block-list-s3150"),
        ("RP-001", "legacy-rp-001-rate"),
        ("SC-001", "legacy-sc-001-block-list"),
        ("AS(7555)", "external-forwarding-520"),
        ("S843", "ip-rate-limited-650"),
        ("S77714", "server-busy-500-s777"),
        ("PRX4", "temporary-error-prx-470"),
        ("RP-007", "legacy-rp-other"),
        ("banned-sender-520", "banned-sender-520"),
        ("AS(1430)", "banned-sending-ip"),
    ] {
        assert_eq!(first(tag).reply_id, id, "{tag}");
    }
}

#[test]
fn a_reply_gives_the_verdict_first() {
    let found = first(BLOCK);
    assert_eq!(found.reply_id, "block-list-s3140");
    assert_eq!((found.certainty, found.is_block, found.smtp_code), (Certainty::Exact, true, Some(550)));
    assert_eq!(found.enhanced_code.as_deref(), Some("5.7.1"));
    assert_eq!(found.ips, ["192.0.2.12".parse::<IpAddr>().expect("address")]);
    assert_eq!(found.forest.as_deref(), Some("eurprd03"));
    assert!(found.links.iter().any(|link| link.contains("substrate.office.com/ip-domain-management-snds")));
    assert!(found.links.iter().any(|link| link.contains("sendersupport.olc.protection.outlook.com/snds")));
    assert!(found.steps.len() > 3);
    assert_eq!(explain(BLOCK).matches.len(), 1);
}

#[test]
fn the_reply_is_found_in_what_people_paste() {
    let folded =
        BLOCK.replace("Please contact", "Please\n    contact").replace("on our block", "on our\n    block");
    for pasted in [
        format!("May 12 08:15:09 mta1 postfix-out2/smtp[3040]: 4bWx6n0Kz4z9sQL: to=<m@msn.com>, relay=msn-com.olc.protection.outlook.com[198.51.100.16]:25, delay=0.77, delays=0.05/0.01/0.5/0.21, dsn=5.7.1, status=bounced (host msn-com.olc.protection.outlook.com[198.51.100.16] said: {BLOCK} (in reply to MAIL FROM command))"),
        format!("2026-05-12 08:32:03 1uEAbF-0000000BxZ2-4Def ** e@live.com F=<n@example.com> R=dnslookup T=remote_smtp H=live-com.olc.protection.outlook.com [198.51.100.13] X=TLS1.3 CV=yes : SMTP error from remote mail server after MAIL FROM:<n@example.com> SIZE=18010: {BLOCK}"),
        format!("Final-Recipient: rfc822; e@live.com\nAction: failed\nStatus: 5.7.1\nRemote-MTA: dns; live-com.olc.protection.outlook.com\nDiagnostic-Code: smtp; {folded}\n"),
        format!("Final-Recipient: rfc822; u@outlook.com Action: failed Status: 5.7.1 Diagnostic-Code: smtp; {BLOCK}"),
        format!("b,2026-05-12,failed,5.7.1 (delivery not authorized),\"smtp;{BLOCK}\",live-com.olc.protection.outlook.com (198.51.100.13)"),
        format!("Delivery has failed.\n> Remote Server returned '{BLOCK}'\n"),
        format!("{{\"type\":\"Bounce\",\"response\":{{\"code\":550,\"enhanced_code\":{{\"class\":5,\"subject\":7,\"detail\":1}},\"content\":\"{}\"}}}}", &BLOCK[10..]),
        format!("{{\"code\": 550, \"status\": \"5.7.1\", \"description\": \"{}\"}}", &BLOCK[10..]),
        "550-5.7.1 Unfortunately, messages from [192.0.2.12] weren't sent. Please contact 550-5.7.1 your Internet service provider since part of their network is on our block list 550-5.7.1 (S3140). You can also refer 550 5.7.1 to http://mail.live.com/ [DU2PEPF00028D0D.eurprd03.prod.outlook.com]".to_owned(),
    ] {
        let found = first(&pasted);
        assert_eq!((found.reply_id.as_str(), found.certainty), ("block-list-s3140", Certainty::Exact), "{pasted}");
        assert_eq!(found.datacenter_host.as_deref(), Some("DU2PEPF00028D0D.eurprd03.prod.outlook.com"), "{pasted}");
        assert_eq!((found.smtp_code, found.ips.len()), (Some(550), 1), "{pasted}");
    }
    let old = "Oct 1 00:00:00 m postfix/smtp[1]: A: status=bounced (host mx1.hotmail.com[192.0.2.1] said: 550 SC-001 (SNT004-MC1F12) Unfortunately, messages from 192.0.2.13 weren't sent. since part of their network is on our block list.";
    assert_eq!(first(old).reply_id, "legacy-sc-001-block-list");
    assert_eq!(first(old).datacenter_host.as_deref(), Some("SNT004-MC1F12"));
}

#[test]
fn nested_layers_follow() {
    let all = ids(
        "550 4.4.7 QUEUE.Expired; message expired, last reply '451 4.7.650 The mail server [192.0.2.30] has been temporarily rate limited due to IP reputation. (S775)'",
    );
    assert_eq!(all, ["ip-rate-limited-650", "message-expired-447"]);
    let arrow = explain(
        "550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 5.1.1 <user@example.net>: User unknown",
    );
    assert_eq!(arrow.matches[0].reply_id, "remote-unknown-recipient-351");
    assert!(arrow.matches[1].foreign);
}

#[test]
fn unknown_words_leave_guesses_and_nothing_leaves_nothing() {
    let found = explain("550 5.7.520 Zugriff verweigert");
    assert_eq!(found.matches[0].reply_id, "ambiguous-520");
    assert!(
        found.matches[1..].iter().all(|found| found.certainty == Certainty::Guess)
            && found.matches.len() == 4
    );
    for nothing in ["", "  ", "hello", "hello world", "5.9.9", "999", "550 5.9.9 what", "\u{1b}[2J"] {
        assert!(explain(nothing).matches.is_empty(), "{nothing}");
    }
    let guess = first("550 5.1.99 no such thing");
    assert_eq!((guess.reply_id.as_str(), guess.certainty), ("unknown-5.1.99", Certainty::Guess));
}

#[test]
fn the_object_is_the_contracts() {
    let object = serde_json::to_value(explain(BLOCK)).expect("json");
    let mut keys: Vec<&str> = object.as_object().expect("object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["input", "matches", "schema"]);
    let mut keys: Vec<&str> =
        object["matches"][0].as_object().expect("object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut want = [
        "reply_id",
        "certainty",
        "class",
        "is_block",
        "scope",
        "temporality",
        "platform",
        "smtp_code",
        "enhanced_code",
        "tag",
        "ips",
        "datacenter_host",
        "forest",
        "root_cause",
        "fix",
        "steps",
        "links",
        "evidence",
    ];
    want.sort_unstable();
    assert_eq!(keys, want);
    assert_eq!(object["schema"], "eopwatch.explain/1");
    let found = &object["matches"][0];
    assert_eq!(
        (&found["certainty"], &found["temporality"], &found["platform"], &found["scope"]),
        (&"exact".into(), &"perm".into(), &"consumer".into(), &"ip".into())
    );
}

#[test]
fn every_entry_is_found_by_its_id_and_its_example() {
    for entry in Catalogue::builtin().entries() {
        assert_eq!(first(&entry.id).reply_id, entry.id);
        assert!(ids(&entry.example).contains(&entry.id), "{}", entry.id);
    }
}

proptest! {
    #[test]
    fn no_input_panics_or_leaves_control_characters(input in any::<String>(), code in "(550 5\\.7\\.1|451 4\\.7\\.650|5\\.7\\.520)?") {
        for input in [input.clone(), format!("{code} {input}"), format!("said: {input}{code} x{input}")] {
            let found = explain(&input);
            prop_assert!(!found.input.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            if let Some(reply) = &found.reply {
                prop_assert!(!reply.chars().any(char::is_control));
            }
        }
    }
}
