//! An entry of the catalogue, and what makes one sound. The fields are explained in the head of `data/replies.toml`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::verdict::{ACCEPTED, NO_REPLY};
use super::{Class, Signal, data};
use crate::record::Enhanced;

/// An enhanced code or a range of them that differ in the last number, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedRange {
    /// The lowest.
    pub first: Enhanced,
    /// The highest; of one code the same.
    pub last: Enhanced,
}

impl EnhancedRange {
    /// Whether `code` lies in it.
    pub fn contains(&self, code: Enhanced) -> bool {
        (code.0, code.1) == (self.first.0, self.first.1) && (self.first.2..=self.last.2).contains(&code.2)
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let code = |text: &str| match Enhanced::at_start(text.as_bytes()) {
            Some((code, length)) if length == text.len() => Some(code),
            _ => None,
        };
        let range = Self { first: code(first)?, last: code(last)? };
        range.contains(range.last).then_some(range)
    }
}

impl fmt::Display for EnhancedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.first != self.last {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for EnhancedRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no enhanced code and no range")))
    }
}

/// Whether the MTA tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Temporality {
    /// The MTA keeps the message and retries.
    Temp,
    /// The message is refused for good.
    Perm,
}

/// Whom a refusal concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The sending address.
    Ip,
    /// A domain of the sender.
    Domain,
    /// The sending account.
    Sender,
    /// This recipient.
    Recipient,
    /// A tenant: the recipient's, or the one that relays.
    Tenant,
    /// This message.
    Content,
    /// Nobody.
    None,
}

impl Scope {
    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Domain => "domain",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Tenant => "tenant",
            Self::Content => "content",
            Self::None => "none",
        }
    }
}

/// Who answers so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Outlook.com and its kin.
    Consumer,
    /// Microsoft 365.
    M365,
    /// Both.
    Both,
}

/// How an entry is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The user's own rule.
    #[serde(skip)]
    Own,
    /// Seen in public logs.
    Wild,
    /// In Microsoft's documents.
    Doc,
    /// Somebody says so.
    Reported,
    /// In the project's reference table; the wording was not seen in public.
    Project,
    /// Follows from other entries.
    Derived,
    /// Recalled, not seen.
    Unverified,
}

impl Evidence {
    /// For people and `explain`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Own => "your own rule",
            Self::Wild => "seen in the wild",
            Self::Doc => "documented",
            Self::Reported => "reported",
            Self::Project => "reported (project reference table; wording not seen in public)",
            Self::Derived => "derived",
            Self::Unverified => "unverified",
        }
    }
}

/// One reply of the catalogue. The fields are explained in the head of `data/replies.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    pub smtp_code: u16,
    #[serde(rename = "enhanced_code")]
    pub enhanced: Option<EnhancedRange>,
    pub tag: Option<String>,
    #[serde(default)]
    pub texts: Vec<String>,
    pub example: String,
    pub temporality: Temporality,
    pub class: Class,
    pub scope: Scope,
    pub signal: Signal,
    #[serde(default)]
    pub stated: bool,
    /// The list behind it; `None`: the reply is its own cause.
    pub cause: Option<String>,
    pub platform: Service,
    pub root_cause: String,
    pub fix: String,
    pub steps: Vec<String>,
    #[serde(default)]
    pub links: Vec<String>,
    pub documented: Option<String>,
    pub evidence: Evidence,
    pub source: String,
}

impl Entry {
    /// Whether its class is a block.
    pub fn is_block(&self) -> bool {
        self.class.is_block()
    }
}

/// What is wrong with a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// An entry that contradicts itself or another one.
    #[error("[[reply]] '{id}': {problem}")]
    Entry {
        /// Of the entry.
        id: String,
        /// What to mend.
        problem: String,
    },
    /// The automaton could not be built.
    #[error("the texts make no automaton: {0}")]
    Texts(#[from] aho_corasick::BuildError),
}

/// An address of the user's own, instead of an id of `links.toml`.
pub(super) fn is_address(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether the entries make a catalogue.
pub(super) fn check(entries: &[Entry]) -> Result<(), CatalogueError> {
    for (index, entry) in entries.iter().enumerate() {
        let wrong =
            |problem: &str| Err(CatalogueError::Entry { id: entry.id.clone(), problem: problem.to_owned() });
        if !is_id(&entry.id) {
            return wrong("the id must be made of a-z, 0-9 and hyphens");
        }
        if entry.id.starts_with("unknown") || matches!(entry.id.as_str(), ACCEPTED | NO_REPLY) {
            return wrong("this id is taken by the program");
        }
        if entries[..index].iter().any(|other| other.id == entry.id) {
            return wrong("the id is there twice");
        }
        if !(200..600).contains(&entry.smtp_code) {
            return wrong("smtp_code must be three digits, 200 to 599");
        }
        if entry.texts.is_empty() && entry.enhanced.is_none() {
            return wrong("it needs texts, or an enhanced_code to stand for");
        }
        for text in &entry.texts {
            let blank = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
            if text.is_empty() || blank || text.chars().any(char::is_control) {
                return wrong(&format!(
                    "the text '{text}' is never found: write single blanks, none at its ends"
                ));
            }
        }
        if entry.temporality == Temporality::Temp && entry.is_block() {
            return wrong("a block is not temporary");
        }
        if entry.cause.as_ref().is_some_and(|cause| !is_id(cause)) {
            return wrong("the cause must be made of a-z, 0-9 and hyphens");
        }
        if entry.stated && entry.class != Class::IpBlock {
            return wrong("stated is for entries of class ip-block");
        }
        if entry.is_block() != (entry.signal == Signal::Block) {
            return wrong("signal block belongs to ip-block and sender-block");
        }
        if entry.root_cause.is_empty() || entry.fix.is_empty() || entry.steps.is_empty() {
            return wrong("it needs root_cause, fix and steps");
        }
        if let Some(id) = entry.links.iter().find(|id| data::link(id).is_none() && !is_address(id)) {
            return wrong(&format!("the link '{id}' is not in links.toml"));
        }
    }
    Ok(())
}
