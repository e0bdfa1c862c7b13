//! ZoneMTA: `bounces.txt`.

use crate::microsoft::exports;

use super::patterns::{REPLY, Rule};
use super::{head, listed};

pub(super) fn list(rules: &[Rule<'_>]) -> String {
    let mut text = head(
        "ZoneMTA: bounce rules for what Microsoft replies",
        "
zone-mta, config/bounces.txt: regular expression,action,category,message; the first match wins. Put these lines before those that
the file has, or name a file of your own as bouncesFile in the configuration, then send SIGHUP to the master process.
A block of the IP is `defer,blacklist`, as in ZoneMTA's own list: mail waits, the IP can be taken out of its pool, and no recipient is
suppressed. A ban of the account or domain is `reject,block`: it waits for nobody, another IP does not help. The lines hold for all
domains; those of the last section fit other providers' replies as well.
",
    );
    text.push_str(&listed(rules, "", |rule| {
        let word = exports().zonemta.of(rule.entry);
        let action = word.and_then(|word| word.action(rule.entry)).unwrap_or("reject");
        let category = word.map_or("other", |word| word.category.as_str());
        // A comma ends the expression.
        let pattern = rule.pattern(&REPLY).replace(',', "\\x2c");
        format!("{pattern},{action},{category},Microsoft: {}\n", rule.entry.id)
    }));
    text
}
