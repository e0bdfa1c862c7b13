use proptest::prelude::*;

use super::*;
use crate::microsoft::{Class, Signal, Temporality, class_words, links};
use crate::record::Enhanced;

fn catalogue() -> &'static Catalogue {
    Catalogue::builtin()
}

fn verdict(reply: &str) -> Verdict<'static> {
    catalogue().classify(&Answer::Text(reply.as_bytes()))
}

fn id(reply: &str) -> String {
    verdict(reply).id.into_owned()
}

fn load(toml: &str) -> Result<Catalogue, String> {
    let file: File = toml::from_str(toml).map_err(|error| error.to_string())?;
    Catalogue::of(file.reply).map_err(|error| error.to_string())
}

/// Examples that another entry takes, with the reason. None so far.
const TAKEN: [(&str, &str); 0] = [];

fn expected(entry: &Entry) -> &str {
    TAKEN.iter().find(|(id, _)| *id == entry.id).map_or(&entry.id, |(_, other)| other)
}

#[test]
fn every_example_is_its_own_entry() {
    let wrong: Vec<String> = catalogue()
        .entries()
        .iter()
        .filter(|entry| id(&entry.example) != expected(entry))
        .map(|entry| format!("{} is {}", entry.id, id(&entry.example)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_text_alone_or_with_its_code_is_its_own_entry_or_an_earlier_one() {
    for (index, entry) in catalogue().entries().iter().enumerate() {
        for text in &entry.texts {
            let enhanced = entry.enhanced.map(|range| format!("{} ", range.last)).unwrap_or_default();
            let found = id(&format!("{} {enhanced}{text}", entry.smtp_code));
            let at = catalogue().entries().iter().position(|other| other.id == found);
            assert!(at.is_some_and(|at| at <= index), "'{text}' of {} is {found}", entry.id);
        }
    }
}

#[test]
fn mutated_examples_stay_what_they_are() {
    let tag = " [AB1PEPF00001234.namprd99.prod.outlook.com 2031-01-02T03:04:05.678Z 0123456789ABCDEF]";
    for entry in catalogue().entries() {
        let example = &entry.example;
        let want = expected(entry);
        assert_eq!(id(&example.to_ascii_uppercase()), want, "upper case");
        assert_eq!(id(&example.replace(' ', "  ")), want, "two blanks");
        assert_eq!(id(&example.replace(' ', "\r\n\t ")), want, "folded");
        assert_eq!(id(&format!("  {example}\r\n")), want, "blanks around");
        if !example.contains(" -> ") && !example.contains('\'') {
            assert_eq!(id(&format!("{example}{tag}")), want, "another host and stamp");
        }
        let other_ip = example.replace("192.0.2.", "203.0.113.").replace("2001:db8:", "2001:db8:ffff:");
        assert_eq!(id(&other_ip), want, "another address");
        if entry.enhanced.is_some() && example.starts_with("55") {
            for code in ["550", "552", "554"] {
                assert_eq!(id(&format!("{code}{}", &example[3..])), want, "with {code}");
            }
        }
    }
}

#[test]
fn lines_of_a_long_reply_are_joined() {
    for entry in catalogue().entries() {
        // `550-5.7.1 Unfortunately, messages` at every blank of the text, as Postfix, Exim and DSNs join them.
        let Some(range) = entry.enhanced else { continue };
        let example = &entry.example;
        let begin = format!("{} {}", &example[..3], range.first);
        let Some(text) = example.strip_prefix(&begin).filter(|text| !text.contains("->")) else { continue };
        let text = text.trim_start();
        for (at, _) in text.match_indices(' ') {
            let (head, rest) = (&text[..at], &text[at + 1..]);
            let (code, enhanced) = (&example[..3], range.first);
            for joint in [" ", "\n", "\\n", "\r\n"] {
                let reply = format!("{code}-{enhanced} {head}{joint}{code} {enhanced} {rest}");
                assert_eq!(id(&reply), expected(entry), "{reply}");
                let reply =
                    format!("{code}-{enhanced} {head}{joint}{code}-{rest}{joint}{code} {enhanced} more");
                assert_eq!(id(&reply), expected(entry), "{reply}");
            }
        }
    }
}

/// The seven rows that the tool promises.
#[test]
fn service_unavailable_client_host_blocked() {
    let found = verdict("550 5.7.1 Service unavailable; client host blocked");
    assert_eq!(
        (&*found.id, found.class, found.certainty),
        ("client-host-blocked-571", Class::IpBlock, Certainty::Exact)
    );
    let entry = found.entry.expect("known");
    assert!(
        entry.root_cause.contains("block list") && entry.fix.contains("SNDS") && entry.fix.contains("delist")
    );
}

#[test]
fn remote_server_returned_message_not_accepted() {
    let found = verdict("550 5.7.350 Remote server returned message not accepted");
    assert_eq!((&*found.id, found.class), ("remote-not-accepted-350", Class::AuthSpf));
    let entry = found.entry.expect("known");
    assert!(
        entry.root_cause.contains("not authorised")
            && entry.fix.contains("SPF")
            && entry.fix.contains("JMRP")
    );
}

#[test]
fn access_denied_banned_sender_520() {
    let found = verdict(
        "550 5.7.520 Access denied, banned sender[COL0NAM10FT065.eop-nam10.prod.protection.outlook.com]",
    );
    assert_eq!((&*found.id, found.class), ("banned-sender-520", Class::IpBlock));
    let entry = found.entry.expect("known");
    assert!(entry.fix.contains("SNDS") && entry.fix.contains("audit SPF") && entry.fix.contains("delist"));
    assert!(entry.documented.as_ref().is_some_and(|words| words.contains("external forwarding")));
}

#[test]
fn access_denied_domain_does_not_match() {
    let found = verdict("550 5.7.515 Access denied, domain does not match");
    assert_eq!(
        (&*found.id, found.class, found.signal),
        ("domain-mismatch-515", Class::AuthDmarc, Signal::Auth)
    );
    let entry = found.entry.expect("known");
    assert!(
        entry.root_cause.contains("May 2025") && entry.fix.contains("DKIM") && entry.fix.contains("From")
    );
}

#[test]
fn service_unavailable_access_denied_ip() {
    let found = verdict("550 5.7.708 Service unavailable. Access denied (IP)");
    assert_eq!((&*found.id, found.class), ("sending-limit-ip-708", Class::IpBlock));
    let entry = found.entry.expect("known");
    assert!(entry.fix.contains("rate") && entry.fix.contains("reputation"));
}

#[test]
fn connection_refused_new_domain() {
    for dash in ["—", "-", "--", ","] {
        let blank = if dash == "," { "" } else { " " };
        let found = verdict(&format!("421 4.7.650 Connection refused{blank}{dash} new domain"));
        assert_eq!(
            (&*found.id, found.class, found.signal),
            ("new-domain-650", Class::NewSender, Signal::Throttle)
        );
        assert_eq!(found.entry.expect("known").temporality, Temporality::Temp);
    }
}

#[test]
fn temporary_service_unavailable() {
    let found = verdict("451 4.7.650 Temporary service unavailable");
    assert_eq!((&*found.id, found.class), ("temporary-unavailable-650", Class::RateLimit));
    assert!(!found.class.is_block());
    assert!(found.entry.expect("known").fix.contains("exponential"));
}

#[test]
fn bare_ambiguous_codes_are_never_a_block() {
    for (reply, want) in [
        ("550 5.7.1", "ambiguous-571"),
        ("550 5.7.520", "ambiguous-520"),
        ("550 5.7.520 Access denied", "ambiguous-520"),
        ("550 5.7.1 Zugriff verweigert", "ambiguous-571"),
    ] {
        let found = verdict(reply);
        assert_eq!((&*found.id, found.class, found.signal), (want, Class::Unknown, Signal::Skip), "{reply}");
    }
    let codes = Answer::Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) };
    let found = catalogue().classify(&codes);
    assert_eq!(
        (&*found.id, found.class, found.certainty),
        ("ambiguous-571", Class::Unknown, Certainty::Code)
    );
}

#[test]
fn precedence() {
    // A text with the code goes before a text that another code has.
    assert_eq!(id("550 5.7.511 Access denied, banned sender[192.0.2.1]"), "banned-sender-511");
    assert_eq!(id("550 5.7.502 Access denied, banned sender"), "banned-account-502");
    assert_eq!(id("550 5.7.800 Access denied, banned sender"), "banned-domain-800");
    // The text alone: 20 characters; the code is missing or says something else.
    let found = verdict(
        "Unfortunately, messages from [192.0.2.1] weren't sent. part of their network is on our block list (S3140).",
    );
    assert_eq!((&*found.id, found.certainty), ("block-list-s3140", Certainty::Text));
    let found = verdict("554 5.0.0 part of their network is on our block list");
    assert_eq!((&*found.id, found.certainty), ("block-list-untagged", Certainty::Text));
    // 17 characters say nothing without the code.
    assert_eq!(id("550 5.9.9 banned sending IP"), "unknown-5.9.9");
    // The code alone.
    let found = verdict("451 4.7.650 D\u{e9}lai d\u{e9}pass\u{e9} pour [192.0.2.1]");
    assert_eq!((&*found.id, found.certainty, found.signal), ("code-only-650", Certainty::Code, Signal::Busy));
    assert_eq!(id("451 4.7.588"), "code-only-500-699");
    assert_eq!(id("550 5.7.649 Nein"), "code-only-banned-ip");
    // No enhanced code: the entries without one first, then the others by the three digits.
    assert_eq!(id("550 Requested action not taken: mailbox unavailable"), "mailbox-unavailable-legacy");
    let found = verdict("550 Access denied, banned sending IP [192.0.2.1]");
    assert_eq!((&*found.id, found.certainty), ("banned-sending-ip", Certainty::Exact));
    // A tenant's own list is no block of Microsoft's, whatever the words resemble.
    let found = verdict(
        "550 5.7.513 Service unavailable, Client host [192.0.2.1] blocked by recipient's block list. (AS16012607)",
    );
    assert_eq!((&*found.id, found.class), ("customer-block-list-513", Class::TenantPolicy));
}

#[test]
fn nested_replies() {
    let throttle = "451 4.7.650 The mail server [192.0.2.30] has been temporarily rate limited due to IP reputation. (S775)";
    for outer in [
        format!("550 5.4.7 Remote Server returned '{throttle}'"),
        format!("550 4.4.7 QUEUE.Expired; message expired, last reply was \"{throttle}\" and no more"),
        format!(
            "550 4.4.7 QUEUE.Expired; message expired <hotmail-com.olc.protection.outlook.com #4.7.650 smtp;{throttle}>"
        ),
        format!("554 5.4.7 Remote Server returned '<[192.0.2.1] #4.7.650 SMTP; {throttle}>'"),
        format!(
            "550 4.4.7 QUEUE.Expired; message expired [{{LRT=5/12/2026 7:55:00 AM}};{{LED={throttle}}};{{FQDN=x}}]"
        ),
        format!("Remote Server returned \u{2018}{throttle}\u{2019}"),
    ] {
        assert_eq!(id(&outer), "ip-rate-limited-650", "{outer}");
    }
    let block = "550 5.7.1 Unfortunately, messages from [192.0.2.10] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).";
    assert_eq!(
        id(&format!("550 4.4.7 QUEUE.Expired; message expired 'Remote Server returned \"{block}\"'")),
        "block-list-s3150"
    );
    // The inner reply is not known: the outer one decides.
    assert_eq!(
        id("450 4.7.0 Proxy session setup failed on Frontend with '451 4.4.0 Primary target IP address'"),
        "proxy-session-failed-470"
    );
    // Behind an arrow another server speaks.
    let arrow = "550 5.7.350 Remote server returned message detected as spam -> 550 5.7.606 Access denied, banned sending IP [192.0.2.1]";
    assert_eq!(id(arrow), "remote-detected-spam-350");
    assert_eq!(id(&format!("550 5.4.7 Remote Server returned '{arrow}'")), "remote-detected-spam-350");
    let layers = catalogue().layers(arrow.as_bytes());
    assert_eq!(layers.len(), 2);
    assert!(layers[1].foreign && layers[1].verdict.id == "banned-sending-ip");
}

#[test]
fn answers_without_text() {
    assert_eq!(&*catalogue().classify(&Answer::Nobody).id, "no-reply");
    let accepted = verdict(
        "250 2.6.0 <p1@example.com> [InternalId=85, Hostname=SJ0PR17MB4821.namprd17.prod.outlook.com] Queued mail for delivery -> 250 2.1.5",
    );
    assert_eq!((&*accepted.id, accepted.class, accepted.signal), ("accepted", Class::Accepted, Signal::Pass));
    let codes = |smtp, enhanced| catalogue().classify(&Answer::Codes { smtp, enhanced });
    assert_eq!(&*codes(None, Some(Enhanced(2, 0, 0))).id, "accepted");
    assert_eq!(&*codes(Some(550), None).id, "unknown-550");
    assert_eq!(&*codes(None, None).id, "unknown-none");
}

#[test]
fn what_is_not_known_is_classed_by_its_subject_and_is_no_block() {
    for (reply, want, class, signal) in [
        ("550 5.1.99 x", "unknown-5.1.99", Class::Recipient, Signal::Pass),
        (
            "452 4.2.2 The email account that you tried to reach is over quota",
            "unknown-4.2.2",
            Class::Quota,
            Signal::Pass,
        ),
        ("550 5.2.9 x", "unknown-5.2.9", Class::Recipient, Signal::Pass),
        ("451 4.3.99 x", "unknown-4.3.99", Class::TransientInfrastructure, Signal::Skip),
        ("451 4.4.99 x", "unknown-4.4.99", Class::TransientInfrastructure, Signal::Skip),
        ("550 5.5.99 x", "unknown-5.5.99", Class::Protocol, Signal::Pass),
        ("550 5.6.99 x", "unknown-5.6.99", Class::Protocol, Signal::Pass),
        ("550 5.7.99 x", "unknown-5.7.99", Class::Unknown, Signal::Skip),
        ("550 5.0.0 x", "unknown-5.0.0", Class::Unknown, Signal::Skip),
        ("550", "unknown-550", Class::Unknown, Signal::Skip),
        ("", "unknown-none", Class::Unknown, Signal::Skip),
    ] {
        let found = verdict(reply);
        assert_eq!((&*found.id, found.class, found.signal), (want, class, signal), "{reply}");
        assert!(found.entry.is_none() && !found.class.is_block());
    }
}

#[test]
fn signals() {
    for entry in catalogue().entries() {
        let want = match entry.class {
            Class::IpBlock | Class::SenderBlock => vec![Signal::Block],
            Class::IpRate | Class::RateLimit | Class::NewSender => vec![Signal::Throttle, Signal::Busy],
            Class::AuthSpf | Class::AuthDkim | Class::AuthDmarc => vec![Signal::Auth],
            Class::Recipient | Class::Quota | Class::ContentSpam | Class::TenantPolicy | Class::Protocol => {
                vec![Signal::Pass]
            }
            _ => vec![Signal::Skip],
        };
        assert!(want.contains(&entry.signal), "{}", entry.id);
        let pass =
            matches!(entry.class, Class::Recipient | Class::Quota | Class::Protocol | Class::ContentSpam);
        assert!(!(pass && (entry.is_block() || verdict(&entry.example).class.is_block())), "{}", entry.id);
    }
    assert_eq!(
        verdict("451 4.7.500 Server busy. Please try again later from [192.0.2.34]. (S77719)").signal,
        Signal::Busy
    );
    assert_eq!(verdict("451 4.7.550 Access denied, please try again later").signal, Signal::Throttle);
    assert!(
        verdict("550 5.7.606 Access denied, banned sending IP [192.0.2.1].").entry.expect("known").stated
    );
}

#[test]
fn codes_at_the_start() {
    let of = |reply: &str| {
        let codes = codes(reply.as_bytes());
        (codes.smtp, codes.enhanced.map(|code| code.to_string()))
    };
    let both = |smtp, enhanced: &str| (Some(smtp), Some(enhanced.to_owned()));
    assert_eq!(of("550 5.7.1 No"), both(550, "5.7.1"));
    assert_eq!(of("550-5.7.1 No"), both(550, "5.7.1"));
    assert_eq!(of(" 550  #5.7.1 No"), both(550, "5.7.1"));
    assert_eq!(of("550 5.7.520[x"), both(550, "5.7.520"));
    assert_eq!(of("550 SC-001 (SNT004-MC1F12) No"), (Some(550), None));
    assert_eq!(of("5.7.1 No"), (None, Some("5.7.1".to_owned())));
    assert_eq!(of("550"), (Some(550), None));
    assert_eq!(of("5507 No"), (None, None));
    assert_eq!(of("No"), (None, None));
}

#[test]
fn the_data_are_whole() {
    for entry in catalogue().entries() {
        assert!(class_words(entry.class).is_some(), "classes.toml lacks {}", entry.class.name());
        assert!(
            !entry.is_block() || !entry.links.is_empty(),
            "{}: a block without an address to turn to",
            entry.id
        );
        assert!(entry.steps.iter().all(|step| step.ends_with('.') && step.len() < 300), "{}", entry.id);
    }
    for link in links() {
        let date = link.checked.len() == 10 && link.checked.starts_with("20");
        assert!(date && matches!(link.check.as_str(), "opened" | "documents"), "{}", link.id);
        assert!(link.url.starts_with("http") || link.url.starts_with("mailto:"), "{}", link.id);
        let used = catalogue().entries().iter().any(|entry| entry.links.contains(&link.id));
        assert!(used, "nothing leads to {}", link.id);
    }
}

#[test]
fn a_bad_catalogue_says_what_is_wrong() {
    let entry = |more: &str| {
        format!(
            "[[reply]]\nid = \"a\"\nsmtp_code = 550\nexample = \"550 x\"\ntemporality = \"perm\"\nclass = \"protocol\"\n\
             scope = \"none\"\nsignal = \"pass\"\nplatform = \"both\"\nroot_cause = \"x\"\nfix = \"x\"\nsteps = [\"x\"]\n\
             evidence = \"wild\"\nsource = \"x\"\n{more}\n"
        )
    };
    let error = |toml: &str| load(toml).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(load(&entry("texts = [\"hello\"]")).is_ok());
    assert!(error(&entry("")).contains("needs texts"));
    assert!(error(&entry("texts = [\"two  blanks\"]")).contains("never found"));
    assert!(error(&entry("enhanced_code = \"5.7\"")).contains("no enhanced code"));
    assert!(error(&entry("texts = [\"x\"]\nlinks = [\"nowhere\"]")).contains("links.toml"));
    assert!(error(&entry("texts = [\"x\"]").repeat(2)).contains("twice"));
    assert!(error(&entry("texts = [\"x\"]").replace("protocol", "protocoll")).contains("protocoll"));
    assert!(error(&entry("texts = [\"x\"]").replace("\"protocol\"", "\"ip-block\"")).contains("signal"));
}

proptest! {
    #[test]
    fn no_bytes_panic(reply in proptest::collection::vec(any::<u8>(), 0..400)) {
        let found = catalogue().classify(&Answer::Text(&reply));
        prop_assert!(!found.id.is_empty());
        let _ = catalogue().layers(&reply);
    }

    #[test]
    fn no_quoting_panics(reply in r#"[45]50[ -]5\.7\.1[ '"<>=a‘’“”\\n#;:-]{0,60}(smtp;550 5\.7\.1| -> |'451 4\.7\.650 x|LED=550 ){0,6}[ '"<>}]{0,8}"#) {
        let found = catalogue().classify(&Answer::Text(reply.as_bytes()));
        prop_assert!(!found.id.is_empty());
        let layers = catalogue().layers(reply.as_bytes());
        if let Some(first) = layers.first().filter(|layer| !layer.foreign) {
            prop_assert_eq!(&first.verdict.id, &found.id);
        }
    }
}
