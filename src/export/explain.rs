//! `explain` as text for people, as Markdown and as JSON, and the list of the catalogue.
//!
//! Everything that comes from the input has been cleaned of control characters by [`crate::microsoft::explain`]; it is
//! cleaned once more where it is printed, since it is hostile.

use std::fmt::Write;
use std::net::IpAddr;

use super::page::{self, Below, Block, Bullet, Line, Span, ours};
use crate::control::{Command, Does, Mta, Names};
use crate::microsoft::explain::{Explanation, Input, Match, clean};
use crate::microsoft::{
    Catalogue, Certainty, Entry, Link, Scope, Service, Temporality, city, class_words, datacenter, guides,
    link, region_name,
};

/// More of a pasted reply is not shown again.
const ECHO: usize = 600;

/// The contract's object, indented, with a line feed at its end.
pub fn json(explanation: &Explanation) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(explanation)?;
    text.push('\n');
    Ok(text)
}

/// What a pasted log line tells beside the reply.
#[derive(Debug, Default)]
pub struct Aside {
    /// The commands of the MTA, and the names to put in.
    pub commands: Option<(&'static Mta, Names)>,
    /// The address that the log says it sent from.
    pub logged_ip: Option<IpAddr>,
}

/// For people, wrapped to `width` columns.
pub fn text(explanation: &Explanation, aside: &Aside, width: usize) -> String {
    page::text(&document(explanation, aside), width)
}

/// For tickets and wikis. What comes from the input is nothing but code in it.
pub fn markdown(explanation: &Explanation, aside: &Aside) -> String {
    page::markdown(&document(explanation, aside))
}

fn document(explanation: &Explanation, aside: &Aside) -> Vec<Block> {
    let mut page = Page { blocks: Vec::new() };
    let asked = explanation.reply.as_deref().unwrap_or(&explanation.input);
    let asked = shorten(&clean(asked).replace(['\n', '\t'], " "), ECHO);
    if explanation.matches.is_empty() {
        let line = vec![Span::Ours("Nothing in the catalogue fits: ".to_owned()), Span::Input(asked)];
        page.blocks.push(Block::Paragraph(line));
        page.paragraph("Give a code (5.7.1, 550 5.7.520), a tag (S3140) or the whole reply, from its three digits to the host in brackets at its end.");
        return page.blocks;
    }
    page.blocks.push(Block::Paragraph(vec![Span::Input(asked)]));
    page.blank();
    if explanation.kind == Input::Code && explanation.matches.len() > 1 {
        page.paragraph(format!(
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
            page.full(found, aside.logged_ip.filter(|_| index == 0));
        } else {
            page.brief(found);
        }
    }
    if let Some((mta, names)) = &aside.commands {
        page.blank();
        page.commands(mta, names);
    }
    page.blocks
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

/// The catalogue as a list in Markdown.
pub fn list_markdown() -> String {
    let bullet = |entry: &Entry| {
        let code = entry.enhanced.map(|code| format!(" {code}")).unwrap_or_default();
        let words = entry.texts.first().map_or("(the code alone)", String::as_str);
        let class = entry.class.name();
        let service = service(entry.platform);
        Bullet::plain(format!("{}{code}: {} ({class}, {service}): {words}", entry.smtp_code, entry.id))
    };
    page::markdown(&[Block::Bullets("Catalogue", Catalogue::active().entries().iter().map(bullet).collect())])
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
    blocks: Vec<Block>,
}

impl Page {
    fn blank(&mut self) {
        self.blocks.push(Block::Blank);
    }

    fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(ours(text)));
    }

    fn line(&mut self, name: &'static str, text: impl Into<String>) {
        self.blocks.push(Block::Named(name, ours(text)));
    }

    fn bullets(&mut self, name: &'static str, items: Vec<Bullet>) {
        if !items.is_empty() {
            self.blocks.push(Block::Bullets(name, items));
        }
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
        let title = format!("{} · {}{kind}", found.reply_id, found.class.name());
        self.blocks.push(Block::Title(2, ours(title)));
    }

    /// Where only the code fits.
    fn brief(&mut self, found: &Match) {
        self.title(found);
        if let Some(words) = found.entry.and_then(|entry| entry.texts.first()) {
            self.line("Words", format!("\"{words}\""));
        }
        if let Some(cause) = &found.root_cause {
            self.line("Cause", cause);
        }
        if let Some(fix) = &found.fix {
            self.line("Fix", fix);
        }
    }

    fn full(&mut self, found: &Match, logged_ip: Option<IpAddr>) {
        self.title(found);
        let words = class_words(found.class);
        if let Some(words) = words {
            self.line("What", &words.what);
        }
        self.line("How sure", how_sure(found));
        self.line("Codes", code_line(found));
        if !found.ips.is_empty() {
            let ips: Vec<String> = found.ips.iter().map(ToString::to_string).collect();
            self.line(
                "Sending IP",
                format!("{}, as Microsoft sees it: check that it is the one you mean", ips.join(", ")),
            );
        }
        if let (Some(logged), Some(quoted)) = (logged_ip, found.ips.first())
            && !found.ips.contains(&logged)
        {
            self.line("OTHER IP", format!(
                "The log says that it was sent from {logged}, Microsoft saw {quoted} (a NAT, a smarthost or a shared relay): whatever is asked for, ask it for {quoted}."
            ));
        }
        if let Some(host) = &found.datacenter_host {
            self.blocks.push(Block::Named("Answered by", place(host)));
        }
        if let Some(cause) = &found.root_cause {
            self.line("Root cause", cause);
        }
        if let Some(words) = words {
            let scope = found.scope.map(scope_words).unwrap_or_default();
            self.line("Concerns", format!("{scope}{}", words.blocked));
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
        if !found.steps.is_empty() {
            self.blocks.push(Block::Numbered("Steps", found.steps.iter().map(ours).collect()));
        }
        let links: Vec<&Link> = found.entry.map(links).unwrap_or_default();
        self.bullets("Have ready", have_ready(&links));
        self.bullets("Where", links.iter().map(|link| where_to(link)).collect());
        let avoid = words.into_iter().flat_map(|words| &words.avoid);
        self.bullets("Not to do", avoid.map(Bullet::plain).collect());
        let guides: Vec<&str> = guides()
            .iter()
            .filter(|guide| !found.foreign && guide.classes.contains(&found.class))
            .map(|guide| guide.id.as_str())
            .collect();
        if !guides.is_empty() {
            self.line("Guides", format!("eopwatch explain --guide TOPIC: {}", guides.join(", ")));
        }
    }

    fn commands(&mut self, mta: &Mta, names: &Names) {
        let title = format!("{} · to hold, slow down and release it; eopwatch runs none of it", mta.name);
        self.blocks.push(Block::Title(2, ours(title)));
        if let Some(note) = &mta.note {
            self.line("Note", note);
        }
        self.line("Fill in", "Words in capitals are yours to put in. Read a line before you run it: it is a proposal, made of data and of the pasted line.");
        for (does, name) in [(Does::Hold, "Hold"), (Does::Slow, "Slow down"), (Does::Release, "Release")] {
            let commands = mta.commands.iter().filter(|command| command.does == does);
            let bullet = |command: &Command| Bullet {
                text: ours(format!("{} ({})", names.fill(&command.what), command.source)),
                below: Some(Below::Command(names.fill(&command.line))),
            };
            self.bullets(name, commands.map(bullet).collect());
        }
        self.line("Checked", format!("{}, against the documents named", mta.checked));
    }
}

/// Where an entry says to go.
pub(super) fn links(entry: &Entry) -> Vec<&'static Link> {
    entry.links.iter().filter_map(|id| link(id)).collect()
}

/// What to have at hand before going there.
pub(super) fn have_ready(links: &[&Link]) -> Vec<Bullet> {
    let ready = links.iter().filter(|link| !link.ready.is_empty());
    ready.map(|link| Bullet::plain(format!("{}: {}.", link.name, link.ready.join("; ")))).collect()
}

/// What a link is for, and on a line of its own, so that it can be copied, where it leads.
pub(super) fn where_to(link: &Link) -> Bullet {
    let how = if link.check == "opened" { "opened" } else { "against documents" };
    let what = format!("{} (last checked {}, {how}): {}", link.name, link.checked, link.what);
    let former = match (&link.former, &link.moved) {
        (Some(former), Some(moved)) => format!(" (until {moved}: {former} )"),
        (Some(former), None) => format!(" (formerly {former} )"),
        _ => String::new(),
    };
    Bullet { text: ours(what), below: Some(Below::Address(link.url.clone(), former)) }
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

fn place(host: &str) -> Line {
    let center = datacenter(host.as_bytes());
    let mut line = String::new();
    if let Some(forest) = &center.forest {
        let _ = write!(line, ", forest {forest}");
    }
    if let Some(region) = &center.region {
        let _ = write!(line, ", {}", region_name(region).unwrap_or(region));
        if let Some(city) = center.site.as_deref().and_then(|site| city(site, region)) {
            let _ = write!(line, ", {}", city.city);
        }
    }
    vec![Span::Input(clean(host)), Span::Ours(line)]
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

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
