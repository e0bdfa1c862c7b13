//! Line -> [`Attempt`]: one file a format, the wrappers around them (syslog, journald), stamps, and the
//! registry that tells the formats apart by content. Knows nothing of Microsoft, files or tables.

mod attempt;
mod csv;
mod dsn;
mod exchange;
mod exim;
mod greenarrow;
mod halon;
mod haraka;
mod journald;
mod json;
mod kumomta;
mod mailerq;
mod mailgun;
mod mime;
mod momentum;
mod opensmtpd;
mod pieces;
mod postfix;
mod powermta;
mod qmail;
mod recent;
mod registry;
mod sendgrid;
mod sendmail;
mod ses;
mod sparkpost;
pub mod stamp;
mod syslog;
mod text;
mod wrapped;
mod zonemta;

pub use attempt::{Answer, Attempt, Enhanced, Mta, Outcome, Record, Time, domain_of};
pub use registry::{
    Format, Glance, Line, Order, Origin, Plain, Reader, Relay, Seen, by_name, by_name_for, formats, guess,
    instead,
};
pub use stamp::{Clock, Naive, Stamper, Zone};
