//! Exim: a lookup table, and the event that writes what it finds to the main log.

use crate::microsoft::exports;

use super::patterns::{REPLY, Rule};
use super::{head, listed};

pub(super) fn table(rules: &[Rule<'_>]) -> String {
    let relays: Vec<String> = exports().relays.iter().map(|name| format!("*.{name}")).collect();
    let mut text = head(
        "Exim: what Microsoft's replies mean, as a lookup table",
        "
The Exim specification, \"Single-key lookup types\" (nwildlsearch) and \"Events\". The first key that matches wins.
What Exim cannot do: retry rules know errors and codes, no texts, and a 5xx is always a failure. So nothing here makes mail wait; it
lets Exim tell the replies apart, for the log, and for all else that an expansion can do. Save this as /etc/exim4/eopwatch.rules;
in a configuration of your own without its comment signs:

begin-acl (in the section \"begin acl\")
  eopwatch:
    warn set acl_m_eopwatch = ${lookup{${sg{$acl_arg1}{\\N(?s)^.*?:\\s(?=[245][0-9][0-9][ -])\\N}{}}}nwildlsearch{/etc/exim4/eopwatch.rules}{$value}}
         condition = ${if !eq{$acl_m_eopwatch}{}}
         logwrite = eopwatch: $acl_arg2 $acl_m_eopwatch host=$host
    accept
end-acl

begin-transport (in the smtp transport that Microsoft's mail takes)
  event_action = ${if match{$event_name}{\\N^msg:(fail:delivery|rcpt:host:defer|host:defer)$\\N}{${if match_domain{$host}{RELAYS}{${acl{eopwatch}{$event_data}{$event_name}{}}}}}}
end-transport

Try it: exim -be '${lookup{550 5.7.606 Access denied, banned sending IP [192.0.2.1]}nwildlsearch{/etc/exim4/eopwatch.rules}}'
To have mail wait while you work on a block: hold_domains = outlook.com : hotmail.com : live.com : msn.com
",
    )
    .replace("RELAYS", &relays.join(":"));
    text.push_str(&listed(rules, "", |rule| {
        let entry = rule.entry;
        // In quotes a backslash begins an escape.
        let key = rule.pattern(&REPLY).replace('\\', "\\\\").replace('"', "\\\"");
        let class = entry.class.name();
        format!("\"{key}\": reply={} class={class} scope={}\n", entry.id, entry.scope.name())
    }));
    text
}
