//! PowerMTA: `<bounce-category-patterns>` and `<smtp-pattern-list>`.

use crate::microsoft::{Catalogue, Entry, exports};

use super::patterns::{Frame, REPLY, Rule};
use super::{acting, comment, head, left_out, listed};

/// The categories are looked up by status and diagnostic, `5.7.1;smtp;550 5.7.1 …`. Its own words for a status may stand before
/// the reply, so only what follows three digits is one.
const DIAGNOSTIC: Frame = Frame { start: "(?:^|[;\\s])", bare: false };

fn pattern(rule: &Rule<'_>, frame: &Frame) -> String {
    format!("/(?i){}/", rule.pattern(frame).replace('/', "\\/"))
}

pub(super) fn classes(rules: &[Rule<'_>]) -> String {
    let mut text = head(
        "PowerMTA: bounce categories for what Microsoft replies",
        "
PowerMTA User's Guide, \"<bounce-category-patterns>\": /regular expression/ category; the first match wins. Written after
configurations in use, not tried on a PowerMTA: load it on a test instance first.
The categories are PowerMTA's own. Paste this before the patterns that the configuration has (their /blocked/, /spam/ and
/^[45]\\.7\\.[012];/ call almost everything of Microsoft's spam-related or policy-related), in one block.
  spam-related   Microsoft refuses or slows the IP; never a reason to suppress a recipient
  policy-related the account, domain or tenant is banned, or the recipient's organisation refuses; the comments tell which
  invalid-sender SPF, DKIM or DMARC of the sender's domain does not hold
The patterns hold for all domains; those of the last section fit other providers' replies as well.
",
    );
    text.push_str("<bounce-category-patterns>\n");
    text.push_str(&listed(rules, "    ", |rule| {
        let category = exports().powermta.of(rule.entry).map_or("other", |word| word.category.as_str());
        format!("    {} {category}\n", pattern(rule, &DIAGNOSTIC))
    }));
    text.push_str("</bounce-category-patterns>\n");
    text
}

pub(super) fn backoff(catalogue: &Catalogue, rules: &[Rule<'_>]) -> String {
    let mut text = head(
        "PowerMTA: back-off at what Microsoft says of the sending IP",
        "
PowerMTA User's Guide, \"<smtp-pattern-list>\": reply /regular expression/ action. Use it in the domains that Microsoft takes:
  <domain outlook.com>
      smtp-pattern-list eopwatch-microsoft
      backoff-to-normal-after 2h
  </domain>
Back-off slows the queue of a domain and virtual MTA, so here stands only what concerns the IP: blocks of the IP, and throttles.
A ban of one account or domain does not slow the other senders of the IP; hold its mail. A refusal for good is still a bounce.
",
    );
    let action = |entry: &Entry| exports().powermta.of(entry)?.action(entry).map(str::to_owned);
    let mut actions: Vec<String> = rules.iter().filter_map(|rule| action(rule.entry)).collect();
    actions.sort();
    actions.dedup();
    let mut away = Vec::new();
    text.push_str("<smtp-pattern-list eopwatch-microsoft>\n");
    for wanted in &actions {
        // Look-ahead is not documented for these patterns: one that would take others' replies as well is left out.
        let all = acting(catalogue, rules, action, wanted);
        away.extend(all.iter().filter(|found| !found.rivals.is_empty()).map(|found| found.rule));
        for rule in all.iter().filter(|found| found.rivals.is_empty()).map(|found| found.rule) {
            text.push_str(&comment(rule, "    "));
            text.push_str(&format!("    reply {} {wanted}\n", pattern(rule, &REPLY)));
        }
    }
    text.push_str("</smtp-pattern-list>\n");
    text.push_str(&left_out(
        away.into_iter(),
        "they would also slow down for replies that are none of the IP's.",
    ));
    text
}
