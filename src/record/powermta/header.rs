//! Which columns a file has.

use memchr::memmem;

use super::super::csv::{Field, Fields, has_odd_quotes};
use super::super::stamp::{self, Naive};

/// The columns where no header names others.
pub(super) const DEFAULT_HEADER: &[u8] = b"type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,\
    bounceCat,srcType,srcMta,dlvType,dlvSourceIp,dlvDestinationIp,dlvEsmtpAvailable,dlvSize,vmta,jobId,envId,queue,\
    vmtaPool";

/// The columns that are read, in the order of [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Type,
    TimeLogged,
    Rcpt,
    Orig,
    DlvSourceIp,
    Vmta,
    DsnMta,
    DlvDestinationIp,
    DsnDiag,
    DsnStatus,
    DlvType,
}

pub(super) const COLUMNS: usize = 11;
pub(super) const NAMES: [(&[u8], Column); COLUMNS] = [
    (b"type", Column::Type),
    (b"timeLogged", Column::TimeLogged),
    (b"rcpt", Column::Rcpt),
    (b"orig", Column::Orig),
    (b"dlvSourceIp", Column::DlvSourceIp),
    (b"vmta", Column::Vmta),
    (b"dsnMta", Column::DsnMta),
    (b"dlvDestinationIp", Column::DlvDestinationIp),
    (b"dsnDiag", Column::DsnDiag),
    (b"dsnStatus", Column::DsnStatus),
    (b"dlvType", Column::DlvType),
];

/// All types of records, to tell the format by.
pub(super) const TYPES: [&[u8]; 9] = [b"d", b"t", b"b", b"r", b"rb", b"rs", b"tq", b"f", b"p"];

/// A field that is a stamp with its year, and nothing else.
pub(super) fn whole_stamp(field: Field<'_>) -> Option<Naive> {
    stamp::whole(field.text).filter(|naive| naive.year.is_some())
}

/// Which field holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// By index of the field.
    pub(super) roles: Vec<Option<Column>>,
}

impl Header {
    /// Reads a header; `None` where it is none.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        // Cheap, for it is asked for each line that is no attempt.
        memmem::find(line, b"timeLogged")?;
        let mut roles: Vec<Option<Column>> = Fields::of(line)
            .map(|field| {
                let name = field.text.trim_ascii();
                NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, column)| *column)
            })
            .collect();
        let has = |column| roles.contains(&Some(column));
        if !has(Column::Type) || !has(Column::TimeLogged) {
            return None;
        }
        while roles.last() == Some(&None) {
            roles.pop();
        }
        Some(Self { roles })
    }

    /// Whether a record of this order begins with the line. What goes on in the first column has the same fields behind
    /// it, but one quote more.
    pub(super) fn begins(&self, line: &[u8]) -> bool {
        if has_odd_quotes(line) {
            return false;
        }
        let (mut known, mut timed) = (false, false);
        for (role, field) in self.roles.iter().zip(Fields::of(line)) {
            match role {
                Some(Column::Type) => known = TYPES.contains(&field.text),
                Some(Column::TimeLogged) => timed = whole_stamp(field).is_some(),
                _ => {}
            }
        }
        known && timed
    }
}
