//! `explain` as text for people and as JSON, and the list of the catalogue.
//!
//! Everything that comes from the input has been cleaned of control characters by [`crate::microsoft::explain`]; it is
//! cleaned once more where it is printed, since it is hostile.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

use crate::microsoft::explain::{Explanation, Input, Match, clean};
use crate::microsoft::{
    Catalogue, Certainty, Link, Scope, Service, Temporality, city, class_words, datacenter, link, region_name,
};

/// More of a pasted reply is not shown again.
const ECHO: usize = 600;
/// Columns that the names of the lines take.
const NAMES: usize = 12;

/// The contract's object, indented, with a line feed at its end.
pub fn json(explanation: &Explanation) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(explanation)?;
    text.push('\n');
    Ok(text)
}

/// For people, wrapped to `width` columns.
pub fn text(explanation: &Explanation, width: usize) -> String {
    let mut page = Page { out: String::new(), width: width.clamp(40, 120) };
    let asked = explanation.reply.as_deref().unwrap_or(&explanation.input);
    let asked = shorten(&clean(asked).replace(['\n', '\t'], " "), ECHO);
    if explanation.matches.is_empty() {
        page.paragraph("", &format!("Nothing in the catalogue fits: {asked}"));
        page.paragraph("", "Give a code (5.7.1, 550 5.7.520), a tag (S3140) or the whole reply, from its three digits to the host in brackets at its end.");
        return page.out;
    }
    page.paragraph("", &asked);
    page.blank();
    if explanation.kind == Input::Code && explanation.matches.len() > 1 {
        page.paragraph("", &format!(
            "The code alone leaves {} readings; the words of the reply decide. Give the whole reply to know which one it is.",
            explanation.matches.len()
        ));
        page.blank();
    }
    for (index, found) in explanation.matches.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        let guess = index > 0 && found.certainty == Certainty::Guess;
        if index == 0 || !(explanation.kind == Input::Code || guess) {
            page.full(found);
        } else {
            page.brief(found);
        }
    }
    page.out
}

/// The catalogue, one line an entry: code, id, class, what platform, the words.
pub fn list_text() -> String {
    let mut out = String::new();
    for entry in Catalogue::active().entries() {
        let code = match entry.enhanced {
            Some(code) => format!("{} {code}", entry.smtp_code),
            None => entry.smtp_code.to_string(),
        };
        let words = entry.texts.first().map_or("(the code alone)", String::as_str);
        let _ = writeln!(
            out,
            "{code:<20} {:<38} {:<24} {:<8} {words}",
            entry.id,
            entry.class.name(),
            service(entry.platform)
        );
    }
    out
}

/// The catalogue as the contract's matches, one for each entry.
pub fn list_json() -> serde_json::Result<String> {
    let matches: Vec<Match> = Catalogue::active()
        .entries()
        .iter()
        .filter_map(|entry| crate::microsoft::explain(&entry.id).matches.into_iter().next())
        .collect();
    let list = Explanation {
        schema: "eopwatch.explain/1",
        input: String::new(),
        matches,
        kind: Input::Tag,
        reply: None,
    };
    json(&list)
}

fn service(platform: Service) -> &'static str {
    match platform {
        Service::Consumer => "consumer",
        Service::M365 => "m365",
        Service::Both => "both",
    }
}

struct Page {
    out: String,
    width: usize,
}

impl Page {
    fn blank(&mut self) {
        self.out.push('\n');
    }

    /// `text` wrapped, the first line behind `lead`, the others indented as far.
    fn paragraph(&mut self, lead: &str, text: &str) {
        let indent = columns(lead);
        self.out.push_str(lead);
        let mut at = indent;
        let mut first = true;
        for word in text.split_whitespace() {
            let length = columns(word);
            if !first && at + 1 + length > self.width {
                self.out.push('\n');
                self.out.extend(std::iter::repeat_n(' ', indent));
                at = indent;
            } else if !first {
                self.out.push(' ');
                at += 1;
            }
            self.out.push_str(word);
            at += length;
            first = false;
        }
        self.out.push('\n');
    }

    fn line(&mut self, name: &str, text: &str) {
        self.paragraph(&format!("  {name:<NAMES$} "), text);
    }

    fn title(&mut self, found: &Match) {
        let kind = match (found.foreign, found.is_block) {
            (true, _) => " · said by another server",
            (false, true) => " · BLOCK",
            (false, false) if found.class.is_throttle() => " · throttle, no block",
            (false, false) => " · no block",
        };
        let cannot_tell = found.class == crate::microsoft::Class::Unknown;
        let kind = if cannot_tell { " · cannot tell" } else { kind };
        let _ = writeln!(self.out, "{} · {}{kind}", found.reply_id, found.class.name());
    }

    /// Where only the code fits.
    fn brief(&mut self, found: &Match) {
        self.title(found);
        if let Some(words) = found.entry.and_then(|entry| entry.texts.first()) {
            self.line("Words", &format!("\"{words}\""));
        }
        if let Some(cause) = &found.root_cause {
            self.line("Cause", cause);
        }
        if let Some(fix) = &found.fix {
            self.line("Fix", fix);
        }
    }

    fn full(&mut self, found: &Match) {
        self.title(found);
        let words = class_words(found.class);
        if let Some(words) = words {
            self.line("What", &words.what);
        }
        self.line("How sure", &how_sure(found));
        self.line("Codes", &code_line(found));
        if !found.ips.is_empty() {
            let ips: Vec<String> = found.ips.iter().map(ToString::to_string).collect();
            self.line(
                "Sending IP",
                &format!("{}, as Microsoft sees it: check that it is the one you mean", ips.join(", ")),
            );
        }
        if let Some(host) = &found.datacenter_host {
            self.line("Answered by", &place(host));
        }
        if let Some(cause) = &found.root_cause {
            self.line("Root cause", cause);
        }
        if let Some(words) = words {
            let scope = found.scope.map(scope_words).unwrap_or_default();
            self.line("Concerns", &format!("{scope}{}", words.blocked));
        }
        if let Some(temporality) = found.temporality {
            self.line("The message", match temporality {
                Temporality::Temp => "Waits: the MTA keeps it and retries until its queue lifetime ends; then it is lost.",
                Temporality::Perm => "Refused for good: most MTAs give up at once, so it is lost for this recipient and must be sent again once the cause is gone.",
            });
        }
        if let Some(documented) = found.entry.and_then(|entry| entry.documented.as_ref()) {
            self.line("Documents", documented);
        }
        if let Some(fix) = &found.fix {
            self.line("Fix", fix);
        }
        for (index, step) in found.steps.iter().enumerate() {
            let name = if index == 0 { "Steps" } else { "" };
            self.paragraph(&format!("  {name:<NAMES$} {}. ", index + 1), step);
        }
        let links = found.entry.into_iter().flat_map(|entry| &entry.links).filter_map(|id| link(id));
        for (index, link) in links.enumerate() {
            let name = if index == 0 { "Where" } else { "" };
            let (what, address) = where_to(link);
            self.paragraph(&format!("  {name:<NAMES$} - "), &what);
            self.paragraph(&format!("  {:<NAMES$}   ", ""), &address);
        }
        for (index, what) in words.into_iter().flat_map(|words| &words.avoid).enumerate() {
            let name = if index == 0 { "Not to do" } else { "" };
            self.paragraph(&format!("  {name:<NAMES$} - "), what);
        }
    }
}

/// What a link is for, and on a line of its own, so that it can be copied, where it leads.
fn where_to(link: &Link) -> (String, String) {
    let how = if link.check == "opened" { "opened" } else { "against documents" };
    let what = format!("{} (last checked {}, {how}): {}", link.name, link.checked, link.what);
    let former = match (&link.former, &link.moved) {
        (Some(former), Some(moved)) => format!(" (until {moved}: {former} )"),
        (Some(former), None) => format!(" (formerly {former} )"),
        _ => String::new(),
    };
    (what, format!("{}{former}", link.url))
}

fn how_sure(found: &Match) -> String {
    let certainty = match found.certainty {
        Certainty::Exact if found.entry.is_none() => "Sure.",
        Certainty::Exact => "Sure: words and code agree.",
        Certainty::Text => "Likely: the words fit, the code is missing or says something else.",
        Certainty::Code => "By the code alone: the words that would confirm it are missing or new.",
        Certainty::Guess if found.entry.is_none() => {
            "A guess: not in the catalogue; the class follows from the code (RFC 3463)."
        }
        Certainty::Guess => "A guess: one of several readings.",
    };
    match (found.evidence, found.entry) {
        (Some(evidence), Some(entry)) => {
            format!("{certainty} The entry is {evidence}: {}.", entry.source.trim_end_matches('.'))
        }
        _ => certainty.to_owned(),
    }
}

fn code_line(found: &Match) -> String {
    let mut line = found.smtp_code.map(|code| code.to_string()).unwrap_or_default();
    if let Some(code) = &found.enhanced_code {
        let _ = write!(line, " {code}");
    }
    if let Some(tag) = &found.tag {
        let _ = write!(line, ", tag {tag}");
    }
    match found.platform {
        Some(Service::Consumer) => line.push_str(", consumer (Outlook.com, Hotmail, Live, MSN)"),
        Some(Service::M365) => line.push_str(", Microsoft 365"),
        Some(Service::Both) => line.push_str(", consumer and Microsoft 365"),
        None => {}
    }
    line.trim().to_owned()
}

fn place(host: &str) -> String {
    let center = datacenter(host.as_bytes());
    let mut line = clean(host);
    if let Some(forest) = &center.forest {
        let _ = write!(line, ", forest {forest}");
    }
    if let Some(region) = &center.region {
        let _ = write!(line, ", {}", region_name(region).unwrap_or(region));
        if let Some(city) = center.site.as_deref().and_then(|site| city(site, region)) {
            let _ = write!(line, ", {}", city.city);
        }
    }
    line
}

fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Ip => "The sending IP. ",
        Scope::Domain => "The sender's domain. ",
        Scope::Sender => "The sending account. ",
        Scope::Recipient => "The recipient. ",
        Scope::Tenant => "A tenant. ",
        Scope::Content => "The message itself. ",
        Scope::None => "",
    }
}

fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
