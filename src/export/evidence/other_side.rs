//! What speaks against the sender, and for it: what somebody at Microsoft will ask about.

use super::super::page::{Block, Bullet};
use super::{Pack, share};
use crate::engine::{Evidence, Hour};
use crate::microsoft::Class;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

impl Pack<'_> {
    /// What somebody at Microsoft will ask about.
    pub(super) fn other_side(&mut self) {
        self.title(2, "The other side");
        self.elsewhere();
        let Evidence { summary, .. } = self.evidence;
        let attempts = summary.totals.counts.attempts;
        let of = |is: &dyn Fn(Class) -> bool| -> u64 {
            summary.replies.iter().filter(|row| is(row.class)).map(|row| row.count).sum()
        };
        self.named("Unknown recipients", share(of(&|class| class == Class::Recipient), attempts));
        self.named("Refused as spam", share(of(&|class| class == Class::ContentSpam), attempts));
        let authentication = of(&Class::is_authentication);
        let ids: Vec<&str> = summary
            .replies
            .iter()
            .filter(|row| row.class.is_authentication())
            .map(|row| row.reply_id.as_str())
            .collect();
        let words = match authentication {
            0 => "no reply blames SPF, DKIM or DMARC (what was accepted does not tell whether it passed)"
                .to_owned(),
            n => format!("{}: {}", share(n, attempts), ids.join(", ")),
        };
        self.named("Authentication", words);
        for (number, onset) in (1..).zip(&summary.onsets) {
            let side = match onset.reading.verdict {
                "yours" => "it looks like the sender's side",
                "theirs" => "it looks like Microsoft's side",
                _ => "whose side it is cannot be told",
            };
            self.named("Whose side", format!("event {number}: {side}"));
            let reasons = onset.reading.reasons.iter().map(Bullet::plain).collect::<Vec<_>>();
            if !reasons.is_empty() {
                self.blocks.push(Block::Bullets("Reasons", reasons));
            }
        }
        self.paragraph(
            "No log shows complaints, spam traps or what Microsoft thinks of an IP: SNDS and JMRP do, for who has them.",
        );
    }

    /// How other providers took the same source's mail in the same hours.
    fn elsewhere(&mut self) {
        if self.evidence.filters_others {
            self.named("Other providers", "not compared: the filters leave them out");
            return;
        }
        let sum = |from: i64, until: i64| {
            let hours = self.evidence.hours.range(Some(from)..Some(until)).map(|(_, hour)| hour);
            hours.fold(Hour::default(), |sum, hour| Hour {
                others: sum.others + hour.others,
                others_delivered: sum.others_delivered + hour.others_delivered,
                ..sum
            })
        };
        let accepted = |hour: Hour| match hour.others {
            0 => "they got nothing".to_owned(),
            n => format!("they accepted {}", share(hour.others_delivered, n)),
        };
        let end = self.evidence.summary.range.last.map_or(0, |time| time.seconds);
        let mut said = Vec::new();
        for (number, onset) in (1..).zip(&self.evidence.summary.onsets) {
            let from = onset.start.seconds.div_euclid(HOUR) * HOUR;
            let until = onset.end.map_or(end, |time| time.seconds) + 1;
            said.push(format!(
                "in the hours of event {number} {}; in the day before {}",
                accepted(sum(from, until)),
                accepted(sum(from - DAY, from))
            ));
        }
        if said.is_empty() {
            said.push(accepted(sum(i64::MIN, i64::MAX)));
        }
        for words in said {
            self.named("Other providers", words);
        }
    }
}
