use proptest::prelude::*;

use super::*;
use crate::export::page::columns;
use crate::microsoft::explain;

fn text(explanation: &Explanation, width: usize) -> String {
    super::text(explanation, &Aside::default(), width)
}

#[test]
fn a_reply_is_told_whole() {
    let page = text(
        &explain(
            "550 5.7.520 Access denied, banned sender[COL0NAM10FT065.eop-nam10.prod.protection.outlook.com]",
        ),
        80,
    );
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "banned-sender-520 · ip-block · BLOCK",
        "Sure: words and code agree",
        "COL0NAM10FT065",
        "nam10",
        "North America",
        "external forwarding",
        "Refused for good",
        "1. Stop bulk mail",
        "https://substrate.office.com/ip-domain-management-snds/",
        "sendersupport.olc.protection.outlook.com/snds",
        "2026-06-08",
        "last checked 20",
        "Do not keep retrying",
    ] {
        assert!(flat.contains(words), "'{words}' is missing in\n{page}");
    }
}

#[test]
fn a_bare_code_cannot_tell() {
    let page = text(&explain("5.7.1"), 100);
    assert!(page.contains("ambiguous-571 · unknown · cannot tell"), "{page}");
    assert!(page.contains("block-list-s3140") && page.contains("The code alone leaves"));
}

#[test]
fn wrapped_to_the_width() {
    for width in [40, 72, 100] {
        for entry in Catalogue::builtin().entries() {
            for line in text(&explain(&entry.example), width).lines() {
                let longest = line.split_whitespace().map(columns).max().unwrap_or(0);
                let one_word = longest + 22 > width || line.contains(" · ");
                assert!(columns(line) <= width || one_word, "{width}: {line}");
            }
        }
    }
}

#[test]
fn hostile_input_is_tamed() {
    let page = text(
        &explain("550 5.7.1 \u{1b}[31mred\u{1b}[0m \u{9b}31m \u{202e}x\u{7}\r\n\u{1b}]0;title\u{7}"),
        80,
    );
    assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{page:?}");
    assert!(text(&explain("nothing \u{1b}[2J"), 80).starts_with("Nothing in the catalogue fits: nothing"));
}

#[test]
fn the_list_has_every_entry() {
    let entries = Catalogue::builtin().entries();
    assert_eq!(list_text().lines().count(), entries.len());
    let list: serde_json::Value = serde_json::from_str(&list_json().expect("json")).expect("json");
    let listed: Vec<&str> = list["matches"]
        .as_array()
        .expect("list")
        .iter()
        .filter_map(|found| found["reply_id"].as_str())
        .collect();
    assert_eq!(listed, entries.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn no_input_panics_or_reaches_the_terminal(input in any::<String>(), width in 0usize..300) {
        let page = text(&explain(&input), width);
        prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
        let _ = json(&explain(&format!("550 5.7.1 {input}")));
    }
}
