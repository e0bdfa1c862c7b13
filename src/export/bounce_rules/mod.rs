//! The catalogue as an MTA's own rules. What an MTA makes of a class stands in `data/exports.toml`; here is only its syntax.
//!
//! | MTA | output | the first match wins |
//! | --- | --- | --- |
//! | KumoMTA | bounce classifier; automation of traffic shaping | within a class: the order of the classes is computed; automation: all that match act |
//! | PowerMTA | bounce categories; pattern list | yes |
//! | Postfix | filter of delivery status, a pcre table | yes |
//! | Exim | lookup table, and an event that logs what it finds | yes |
//! | ZoneMTA | bounce rules | yes |

mod exim;
mod kumomta;
mod patterns;
mod postfix;
mod powermta;
mod zonemta;

use clap::ValueEnum;
use regex::Regex;

use crate::microsoft::{Catalogue, Class, Entry, Evidence, catalogue_date};
use crate::record::Answer;

use patterns::{REPLY, Rule, Step, rules};

/// The MTAs that the catalogue is exported for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Bounce classifier, and automation of traffic shaping
    #[value(name = "kumomta")]
    KumoMta,
    /// Bounce categories, and a pattern list for back-off
    #[value(name = "powermta")]
    PowerMta,
    /// Filter of delivery status: mail refused for the IP's sake waits
    Postfix,
    /// Lookup table, and an event that logs the class
    Exim,
    /// Bounce rules
    #[value(name = "zonemta")]
    ZoneMta,
}

/// A part of what an MTA gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    Classes,
    Backoff,
}

/// The parts that an MTA gets.
pub fn export(catalogue: &Catalogue, target: Target) -> Vec<(Part, String)> {
    let rules = rules(catalogue.entries());
    match target {
        Target::KumoMta => vec![
            (Part::Classes, kumomta::classes(catalogue, &rules)),
            (Part::Backoff, kumomta::shaping(catalogue, &rules)),
        ],
        Target::PowerMta => vec![
            (Part::Classes, powermta::classes(&rules)),
            (Part::Backoff, powermta::backoff(catalogue, &rules)),
        ],
        Target::Postfix => vec![(Part::Classes, postfix::table(&rules))],
        Target::Exim => vec![(Part::Classes, exim::table(&rules))],
        Target::ZoneMta => vec![(Part::Classes, zonemta::list(&rules))],
    }
}

/// The head that all outputs share, then the lines of this one.
fn head(what: &str, lines: &str) -> String {
    let mut text = format!(
        "# {what}\n# Made by eopwatch {} from its catalogue of Microsoft's replies (built-in part last checked on {}).\n#\n",
        env!("CARGO_PKG_VERSION"),
        catalogue_date()
    );
    for line in lines.trim_matches('\n').lines() {
        text.push('#');
        if !line.is_empty() {
            text.push(' ');
            text.push_str(line);
        }
        text.push('\n');
    }
    text.push_str(
        "#\n# The patterns know a reply in one line, as the MTA shows it. What they cannot do and `eopwatch explain` can: look into a\n\
         # reply that quotes another one, and find words that a reply of several lines breaks apart. Behind an arrow (`->`)\n\
         # another server than Microsoft's speaks; the patterns do not look there.\n",
    );
    text
}

/// What stands above a step's first rule.
fn heading(step: Step) -> &'static str {
    match step {
        Step::CodeAndText => "# --- Text and code agree ---\n",
        Step::DigitsAndText => "# --- The reply has no enhanced code: text and three digits agree ---\n",
        Step::TextAlone => "# --- The code says something else, or is missing: the text alone ---\n",
        Step::CodeAlone => {
            "# --- The code alone. Codes such as 5.7.1 or 5.2.2 are not Microsoft's only: keep these last ---\n"
        }
    }
}

/// The comment of a rule: whole at an entry's first rule, else its name.
fn comment(rule: &Rule<'_>, indent: &str) -> String {
    let entry = rule.entry;
    if rule.again {
        return format!("{indent}# {} ({})\n", entry.id, entry.class.name());
    }
    let code = match entry.enhanced {
        Some(range) => format!("{} {range}", entry.smtp_code),
        None => entry.smtp_code.to_string(),
    };
    let own = if entry.evidence == Evidence::Own { ", your own rule" } else { "" };
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "{indent}# {} ({}, {code}{own}): {}\n{indent}#   Do: {}\n",
        entry.id,
        entry.class.name(),
        line(&entry.root_cause),
        line(&entry.fix)
    )
}

/// Writes rules one after the other, each below its comment, with a heading a step.
fn listed(rules: &[Rule<'_>], indent: &str, mut line: impl FnMut(&Rule<'_>) -> String) -> String {
    let mut text = String::new();
    let mut step = None;
    for rule in rules {
        if step != Some(rule.step) {
            text.push('\n');
            text.push_str(indent);
            text.push_str(heading(rule.step));
            step = Some(rule.step);
        }
        text.push_str(&comment(rule, indent));
        text.push_str(&line(rule));
    }
    text
}

/// Says which rules do not stand in the list; nothing where all do.
fn left_out<'r, 'c: 'r>(rules: impl Iterator<Item = &'r Rule<'c>>, why: &str) -> String {
    let mut text = String::new();
    for rule in rules {
        let how = match rule.step {
            Step::CodeAndText => "code and text",
            Step::DigitsAndText => "digits and text",
            Step::TextAlone => "text alone",
            Step::CodeAlone => "code alone",
        };
        text.push_str(&format!("#   {} ({how})\n", rule.entry.id));
    }
    if text.is_empty() { text } else { format!("\n# Left out: {why}\n{text}") }
}

/// Each example of the catalogue with the entry that it is: with the user's rules, that may be another one than its own.
fn examples(catalogue: &Catalogue) -> Vec<(&Entry, &str)> {
    let examples = catalogue.entries().iter().map(|entry| entry.example.as_str());
    let known = |example: &str| catalogue.classify(&Answer::Text(example.as_bytes())).entry;
    examples.filter_map(|example| Some((known(example)?, example))).collect()
}

/// A rule of a list where all that match act.
struct Acting<'r, 'c> {
    rule: &'r Rule<'c>,
    /// Rules of replies that get another action, and that this rule would take as well.
    rivals: Vec<&'r Rule<'c>>,
}

/// The rules for one action. A text alone says too little for that, so it is left out.
fn acting<'r, 'c>(
    catalogue: &Catalogue,
    rules: &'r [Rule<'c>],
    action: impl Fn(&Entry) -> Option<String>,
    wanted: &str,
) -> Vec<Acting<'r, 'c>> {
    // What gets another action: the example, and the rule that knows it.
    let others: Vec<(&str, &Rule<'_>)> = examples(catalogue)
        .into_iter()
        .filter(|(entry, _)| action(entry).as_deref() != Some(wanted))
        .filter_map(|(entry, example)| Some((example, rules.iter().find(|rule| rule.entry.id == entry.id)?)))
        .collect();
    let wanted = rules
        .iter()
        .filter(|rule| rule.step != Step::TextAlone && action(rule.entry).as_deref() == Some(wanted));
    let found = wanted.filter_map(|rule| {
        let pattern = Regex::new(&format!("(?i){}", rule.pattern(&REPLY))).ok()?;
        let taken = others.iter().filter(|(example, _)| pattern.is_match(example));
        Some(Acting { rule, rivals: taken.map(|(_, rival)| *rival).collect() })
    });
    found.collect()
}

/// Whether a reply of this class may be told to an MTA: an accepted one is none.
fn is_refusal(entry: &Entry) -> bool {
    entry.class != Class::Accepted
}
