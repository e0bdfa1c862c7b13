//! KumoMTA: rules of the bounce classifier, and automation of traffic shaping.

use std::collections::BTreeSet;

use regex::Regex;

use crate::microsoft::{Catalogue, Entry, Use, exports};

use super::patterns::{REPLY, Rule, Step};
use super::{Acting, acting, comment, examples, head, left_out};

/// A TOML literal string. Case is told by a flag: neither the classifier nor the automation ignores it.
fn literal(pattern: &str) -> String {
    format!("'(?i){}'", pattern.replace('\'', "\\x27"))
}

fn category(entry: &Entry) -> &'static str {
    exports().kumomta.of(entry).map_or("Uncategorized", |word| word.category.as_str())
}

pub(super) fn classes(catalogue: &Catalogue, rules: &[Rule<'_>]) -> String {
    let mut text = head(
        "KumoMTA: bounce classes for what Microsoft replies",
        "
KumoMTA manual, kumo.configure_bounce_classifier. Load it before the others:
  kumo.configure_bounce_classifier {
    files = {
      '/opt/kumomta/etc/policy/eopwatch-bounces.toml',
      '/opt/kumomta/share/bounce_classifier/iana.toml',
    },
  }
The first pattern that matches wins, but a class has one list: the order of the classes is computed, so that each reply of the
catalogue still finds its own class, and patterns that would take another class's reply are left out.
SpamBlock is a block of the IP, SenderBlock (not one of KumoMTA's own classes) a ban of the account, domain or tenant, RateLimited
(nor this) a throttle, AuthenticationFailed the sender's SPF, DKIM or DMARC. None of these is a reason to suppress a recipient.
The classes hold for all domains; patterns that are a code alone fit other providers' replies as well.
",
    );
    let (order, away) = ordered(catalogue, rules);
    text.push_str("\n[rules]\n");
    for name in order {
        text.push_str(&format!("{name} = [\n"));
        let of_class = rules.iter().enumerate().filter(|(_, rule)| category(rule.entry) == name);
        for (_, rule) in of_class.filter(|(at, _)| !away.contains(at)) {
            text.push_str(&comment(rule, "  "));
            text.push_str(&format!("  {},\n", literal(&rule.pattern(&REPLY))));
        }
        text.push_str("]\n\n");
    }
    let away = away.iter().map(|at| &rules[*at]);
    text.push_str(&left_out(away, "they would take replies of other classes."));
    text
}

/// The order of the categories in which each example finds its own first, and the rules that stand in the way of one.
fn ordered(catalogue: &Catalogue, rules: &[Rule<'_>]) -> (Vec<&'static str>, BTreeSet<usize>) {
    let patterns: Vec<Option<Regex>> =
        rules.iter().map(|rule| Regex::new(&format!("(?i){}", rule.pattern(&REPLY))).ok()).collect();
    // For each example: its category, and the rules of others that match it too.
    let mut rivals: Vec<(&str, Vec<usize>)> = Vec::new();
    for (entry, example) in examples(catalogue) {
        let own = category(entry);
        let matching =
            patterns.iter().enumerate().filter(|(_, p)| p.as_ref().is_some_and(|p| p.is_match(example)));
        rivals
            .push((own, matching.map(|(at, _)| at).filter(|at| category(rules[*at].entry) != own).collect()));
    }
    let mut waiting: Vec<&'static str> = Vec::new();
    for rule in rules {
        if !waiting.contains(&category(rule.entry)) {
            waiting.push(category(rule.entry));
        }
    }
    let mut left_out = BTreeSet::new();
    let mut order = Vec::new();
    while !waiting.is_empty() {
        // What a category would take from those that come after it.
        let taken = |name: &str, left_out: &BTreeSet<usize>| -> BTreeSet<usize> {
            let others = rivals.iter().filter(|(own, _)| *own != name && waiting.contains(own));
            let rules_of = others.flat_map(|(_, rivals)| rivals.iter().copied());
            rules_of.filter(|at| category(rules[*at].entry) == name && !left_out.contains(at)).collect()
        };
        // A text alone can be done without; what is known by its code cannot.
        let cost = |away: &BTreeSet<usize>| {
            (away.iter().filter(|at| rules[**at].step != Step::TextAlone).count(), away.len())
        };
        let least = (0..waiting.len()).min_by_key(|at| cost(&taken(waiting[*at], &left_out)));
        let Some(next) = least else { break };
        let away = taken(waiting[next], &left_out);
        left_out.extend(away);
        order.push(waiting.remove(next));
    }
    (order, left_out)
}

pub(super) fn shaping(catalogue: &Catalogue, rules: &[Rule<'_>]) -> String {
    let mut text = head(
        "KumoMTA: automation of traffic shaping at what Microsoft says of the sender",
        "
KumoMTA manual, \"Traffic Shaping Automation\" and kumo.shaping.load. Save it as /opt/kumomta/etc/policy/eopwatch-shaping.toml and
name it in extra_files of init.lua and in tsa_init.lua. Needs a kumo-tsa-daemon, and a version whose `regex` takes a list.
All rules that match act. So here stand only patterns with a code, of replies that ask for an action; where one would also take a
reply that asks for another one, a look-ahead, (?!...), keeps them apart. A block of the IP, and a throttle of it, suspends the path of that egress source;
a ban of the account or domain suspends the tenant alone. Other replies (recipients, content, authentication) set nothing off.
",
    );
    text.push_str("\n[provider.\"eopwatch-microsoft\"]\nmatch = [\n");
    for name in &exports().relays {
        text.push_str(&format!("  {{MXSuffix=\".{name}\"}},\n"));
    }
    text.push_str("]\n");
    let used = |entry: &Entry| exports().kumomta.of(entry).filter(|word| word.action(entry).is_some());
    let automation = |entry: &Entry| used(entry).map(|word| settings(word, entry));
    let mut actions: Vec<String> = Vec::new();
    for action in rules.iter().filter_map(|rule| automation(rule.entry)) {
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    for wanted in &actions {
        text.push_str("\n[[provider.\"eopwatch-microsoft\".automation]]\n");
        text.push_str(wanted);
        text.push_str("regex = [\n");
        for Acting { rule, rivals } in acting(catalogue, rules, automation, wanted) {
            text.push_str(&comment(rule, "  "));
            // The automation has look-ahead; the classifier does not.
            let not: String =
                rivals.iter().map(|rival| format!("(?!{})", &rival.pattern(&REPLY)[1..])).collect();
            text.push_str(&format!("  {},\n", literal(&format!("^{not}{}", &rule.pattern(&REPLY)[1..]))));
        }
        text.push_str("]\n");
    }
    text
}

/// What a rule of the automation says but for its patterns.
fn settings(word: &Use, entry: &Entry) -> String {
    let mut text = format!("action = {}\n", word.action(entry).unwrap_or_default());
    if let Some(trigger) = &word.trigger {
        text.push_str(&format!("trigger = {trigger}\n"));
    }
    text.push_str(&format!("duration = \"{}\"\n", word.duration.as_deref().unwrap_or("1 hour")));
    text
}
