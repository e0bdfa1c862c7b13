//! A log in UTF-16, as PowerShell and Windows editors save it, gives what its UTF-8 twin gives.

mod common;

use std::io::Write;

use common::{data, events, summary, text};

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = format!("\u{feff}{text}");
    units.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn utf16_logs_give_the_events_of_their_utf8_twins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = text(&data("real-logs/postfix/mail.log.gz")).replace("mta7", "mtä7");
    let path = folder.path().join("mail.log");
    let plain = |mut event: serde_json::Value| {
        event.as_object_mut().expect("an object").remove("file");
        event.to_string()
    };
    let seen = |arguments: &[&str]| -> Vec<String> {
        events(arguments, std::slice::from_ref(&path)).into_iter().map(plain).collect()
    };
    std::fs::write(&path, &log).expect("written");
    let expected = seen(&[]);
    assert!(expected.len() > 1000);
    for big in [false, true] {
        std::fs::write(&path, utf16(&log, big)).expect("written");
        // Also where plain files would be mapped.
        for arguments in [&[][..], &["--mmap", "always"]] {
            assert!(seen(arguments) == expected, "big endian: {big}");
        }
        let input = &summary(&[], std::slice::from_ref(&path))["inputs"][0];
        assert_eq!(input["bytes"], log.len() as u64);
        assert!(input["compression"].is_null());
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&utf16(&log, false)).expect("packed");
    std::fs::write(&path, packed.finish().expect("packed")).expect("written");
    assert!(seen(&[]) == expected);
}

/// Without indentation, equal lines follow each other (`}`), and each is needed.
#[test]
fn json_over_many_lines_is_whole() {
    let event = |to: &str| {
        format!(
            "{{\n\"eventType\": \"Bounce\",\n\"mail\": {{\n\"tags\": {{\n\"a\": {{\n}}\n}}\n}},\n\"bounce\": {{\n\"timestamp\": \
             \"2026-05-12T08:13:00Z\",\n\"bouncedRecipients\": [\n{{\n\"emailAddress\": \"{to}\",\n\"diagnosticCode\": \
             \"smtp; 550 5.7.1 no\"\n}}\n]\n}}\n}}\n"
        )
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.json");
    std::fs::write(&path, event("a@outlook.com") + &event("b@outlook.com")).expect("written");
    let found = events(&[], std::slice::from_ref(&path));
    assert_eq!(found.len(), 2, "{found:?}");
    let text = std::fs::read_to_string(&path).expect("read");
    for event in &found {
        let at = event["offset"].as_u64().expect("an offset") as usize;
        assert!(text[at..].starts_with("{\n\"eventType\""));
        assert_eq!((event["mta"].as_str(), event["smtp_code"].as_u64()), (Some("ses"), Some(550)));
    }
}
