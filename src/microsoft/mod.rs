//! What is known of Microsoft, as data: whose mail it is, host names, the reply catalogue, and the
//! classification of a reply. Files under `data/` can be edited by a mail engineer; a test checks them.
//! Knows bytes and [`crate::record::Answer`], no files, tables or screens.

mod catalogue;
mod class;
mod data;
pub mod explain;
pub mod hosts;

pub use catalogue::{
    ACCEPTED, Catalogue, CatalogueError, Certainty, EnhancedRange, Entry, Evidence, NO_REPLY, Nested,
    ReplyCodes, Scope, Service, Temporality, Verdict, codes,
};
pub use class::{Class, Platform, Signal};
pub use data::{ClassWords, Link, class_words, link, links};
pub use explain::explain;
pub use hosts::{
    Bound, City, Datacenter, Relay, bound, city, datacenter, host_tag, is_consumer_domain, is_eop_address,
    is_public, mailbox_host, needles, quoted_ip, quoted_ips, region, region_name, relay,
};
