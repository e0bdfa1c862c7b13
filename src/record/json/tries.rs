//! The logs of MTAs that write a JSON object a try, mostly one a line.

use super::super::registry::{Format, Line, Order, Reader};
use super::super::stamp::{Clock, Naive};
use super::super::{Mta, Record};
use super::{BROKEN, Context, elements, share, text_of};

/// Makes records of the objects in a text; false where one is broken.
type Read = fn(&str, &mut Context, &mut dyn FnMut(Record<'_>)) -> bool;

/// A log of tries, whose lines stand alone.
pub(crate) struct Tries {
    pub(crate) mta: Mta,
    pub(crate) sample: &'static str,
    /// Whether a line holds what only this MTA writes.
    pub(crate) is_own: fn(&[u8]) -> bool,
    /// The stamp of a line, from its object on.
    pub(crate) stamp: fn(&[u8]) -> Option<Naive>,
    pub(crate) read: Read,
}

impl Format for Tries {
    fn name(&self) -> &'static str {
        self.mta.0
    }

    fn sample(&self) -> &'static str {
        self.sample
    }

    fn score(&self, head: &[u8]) -> f32 {
        share(head, self.is_own)
    }

    /// Without a literal to look for: nearly every line is a try, and one that is broken is to be told, whatever it lacks.
    fn order(&self) -> Order {
        Order::Any
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(TryReader { context: Context::new(clock), read: self.read })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        (self.stamp)(elements(line)?)
    }
}

struct TryReader {
    context: Context,
    read: Read,
}

impl Reader for TryReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let mut out = |record: Record<'_>| out(line.offset, record);
        let Some(text) = text_of(line.bytes, &mut out) else { return };
        if !(self.read)(&text, &mut self.context, &mut out) {
            out(Record::Malformed { why: BROKEN });
        }
    }
}
