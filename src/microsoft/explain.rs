//! What a code, a tag, a reply, a log line or a bounce means. The object is the contract's `eopwatch.explain/1`.

use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::catalogue::{Catalogue, Nested};
use super::entry::{Entry, Scope, Service, Temporality, is_address};
use super::pasted::unwrapped;
use super::verdict::{Certainty, ReplyCodes, Verdict, codes};
use super::{Class, hosts};
use crate::record::{Answer, Enhanced};

/// What the input was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// `5.7.1`, `550 5.7.520`: all variants are listed.
    Code,
    /// `S3140`, or the id of an entry.
    Tag,
    /// A reply, alone or inside a log line or bounce.
    Reply,
}

/// The answer to `explain`.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// Name and version of this object.
    pub schema: &'static str,
    /// What was asked, without control characters.
    pub input: String,
    /// By likelihood; empty where nothing was found.
    pub matches: Vec<Match>,
    /// What the input was taken for.
    #[serde(skip)]
    pub kind: Input,
    /// The reply that was found in the input, in one line and without control characters.
    #[serde(skip)]
    pub reply: Option<String>,
}

/// One reading.
#[derive(Debug, Serialize)]
pub struct Match {
    pub reply_id: String,
    pub certainty: Certainty,
    pub class: Class,
    pub is_block: bool,
    pub scope: Option<Scope>,
    pub temporality: Option<Temporality>,
    pub platform: Option<Service>,
    pub smtp_code: Option<u16>,
    pub enhanced_code: Option<String>,
    pub tag: Option<String>,
    /// The sender's addresses that Microsoft quotes.
    pub ips: Vec<IpAddr>,
    pub datacenter_host: Option<String>,
    pub forest: Option<String>,
    pub root_cause: Option<String>,
    pub fix: Option<String>,
    pub steps: Vec<String>,
    /// Addresses: today's, then the former ones that people still know.
    pub links: Vec<String>,
    pub evidence: Option<&'static str>,
    /// The catalogue's entry.
    #[serde(skip)]
    pub entry: Option<&'static Entry>,
    /// Another server than Microsoft's said it.
    #[serde(skip)]
    pub foreign: bool,
}

/// Explains an input; see [`Input`].
pub fn explain(input: &str) -> Explanation {
    let catalogue = Catalogue::active();
    let line = one_line(&unwrapped(input));
    let explanation = |kind, matches, reply| explanation(input, kind, matches, reply);
    if let Some(codes) = bare_code(&line) {
        return explanation(Input::Code, by_code(catalogue, codes), None);
    }
    if line.is_empty() {
        return explanation(Input::Reply, Vec::new(), None);
    }
    if !line.contains(' ') && line.len() <= 48 {
        let matches = by_tag(catalogue, &line);
        if !matches.is_empty() {
            return explanation(Input::Tag, matches, None);
        }
    }
    let reply = find_reply(&line);
    let matches = by_reply(catalogue, &reply);
    explanation(Input::Reply, matches, Some(reply))
}

/// Explains a reply that is known to be the one meant in `input`: whoever can read the log found it.
pub fn explain_reply(input: &str, reply: &str) -> Explanation {
    let reply = one_line(reply);
    explanation(input, Input::Reply, by_reply(Catalogue::active(), &reply), Some(reply))
}

fn explanation(input: &str, kind: Input, matches: Vec<Match>, reply: Option<String>) -> Explanation {
    Explanation { schema: "eopwatch.explain/1", input: clean(input.trim()), matches, kind, reply }
}

/// Without control characters, but for line feeds and tabs, and without characters that turn the writing direction.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| *c != '\r').map(|c| if is_hostile(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that a terminal may obey or that hide others.
fn is_hostile(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// In one line, without control characters, and without the `>` of quoted mail.
fn one_line(input: &str) -> String {
    let mut line = String::with_capacity(input.len().min(1 << 16));
    for part in input.lines().map(unquoted) {
        for word in part.split_whitespace() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word.chars().filter(|c| !is_hostile(*c)));
        }
    }
    line
}

/// Without what mail programs put before quoted lines. A lone `>` without a blank may close an address.
fn unquoted(line: &str) -> &str {
    let mut line = line.trim_start();
    loop {
        let marks = line.bytes().take_while(|byte| *byte == b'>').count();
        match line[marks..].strip_prefix(' ') {
            Some(rest) if marks > 0 => line = rest.trim_start(),
            _ => return line,
        }
    }
}

fn regex(cell: &'static LazyLock<Option<Regex>>) -> Option<&'static Regex> {
    cell.as_ref()
}

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}

pattern!(BARE, r"^([2-5]\d\d)?[ -]?#?([245]\.\d{1,3}\.\d{1,3})?$");
pattern!(STARTS, r"^[2-5]\d\d(?:[ -]|$)");
pattern!(
    CODED,
    r#"(?:^|[\s;"'(<>=:{\[])((?:2\d\d[ -]#?2|4\d\d[ -]#?4|5\d\d[ -]#?5)\.\d{1,3}\.\d{1,3}(?:[\s\[\]()<>:;,].*|$))"#
);
pattern!(OLD, r"(?:^|\W)([245]\d\d[ -][A-Za-z]{2}-\d{3}\b.*)");
pattern!(
    MARKED,
    r#"(?i)(?:said:|smtp;|talk to me:|error from remote mail server after [^:]*:(?:<[^>]*>)?[^:]*:|reply:|status=\w+ \(|response="?|rejected:|deferred:|stat="?)\s*([245]\d\d[ -].*)"#
);
pattern!(JSON_CODE, r#""(?:result_)?code"\s*:\s*"?([245]\d\d)"#);
pattern!(
    JSON_PARTS,
    r#""class"\s*:\s*([245])\s*,\s*"subject"\s*:\s*(\d{1,3})\s*,\s*"detail"\s*:\s*(\d{1,3})"#
);
pattern!(JSON_ENHANCED, r#""(?:status|result_enhanced)"\s*:\s*"([245]\.\d{1,3}\.\d{1,3})"#);
pattern!(JSON_TEXT, r#""(?:content|description|result_reason)"\s*:\s*"((?:[^"\\]|\\.)*)"#);

fn bare_code(line: &str) -> Option<ReplyCodes> {
    let found = regex(&BARE)?.captures(line)?;
    let smtp = found.get(1).and_then(|code| code.as_str().parse().ok());
    let enhanced =
        found.get(2).and_then(|code| Enhanced::at_start(code.as_str().as_bytes())).map(|(code, _)| code);
    (smtp.is_some() || enhanced.is_some()).then_some(ReplyCodes { smtp, enhanced })
}

/// The reply in a log line or bounce; where there is none, all of it.
fn find_reply(line: &str) -> String {
    let group = |cell| {
        let found = regex(cell)?.captures(line)?;
        found.get(1).map(|reply| reply.as_str())
    };
    if regex(&STARTS).is_some_and(|starts| starts.is_match(line)) {
        return line.to_owned();
    }
    if let Some(reply) = group(&CODED).or_else(|| group(&OLD)).or_else(|| group(&MARKED)) {
        let end = reply.find(" (in reply to ").unwrap_or(reply.len());
        return reply[..end].to_owned();
    }
    let Some(text) = group(&JSON_TEXT) else { return line.to_owned() };
    let parts = regex(&JSON_PARTS).and_then(|parts| parts.captures(line));
    let enhanced = match parts {
        Some(parts) => format!("{}.{}.{} ", &parts[1], &parts[2], &parts[3]),
        None => group(&JSON_ENHANCED).map(|code| format!("{code} ")).unwrap_or_default(),
    };
    let code = group(&JSON_CODE).map(|code| format!("{code} ")).unwrap_or_default();
    format!("{code}{enhanced}{}", text.replace("\\\"", "\"").replace("\\n", " "))
}

fn by_reply(catalogue: &'static Catalogue, reply: &str) -> Vec<Match> {
    let bytes = reply.as_bytes();
    let own = codes(bytes);
    let verdict = catalogue.classify(&Answer::Text(bytes));
    let about = |found: Match| about(found, bytes);
    if verdict.class == Class::Accepted {
        let mut found = about(of_verdict(&verdict, own));
        found.root_cause = Some("Microsoft took the message: nothing to do.".to_owned());
        return vec![found];
    }
    if verdict.entry.is_none() {
        // RFC 3463's subject may still tell the class.
        return match verdict.class {
            Class::Unknown => Vec::new(),
            _ => vec![about(of_verdict(&verdict, own))],
        };
    }
    let mut layers = catalogue.layers(bytes);
    if layers.is_empty() {
        layers.push(Nested { verdict: verdict.clone(), codes: own, foreign: false });
    }
    let mut matches: Vec<Match> = Vec::new();
    for layer in layers {
        if matches.iter().any(|found| found.reply_id == layer.verdict.id) {
            continue;
        }
        let found = of_verdict(&layer.verdict, layer.codes);
        matches.push(if layer.foreign { Match { foreign: true, ..found } } else { about(found) });
    }
    if verdict.certainty == Certainty::Code {
        // The words are not known: the other readings of the code, as guesses.
        for entry in variants(catalogue, own) {
            if matches.iter().all(|found| found.reply_id != entry.id) {
                matches.push(about(of_entry(entry, Certainty::Guess, own)));
            }
        }
    }
    matches
}

/// Adds what the reply tells about sender and answerer.
fn about(found: Match, reply: &[u8]) -> Match {
    let mut ips: Vec<IpAddr> = Vec::new();
    for ip in hosts::quoted_ips(reply) {
        if !ips.contains(&ip) && ips.len() < 16 {
            ips.push(ip);
        }
    }
    let host = hosts::host_tag(reply);
    Match {
        ips,
        datacenter_host: host.map(|host| String::from_utf8_lossy(host).into_owned()),
        forest: host.and_then(|host| hosts::datacenter(host).forest),
        ..found
    }
}

fn by_code(catalogue: &'static Catalogue, asked: ReplyCodes) -> Vec<Match> {
    let verdict = catalogue.classify(&Answer::Codes { smtp: asked.smtp, enhanced: asked.enhanced });
    let mut matches = Vec::new();
    if verdict.entry.is_some() || verdict.class == Class::Accepted {
        matches.push(of_verdict(&verdict, asked));
    }
    for entry in variants(catalogue, asked) {
        if verdict.id != entry.id.as_str() {
            matches.push(of_entry(entry, Certainty::Code, asked));
        }
    }
    matches
}

/// All entries that may stand behind the codes, the likeliest first.
fn variants(catalogue: &'static Catalogue, asked: ReplyCodes) -> Vec<&'static Entry> {
    let mut entries: Vec<&Entry> = catalogue
        .entries()
        .iter()
        .filter(|entry| match asked.enhanced {
            Some(code) => entry.enhanced.is_some_and(|range| range.contains(code)),
            None => asked.smtp == Some(entry.smtp_code),
        })
        .collect();
    // Stable: file order within.
    entries.sort_by_key(|entry| {
        let other_digits = asked.smtp.is_some_and(|code| code != entry.smtp_code);
        let has_code = asked.enhanced.is_none() && entry.enhanced.is_some();
        (other_digits, has_code, entry.evidence)
    });
    entries
}

fn by_tag(catalogue: &'static Catalogue, asked: &str) -> Vec<Match> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| !matches!(c, '(' | ')' | '[' | ']')).flat_map(char::to_uppercase).collect()
    };
    let tag = plain(asked);
    if tag.len() < 3 {
        return Vec::new();
    }
    let numbered = tag.bytes().any(|byte| byte.is_ascii_digit());
    let names = |text: &str| {
        numbered && plain(text).split([' ', ',', ';']).any(|word| word.trim_end_matches('.') == tag)
    };
    // `PRX4` is one of the family `PRX`, `S77714` begins with the text `(S777`.
    let family = |text: &str| {
        let text = plain(text);
        let text = text.trim_end_matches('X');
        text.len() >= 3
            && !text.contains(' ')
            && tag.starts_with(text)
            && tag.len() > text.len()
            && tag[text.len()..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && text.bytes().any(|byte| byte.is_ascii_digit() || text.len() == 3 && byte.is_ascii_alphabetic())
    };
    let mut found: Vec<(u8, Certainty, &Entry)> = Vec::new();
    for entry in catalogue.entries() {
        let own = entry.tag.as_deref().map(plain);
        let is_texts = || entry.texts.iter().any(|text| names(text));
        let (rank, certainty) = if entry.id.eq_ignore_ascii_case(asked) || own.as_deref() == Some(&tag) {
            (0, Certainty::Exact)
        } else if is_texts() {
            (1, Certainty::Text)
        } else if names(&entry.example) || names(&entry.root_cause) {
            (2, Certainty::Text)
        } else if own.as_deref().is_some_and(family) || entry.texts.iter().any(|text| family(text)) {
            (3, Certainty::Guess)
        } else {
            continue;
        };
        found.push((rank, certainty, entry));
    }
    found.sort_by_key(|(rank, _, entry)| (*rank, entry.evidence));
    found.into_iter().map(|(_, certainty, entry)| of_entry(entry, certainty, ReplyCodes::default())).collect()
}

fn of_verdict(verdict: &Verdict<'static>, codes: ReplyCodes) -> Match {
    match verdict.entry {
        Some(entry) => of_entry(entry, verdict.certainty, codes),
        None => Match {
            reply_id: verdict.id.clone().into_owned(),
            certainty: verdict.certainty,
            class: verdict.class,
            is_block: verdict.class.is_block(),
            scope: None,
            temporality: None,
            platform: None,
            smtp_code: codes.smtp,
            enhanced_code: codes.enhanced.map(|code| code.to_string()),
            tag: None,
            ips: Vec::new(),
            datacenter_host: None,
            forest: None,
            root_cause: None,
            fix: None,
            steps: Vec::new(),
            links: Vec::new(),
            evidence: None,
            entry: None,
            foreign: false,
        },
    }
}

/// With the codes that the input has, else the entry's.
fn of_entry(entry: &'static Entry, certainty: Certainty, codes: ReplyCodes) -> Match {
    let links = entry.links.iter().filter_map(|id| super::link(id));
    let mut addresses: Vec<String> = Vec::new();
    let own = entry.links.iter().filter(|link| is_address(link));
    let known = links.clone().map(|link| &link.url).chain(links.filter_map(|link| link.former.as_ref()));
    for address in own.chain(known) {
        if !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }
    Match {
        reply_id: entry.id.clone(),
        certainty,
        class: entry.class,
        is_block: entry.is_block(),
        scope: Some(entry.scope),
        temporality: Some(entry.temporality),
        platform: Some(entry.platform),
        smtp_code: codes.smtp.or(Some(entry.smtp_code)),
        enhanced_code: match codes.enhanced {
            Some(code) => Some(code.to_string()),
            None => entry.enhanced.map(|range| range.to_string()),
        },
        tag: entry.tag.clone(),
        ips: Vec::new(),
        datacenter_host: None,
        forest: None,
        root_cause: Some(entry.root_cause.clone()),
        fix: Some(entry.fix.clone()),
        steps: entry.steps.clone(),
        links: addresses,
        evidence: Some(entry.evidence.words()),
        entry: Some(entry),
        foreign: false,
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
