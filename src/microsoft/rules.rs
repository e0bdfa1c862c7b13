//! The user's own replies: the shape of the built-in catalogue, most fields optional, before it in every step.

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::entry::{EnhancedRange, Entry, Evidence, Scope, Service, Temporality};
use super::{CatalogueError, Class, Signal};
use crate::record::Answer;

/// One `[[reply]]` of a rules file or of the config. What is left out follows from the rest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    id: String,
    smtp_code: u16,
    #[serde(rename = "enhanced_code")]
    enhanced: Option<EnhancedRange>,
    tag: Option<String>,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    example: String,
    temporality: Option<Temporality>,
    class: Class,
    scope: Option<Scope>,
    signal: Option<Signal>,
    #[serde(default)]
    stated: bool,
    cause: Option<String>,
    platform: Option<Service>,
    root_cause: Option<String>,
    fix: Option<String>,
    #[serde(default)]
    steps: Vec<String>,
    #[serde(default)]
    links: Vec<String>,
    documented: Option<String>,
    /// As in the built-in catalogue, for entries that are copied from it; a rule is always the user's own.
    #[serde(default, rename = "evidence")]
    _evidence: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    reply: Vec<Rule>,
}

/// Reads a rules file.
pub fn parse(toml: &str) -> Result<Vec<Rule>, toml::de::Error> {
    Ok(toml::from_str::<RuleFile>(toml)?.reply)
}

impl Rule {
    /// Its `reply_id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The entry that it makes.
    fn into_entry(self) -> Entry {
        let scope = self.scope.unwrap_or(match self.class {
            Class::IpBlock | Class::IpRate | Class::NewSender | Class::Ptr => Scope::Ip,
            Class::SenderBlock | Class::AuthSpf | Class::AuthDkim | Class::AuthDmarc => Scope::Domain,
            Class::Recipient | Class::Quota => Scope::Recipient,
            Class::TenantPolicy => Scope::Tenant,
            Class::ContentSpam => Scope::Content,
            _ => Scope::None,
        });
        let fix = self.fix.unwrap_or_else(|| "Your own rule names no fix.".to_owned());
        Entry {
            signal: self.signal.unwrap_or_else(|| self.class.signal()),
            temporality: self.temporality.unwrap_or(match self.smtp_code {
                400..500 => Temporality::Temp,
                _ => Temporality::Perm,
            }),
            root_cause: self.root_cause.unwrap_or_else(|| "Your own rule names no cause.".to_owned()),
            steps: if self.steps.is_empty() { vec![fix.clone()] } else { self.steps },
            fix,
            scope,
            platform: self.platform.unwrap_or(Service::Both),
            evidence: Evidence::Own,
            source: self.source.unwrap_or_else(|| "your own rule".to_owned()),
            id: self.id,
            smtp_code: self.smtp_code,
            enhanced: self.enhanced,
            tag: self.tag,
            texts: self.texts,
            example: self.example,
            class: self.class,
            stated: self.stated,
            cause: self.cause,
            links: self.links,
            documented: self.documented,
        }
    }
}

impl Catalogue {
    /// The built-in one with the user's rules before it. A rule with a built-in entry's id stands in its place.
    pub fn with(rules: Vec<Rule>) -> Result<Self, CatalogueError> {
        let mut entries: Vec<Entry> = rules.into_iter().map(Rule::into_entry).collect();
        let own = entries.len();
        let builtin = Self::builtin_entries().into_iter();
        let kept: Vec<Entry> =
            builtin.filter(|entry| entries[..own].iter().all(|rule| rule.id != entry.id)).collect();
        entries.extend(kept);
        Self::of(entries)
    }
}

/// What a look at a rules file finds.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "lowercase")]
pub enum Finding {
    /// The rule's example classifies as the rule.
    Sound { id: String },
    /// The rule has no example: nothing could be tried.
    Untried { id: String },
    /// The example is taken for another reply.
    Taken { id: String, by: String },
    /// A reply of the built-in catalogue is now taken for a rule's.
    Hides { id: String, hidden: String },
    /// The rule stands in the place of the built-in entry of its id.
    Replaces { id: String },
}

impl Finding {
    /// Whether the file needs mending.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Taken { .. })
    }
}

/// Tries a rules file on its own examples and on the built-in ones.
pub fn check(rules: Vec<Rule>) -> Result<Vec<Finding>, CatalogueError> {
    let catalogue = Catalogue::with(rules)?;
    let verdict = |example: &str| catalogue.classify(&Answer::Text(example.as_bytes())).id.into_owned();
    let mut findings = Vec::new();
    let is_own = |entry: &Entry| entry.evidence == Evidence::Own;
    for entry in catalogue.entries().iter().filter(|entry| is_own(entry)) {
        let id = entry.id.clone();
        if Catalogue::builtin().entry(&id).is_some() {
            findings.push(Finding::Replaces { id: id.clone() });
        }
        findings.push(if entry.example.is_empty() {
            Finding::Untried { id }
        } else {
            match verdict(&entry.example) {
                same if same == id => Finding::Sound { id },
                by => Finding::Taken { id, by },
            }
        });
    }
    for entry in catalogue.entries().iter().filter(|entry| !is_own(entry)) {
        let id = verdict(&entry.example);
        if catalogue.entry(&id).is_some_and(is_own) {
            findings.push(Finding::Hides { id, hidden: entry.id.clone() });
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(toml: &str) -> Vec<Rule> {
        parse(toml).expect("sound")
    }

    const OWN: &str = r#"
[[reply]]
id = "our-own"
smtp_code = 550
enhanced_code = "5.7.999"
texts = ["the moon is full"]
example = "550 5.7.999 The moon is full [AM6EUR05FT041.eop-eur05.prod.protection.outlook.com]"
class = "ip-block"
"#;

    #[test]
    fn a_rule_of_four_lines_classifies_and_is_asked_first() {
        let catalogue = Catalogue::with(rules(OWN)).expect("sound");
        let verdict = catalogue.classify(&Answer::Text(b"554 5.7.999 THE MOON  is full"));
        assert_eq!((&*verdict.id, verdict.class, verdict.signal), ("our-own", Class::IpBlock, Signal::Block));
        let entry = verdict.entry.expect("known");
        assert_eq!((entry.scope, entry.temporality), (Scope::Ip, Temporality::Perm));
        // What is built in is still known.
        let example = &Catalogue::builtin().entries()[0];
        assert_eq!(catalogue.classify(&Answer::Text(example.example.as_bytes())).id, example.id);
        assert_eq!(check(rules(OWN)).expect("sound"), [Finding::Sound { id: "our-own".into() }]);
    }

    #[test]
    fn what_shadows_what_is_said() {
        let greedy = OWN.replace("5.7.999\"\n", "5.7.1\"\n").replace("the moon is full", "messages from");
        let found = check(rules(&greedy)).expect("sound");
        assert!(found.contains(&Finding::Taken { id: "our-own".into(), by: "unknown-5.7.999".into() }));
        assert!(
            found.iter().any(|f| matches!(f, Finding::Hides { hidden, .. } if hidden.contains("s3140"))),
            "{found:?}"
        );
        let mut same = rules(OWN);
        same[0].id.clone_from(&Catalogue::builtin().entries()[0].id);
        let found = check(same).expect("sound");
        assert!(matches!(&found[0], Finding::Replaces { .. }), "{found:?}");
        let twice = format!("{OWN}{OWN}");
        assert!(check(rules(&twice)).is_err());
        assert!(parse("[[reply]]\nid = \"a\"\n").is_err());
    }
}
