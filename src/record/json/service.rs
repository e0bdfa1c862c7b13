//! The event exports of the sending services: JSON however it is laid out, one event an object.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::super::registry::{Format, Line, Order, Reader, Seen, whole_lines};
use super::super::stamp::{Clock, Naive};
use super::super::{Mta, Record};
use super::values::{Found, Values};
use super::{BROKEN, Context, object_start, stamp_behind};

/// Makes records of one value.
pub(crate) type Understand = fn(&str, &mut Context, &mut dyn FnMut(Record<'_>));

/// A sending service. Each has its time in a key `timestamp`.
pub(crate) struct Service {
    pub(crate) mta: Mta,
    pub(crate) sample: &'static str,
    /// Whether a stretch holds what only this service writes.
    pub(crate) is_marked: fn(&[u8]) -> bool,
    /// Keys whose arrays hold the events.
    pub(crate) wrappers: &'static [&'static str],
    pub(crate) understand: Understand,
    pub(crate) retells: bool,
    /// Said of an export that has failures for good and no others.
    pub(crate) without_deferrals: &'static str,
}

impl Format for Service {
    fn name(&self) -> &'static str {
        self.mta.0
    }

    fn sample(&self) -> &'static str {
        self.sample
    }

    fn score(&self, head: &[u8]) -> f32 {
        if (self.is_marked)(head) { json_share(head) } else { 0.0 }
    }

    fn spans_lines(&self) -> bool {
        true
    }

    /// Without a literal to look for: an event may lie on any number of lines.
    fn order(&self) -> Order {
        Order::Sequential
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        let values = Values::new(self.wrappers);
        Box::new(ValueReader {
            values,
            context: Context::new(clock),
            understand: self.understand,
            last: None,
        })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        stamp_behind(line, b"\"timestamp\"")
    }

    fn retells(&self) -> bool {
        self.retells
    }

    fn blind_spot(&self, seen: &Seen) -> Option<&'static str> {
        (seen.bounced > 0 && seen.deferred == 0).then_some(self.without_deferrals)
    }
}

/// 0 unless most lines are JSON's, on one line or on many.
fn json_share(head: &[u8]) -> f32 {
    let (mut lines, mut json) = (0usize, 0usize);
    for line in whole_lines(head) {
        lines += 1;
        let first = object_start(line).first();
        json += usize::from(matches!(first, Some(b'{' | b'[' | b'"' | b'}' | b']' | b'-' | b'0'..=b'9')));
    }
    // The only line of a stretch may lack its beginning.
    if lines == 1 || json * 2 > lines { 0.9 } else { 0.0 }
}

struct ValueReader {
    values: Values,
    context: Context,
    understand: Understand,
    /// Of the last value: a hook that was called again for the same event wrote it again.
    last: Option<u64>,
}

impl Reader for ValueReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let Self { values, context, understand, last } = self;
        values.line(line, &mut |offset, found| {
            let mut out = |record: Record<'_>| out(offset, record);
            match found {
                Found::Object(bytes) => {
                    let hash = Some(FixedState::default().hash_one(bytes));
                    if std::mem::replace(last, hash) != hash {
                        understand(&crate::text::utf8(bytes), context, &mut out);
                    }
                }
                Found::Broken => out(Record::Malformed { why: BROKEN }),
                Found::Other => out(Record::Malformed { why: "not JSON" }),
            }
        });
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        // A value that is whole was handed over before.
        self.values.finish(&mut |offset, _| out(offset, Record::Malformed { why: BROKEN }));
    }
}
