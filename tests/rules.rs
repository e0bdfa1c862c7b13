//! `eopwatch rules`: what it prints is read back as the MTA would read it, and each example of the catalogue must find the rule
//! of its own reply first. Rust's `regex` stands for KumoMTA (which uses it), PCRE2 for PowerMTA, Postfix and Exim, an
//! ECMAScript engine for ZoneMTA. `tests/real-mta` asks a real Postfix and a real Exim.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::eopwatch;
use eopwatch::microsoft::Catalogue;
use pcre2::bytes::{Regex, RegexBuilder};

fn exported(arguments: &[&str]) -> String {
    let output = common::output(eopwatch().args(["rules", "--for"]).args(arguments), 0);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A rule as the MTA has it: the reply that its comment names, the pattern, and what follows it.
struct Rule {
    id: String,
    pattern: String,
    result: String,
}

/// Reads the lines that `split` makes a pattern and a result of; the comment above names the reply.
fn read(output: &str, split: impl Fn(&str) -> Option<(String, String)>) -> Vec<Rule> {
    let mut id = String::new();
    let mut rules = Vec::new();
    for line in output.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("# ") {
            if let Some((word, _)) = comment.split_once(" (")
                && !word.contains(' ')
            {
                word.clone_into(&mut id);
            }
        } else if let Some((pattern, result)) = split(line) {
            rules.push(Rule { id: id.clone(), pattern, result });
        }
    }
    rules
}

fn examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    Catalogue::builtin().entries().iter().map(|entry| (entry.id.as_str(), entry.example.as_str()))
}

/// Each example, as the MTA shows it, finds its own rule first. Gives the rule of each.
fn all_find_their_own(
    rules: &[Rule],
    shown: impl Fn(&str) -> String,
    first: impl Fn(&str) -> Option<usize>,
) -> BTreeMap<&'static str, &Rule> {
    assert!(rules.len() > 300, "{} rules", rules.len());
    let mut found = BTreeMap::new();
    let mut wrong = Vec::new();
    for (id, example) in examples() {
        let shown = shown(example);
        match first(&shown) {
            Some(at) if rules[at].id == id => {
                found.insert(id, &rules[at]);
            }
            other => wrong.push(format!("{id} finds {:?}: {shown}", other.map(|at| &rules[at].id))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    found
}

fn pcre(rules: &[Rule], caseless: bool) -> Vec<Regex> {
    let build = |rule: &Rule| RegexBuilder::new().caseless(caseless).build(&rule.pattern);
    rules.iter().map(|rule| build(rule).unwrap_or_else(|error| panic!("{}: {error}", rule.pattern))).collect()
}

fn is_match(regex: &Regex, text: &str) -> bool {
    regex.is_match(text.as_bytes()).expect("within PCRE's limits")
}

fn first(patterns: &[Regex], text: &str) -> Option<usize> {
    patterns.iter().position(|pattern| is_match(pattern, text))
}

/// `/pattern/ result`
fn between_slashes(line: &str) -> Option<(String, String)> {
    let (pattern, result) = line.strip_prefix('/')?.rsplit_once("/ ")?;
    // The delimiter may stand in the pattern behind a backslash alone.
    assert!(!pattern.replace("\\/", "").contains('/'), "{line}");
    Some((pattern.to_owned(), result.trim().to_owned()))
}

/// The host tag, another case and wide blanks change nothing.
fn changed(example: &str) -> String {
    format!("{} [DU2PEPF00028D0D.eurprd03.prod.outlook.com]", example.to_uppercase().replace(' ', "  "))
}

#[test]
fn kumomta_classifies_each_reply_as_its_own() {
    let output = exported(&["kumomta", "--part", "classes"]);
    let file: toml::Table = output.parse().expect("TOML");
    // The file's order is the classifier's; a parsed table may be sorted.
    let rules = read(&output, |line| {
        let pattern = line.strip_prefix('\'')?.strip_suffix("',")?;
        Some((pattern.to_owned(), String::new()))
    });
    let in_file: usize = file["rules"]
        .as_table()
        .expect("rules")
        .values()
        .map(|list| list.as_array().expect("a list").len())
        .sum();
    assert_eq!(in_file, rules.len());
    // As KumoMTA builds it, within the same limit of size.
    let set = regex::RegexSet::new(rules.iter().map(|rule| &rule.pattern)).expect("small enough");
    for shown in [str::to_owned as fn(&str) -> String, changed] {
        all_find_their_own(&rules, shown, |reply| set.matches(reply).iter().next());
    }
    let class = |id: &str| {
        let list = output.split("\n\n").find(|list| list.contains(&format!("# {id} ("))).expect(id);
        list.lines().find_map(|line| line.strip_suffix(" = [")).expect("a class").to_owned()
    };
    assert_eq!(class("block-list-s3140"), "SpamBlock");
    assert_eq!(class("banned-account-502"), "SenderBlock", "an account's ban is no IP's");
    assert_eq!(class("recipients-too-many-453"), "TooManyRecipients");
    assert_eq!(class("transport-rule-571"), "PolicyRelated", "not each 5.7.1 is a block");
}

#[test]
fn kumomta_reacts_to_each_reply_as_asked_and_to_no_other() {
    let output = exported(&["kumomta", "--part", "backoff"]);
    let file: toml::Table = output.parse().expect("TOML");
    let automation = file["provider"]["eopwatch-microsoft"]["automation"].as_array().expect("a list");
    // As KumoMTA: with look-ahead.
    let rules: Vec<(String, Vec<fancy_regex::Regex>)> = automation
        .iter()
        .map(|rule| {
            assert!(rule["duration"].is_str() && rule.get("trigger").is_some());
            let patterns = rule["regex"].as_array().expect("a list");
            let patterns = patterns.iter().map(|pattern| pattern.as_str().expect("a text"));
            (
                rule["action"].to_string(),
                patterns.map(|p| fancy_regex::Regex::new(p).expect("sound")).collect(),
            )
        })
        .collect();
    // All that match act.
    let actions = |reply: &str| -> Vec<&str> {
        let acts = |patterns: &[fancy_regex::Regex]| {
            patterns.iter().any(|p| p.is_match(reply).expect("within limits"))
        };
        rules.iter().filter(|(_, patterns)| acts(patterns)).map(|(action, _)| action.as_str()).collect()
    };
    for entry in Catalogue::builtin().entries() {
        use eopwatch::microsoft::{Class, Scope};
        let wanted = match (entry.class, entry.scope) {
            (Class::IpBlock | Class::IpRate, _) => Some("\"Suspend\""),
            (Class::SenderBlock | Class::NewSender, _) => Some("\"SuspendTenant\""),
            (Class::RateLimit, Scope::Ip) => Some("connection_limit"),
            _ => None,
        };
        let done = actions(&entry.example);
        match wanted {
            None => assert!(done.is_empty(), "{}: {done:?}", entry.id),
            Some(action) => {
                assert!(done.len() == 1 && done[0].contains(action), "{}: {done:?}", entry.id);
            }
        }
    }
}

#[test]
fn powermta_puts_each_reply_into_a_category() {
    let output = exported(&["powermta", "--part", "classes"]);
    let rules = read(&output, between_slashes);
    let patterns = pcre(&rules, false);
    let status = |reply: &str| format!("5.0.0 (delivery not authorized, message refused);smtp;{reply}");
    let bare = |reply: &str| reply.to_owned();
    all_find_their_own(&rules, bare, |reply| first(&patterns, reply));
    let found = all_find_their_own(&rules, status, |reply| first(&patterns, reply));
    assert_eq!(found["block-list-s3150"].result, "spam-related");
    assert_eq!(found["banned-account-502"].result, "policy-related");
    assert_eq!(found["ambiguous-571"].result, "other", "a bare 5.7.1 is no spam block");
}

#[test]
fn powermta_backs_off_for_the_ip_alone() {
    use eopwatch::microsoft::{Class, Scope};
    let output = exported(&["powermta", "--part", "backoff"]);
    let rules = read(&output, |line| between_slashes(line.strip_prefix("reply ")?));
    assert!(rules.iter().all(|rule| rule.result == "mode=backoff"));
    let patterns = pcre(&rules, false);
    for entry in Catalogue::builtin().entries() {
        let slow = patterns.iter().any(|pattern| is_match(pattern, &entry.example));
        let wanted = matches!(
            (entry.class, entry.scope),
            (Class::IpBlock | Class::IpRate, _) | (Class::RateLimit, Scope::Ip)
        );
        assert!(slow == wanted || (entry.texts.is_empty() && !slow), "{}: {slow}", entry.id);
    }
}

#[test]
fn postfix_makes_the_refusals_wait_that_are_for_the_ips_sake() {
    let output = exported(&["postfix"]);
    let rules = read(&output, between_slashes);
    // pcre_table(5): letters match in either case.
    let patterns = pcre(&rules, true);
    let host = "outlook-com.olc.protection.outlook.com[198.51.100.11]";
    let status = |reply: &str| format!("5.7.1 host {host} said: {reply} (in reply to MAIL FROM command)");
    let found = all_find_their_own(&rules, status, |line| first(&patterns, line));
    for entry in Catalogue::builtin().entries() {
        let waits = entry.class == eopwatch::microsoft::Class::IpBlock;
        assert_eq!(found[entry.id.as_str()].result, if waits { "4$2" } else { "$1$2" }, "{}", entry.id);
    }
    let refused = |reply: &str| format!("4.0.0 host {host} refused to talk to me: {}", changed(reply));
    all_find_their_own(&rules, refused, |line| first(&patterns, line));
    // Other hosts' replies are left alone.
    let guard =
        output.lines().find_map(|line| line.strip_prefix("if /")?.strip_suffix('/')).expect("a guard");
    let guard = RegexBuilder::new().caseless(true).build(guard).expect("a pattern");
    assert!(is_match(&guard, &status("550 5.7.1 no")));
    assert!(!is_match(&guard, "5.7.1 host mx.example.net[192.0.2.1] said: 550 see protection.outlook.com["));
    assert!(output.ends_with("endif\n"));
}

#[test]
fn exim_finds_each_reply_in_the_table() {
    let output = exported(&["exim"]);
    let rules = read(&output, |line| {
        let (key, data) = line.strip_prefix('"')?.split_once("\": ")?;
        Some((key.replace("\\\\", "\\"), data.to_owned()))
    });
    let patterns = pcre(&rules, true);
    let found = all_find_their_own(&rules, str::to_owned, |reply| first(&patterns, reply));
    for (id, rule) in found {
        assert!(rule.result.starts_with(&format!("reply={id} class=")), "{}", rule.result);
    }
}

#[test]
fn zonemta_finds_each_reply_in_its_list() {
    let output = exported(&["zonemta"]);
    // As its lib/bounces.js does: fields end at a comma, whatever stands before it.
    let rules = read(&output, |line| {
        let (pattern, rest) = line.split_once(',')?;
        Some((pattern.to_owned(), rest.to_owned()))
    });
    let patterns: Vec<regress::Regex> = rules
        .iter()
        .map(|rule| {
            regress::Regex::with_flags(&rule.pattern, "im")
                .unwrap_or_else(|e| panic!("{}: {e}", rule.pattern))
        })
        .collect();
    let found = all_find_their_own(&rules, str::to_owned, |reply| {
        patterns.iter().position(|pattern| pattern.find(reply).is_some())
    });
    assert!(found["block-list-s3140"].result.starts_with("defer,blacklist,"));
    assert!(found["banned-account-502"].result.starts_with("reject,block,"));
    assert!(found["mailbox-full-522"].result.starts_with("reject,capacity,"));
    for rule in &rules {
        let mut fields = rule.result.splitn(3, ',');
        assert!(matches!(fields.next(), Some("defer" | "reject")), "{}", rule.result);
        let categories = [
            "rate",
            "block",
            "spam",
            "config",
            "recipient",
            "other",
            "capacity",
            "network",
            "protocol",
            "auth",
            "blacklist",
            "policy",
        ];
        assert!(fields.next().is_some_and(|word| categories.contains(&word)), "{}", rule.result);
    }
}

#[test]
fn own_rules_are_exported_too_and_come_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("own.toml");
    fs::write(
        &own,
        "[[reply]]\nid = \"our-own\"\nsmtp_code = 550\nenhanced_code = \"5.7.999\"\ntexts = ['half a/moon, \"new\" [it''s #1]']\n\
         example = '550 5.7.999 half a/moon, \"new\" [it''s #1]'\nclass = \"ip-block\"\nroot_cause = \"\"\"Two\nlines.\"\"\"\n"
            .replace("''", "\u{2019}"),
    )
    .expect("written");
    let reply =
        "550 5.7.999 Half a/Moon,  \"new\" [it\u{2019}s #1] [DU2PEPF00028D0D.eurprd03.prod.outlook.com]";
    let own = own.to_str().expect("a path");
    for mta in ["powermta", "postfix", "exim", "zonemta", "kumomta"] {
        let output = exported(&[mta, "--rules", own]);
        let first = output
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("# ") && line.contains(", 550") && line.contains("): "));
        let expected = "# our-own (ip-block, 550 5.7.999, your own rule): Two lines.";
        if mta != "kumomta" {
            assert_eq!(first, Some(expected), "{mta}");
        }
        assert!(output.contains(expected), "{mta}");
    }
    let powermta = read(&exported(&["powermta", "--part", "classes", "--rules", own]), between_slashes);
    assert!(is_match(&pcre(&powermta[..1], false)[0], reply));
    let exim = exported(&["exim", "--rules", own]);
    let key =
        exim.lines().find(|line| line.ends_with("reply=our-own class=ip-block scope=ip")).expect("a line");
    // Quoted once more than the pattern.
    assert!(key.contains(r#"\"new\""#), "{key}");
    let kumomta: toml::Table =
        exported(&["kumomta", "--part", "classes", "--rules", own]).parse().expect("TOML");
    let first = kumomta["rules"]["SpamBlock"][0].as_str().expect("a pattern");
    assert!(regex::Regex::new(first).expect("sound").is_match(reply));
    let zonemta = read(&exported(&["zonemta", "--rules", own]), |line| {
        line.split_once(',').map(|(pattern, rest)| (pattern.to_owned(), rest.to_owned()))
    });
    assert!(regress::Regex::with_flags(&zonemta[0].pattern, "im").expect("sound").find(reply).is_some());
    assert!(zonemta[0].result.starts_with("defer,blacklist,"), "{}", zonemta[0].result);
}

#[test]
fn a_part_that_is_not_there_is_said() {
    let output = eopwatch().args(["rules", "--for", "postfix", "--part", "backoff"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("postfix has one part only"));
    let output = eopwatch().args(["rules", "--for", "sendmail"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
}
