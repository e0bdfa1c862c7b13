//! Postfix: a pcre table for `smtp_delivery_status_filter`.

use crate::microsoft::exports;

use super::patterns::{Frame, Rule};
use super::{head, listed};

/// The filter sees `5.7.1 host NAME[IP] said: 550 5.7.1 … (in reply to RCPT TO command)`.
const STATUS: Frame =
    Frame { start: "^([45])(\\.[0-9]+\\.[0-9]+ host [^ ]+ (?:said|refused to talk to me): ", bare: true };

pub(super) fn table(rules: &[Rule<'_>]) -> String {
    let mut text = head(
        "Postfix: mail that Microsoft refuses for the sending IP's sake waits, and is not lost",
        "
postconf(5), default_delivery_status_filter; pcre_table(5). Postfix 3.0 and later with pcre (Debian: postfix-pcre).
  /etc/postfix/main.cf:
      smtp_delivery_status_filter = pcre:/etc/postfix/eopwatch.pcre
Try it: postmap -q '5.7.1 host x.mail.protection.outlook.com[192.0.2.1] said: 550 5.7.1 ...' pcre:/etc/postfix/eopwatch.pcre

What it does: a block of the IP is a refusal for good (5.x.x), so Postfix returns the message at once, though nothing is wrong with
message or recipient. With this table the status becomes 4.x.x: the message stays in the queue until the IP is delisted or
maximal_queue_lifetime (5 days) ends. All other replies keep their status; their lines are there since the first match wins.
The result of a line that waits begins with 4$2; to have it bounce again, write $1$2. To have more wait, the other way round.

What it does not: slow down. Each retry into a block counts against you, so hold Microsoft's mail while you work on the block:
give it a transport of its own in transport_maps (microsoft), and set
      defer_transports = microsoft
or, to let a little through,
      microsoft_destination_rate_delay = 60s
      microsoft_destination_concurrency_limit = 1
Postfix logs the changed status (status=deferred); the reply in the line is still Microsoft's, and eopwatch reads that. The
filter never sees replies of hosts that are not Microsoft's, and soft_bounce goes before it.
",
    );
    let relays: Vec<String> = exports().relays.iter().map(|name| name.replace('.', "\\.")).collect();
    text.push_str(&format!("\nif /^[45]\\.[0-9]+\\.[0-9]+ host [^ ]*\\.(?:{})\\[/\n", relays.join("|")));
    text.push_str(&listed(rules, "", |rule| {
        let word = exports().postfix.of(rule.entry);
        let waits = word.and_then(|word| word.action(rule.entry)) == Some("wait");
        let result = if waits { "4$2" } else { "$1$2" };
        format!("/{}.*)$/ {result}\n", rule.pattern(&STATUS).replace('/', "\\/"))
    }));
    text.push_str("endif\n");
    text
}
