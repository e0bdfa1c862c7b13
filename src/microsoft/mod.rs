//! What is known of Microsoft, as data: whose mail it is, host names, the reply catalogue, and the
//! classification of a reply. Files under `data/` can be edited by a mail engineer; a test checks them.
//! Knows bytes and [`crate::record::Answer`], no files, tables or screens.

mod catalogue;
mod class;
mod data;
mod entry;
pub mod explain;
mod exports;
mod fold;
pub mod hosts;
mod pasted;
pub mod rules;
mod unknown;
mod verdict;

pub use catalogue::{Catalogue, Nested};
pub use class::{Class, Platform, Signal};
pub use data::{ClassWords, Guide, Link, catalogue_date, class_words, guides, link, links};
pub use entry::{CatalogueError, EnhancedRange, Entry, Evidence, Scope, Service, Temporality};
pub use explain::{explain, explain_reply};
pub use exports::{Exports, Use, Uses, exports};
pub use hosts::{
    Bound, City, Datacenter, Owner, Relay, bound, bound_by_greeting, bound_by_relay, city, datacenter,
    host_tag, is_consumer_domain, is_eop_address, is_public, is_reverse_name, mailbox_host, needles, owner,
    quoted_ip, quoted_ips, region, region_name, relay, without_tag,
};
pub use unknown::Unknown;
pub use verdict::{ACCEPTED, Certainty, NO_REPLY, ReplyCodes, Verdict, codes};
