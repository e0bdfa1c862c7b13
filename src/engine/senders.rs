//! Who sent a message: delivery lines of Postfix, Exim and Sendmail lack the envelope sender, which stands on an earlier
//! line with the same queue id, in the same file or in the one that was rotated away before.
//!
//! Each task remembers the messages that it has seen come in, up to a bound; a refusal whose message came in before the
//! task's stretch waits until the stretches before it are read. They are looked at in the order of the file, so the
//! answer does not depend on which thread was first.

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher;
use std::mem;
use std::sync::Arc;

use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;

use crate::record::domain_of;
use crate::text::lower;

/// Messages that all inputs together remember; 12 bytes each, 30 where they were looked for.
const MOST_MESSAGES: usize = 1 << 20;
/// Of many inputs each still remembers so many.
const FEWEST_MESSAGES: usize = 1 << 14;
/// Messages of a block: the oldest block is forgotten as a whole.
const BLOCK: usize = 1 << 12;

/// A message by its queue id, and by the host that gave it: two hosts may give the same.
pub fn message(host: Option<&[u8]>, queue_id: &[u8]) -> u64 {
    message_at(host_number(host), queue_id)
}

/// A host, for [`message_at`].
pub fn host_number(host: Option<&[u8]>) -> u64 {
    FixedState::default().hash_one(host.unwrap_or_default())
}

/// The same as [`message`], where the host's number is known.
pub fn message_at(host: u64, queue_id: &[u8]) -> u64 {
    FixedState::with_seed(host).hash_one(queue_id)
}

/// A sender domain in lower case; `None` for the null sender.
pub type Sender = Option<Arc<str>>;

/// The newest messages, up to a bound.
#[derive(Debug)]
pub struct Recent {
    /// The newest last.
    blocks: VecDeque<Block>,
    most_blocks: usize,
}

/// Messages in their order. Most are never asked for, so that they are written down and nothing more.
#[derive(Debug, Default)]
struct Block {
    messages: Vec<u64>,
    /// By message, its place in `domains`.
    senders: Vec<u32>,
    domains: Vec<Sender>,
    /// By domain as logged, its place.
    places: HashMap<Box<[u8]>, u32, RandomState>,
    last: u32,
    last_domain: Vec<u8>,
    /// Of the first so many messages, the place; made when one is asked for.
    index: HashMap<u64, u32, RandomState>,
    indexed: usize,
}

impl Block {
    fn add(&mut self, message: u64, domain: &[u8]) {
        if self.domains.is_empty() || self.last_domain != domain {
            self.last = match self.places.get(domain) {
                Some(place) => *place,
                None => {
                    self.domains.push((!domain.is_empty()).then(|| lower(domain).into()));
                    let place = (self.domains.len() - 1) as u32;
                    self.places.insert(domain.into(), place);
                    place
                }
            };
            self.last_domain.clear();
            self.last_domain.extend_from_slice(domain);
        }
        self.messages.push(message);
        self.senders.push(self.last);
    }

    fn get(&mut self, message: u64) -> Option<&Sender> {
        let new = self.messages.iter().zip(&self.senders).skip(self.indexed);
        self.index.extend(new.map(|(message, place)| (*message, *place)));
        self.indexed = self.messages.len();
        self.index.get(&message).map(|place| &self.domains[*place as usize])
    }
}

impl Recent {
    /// With room for what one of so many inputs may remember.
    pub fn new(inputs: usize) -> Self {
        let most = (MOST_MESSAGES / inputs.max(1)).max(FEWEST_MESSAGES);
        Self { blocks: VecDeque::new(), most_blocks: most / BLOCK }
    }

    /// Remembers the sender of a message.
    pub fn add(&mut self, message: u64, sender: &[u8]) {
        self.add_domain(message, domain_of(sender).unwrap_or_default());
    }

    /// The same, where the sender's domain is known; empty: the null sender.
    pub fn add_domain(&mut self, message: u64, domain: &[u8]) {
        match self.blocks.back_mut().filter(|block| block.messages.len() < BLOCK) {
            Some(block) => block.add(message, domain),
            None => {
                let mut block = Block::default();
                block.add(message, domain);
                self.push(block);
            }
        }
    }

    /// The sender of a message, where it is remembered.
    pub fn get(&mut self, message: u64) -> Option<&Sender> {
        self.blocks.iter_mut().rev().find_map(|block| block.get(message))
    }

    fn push(&mut self, block: Block) {
        if self.blocks.len() >= self.most_blocks {
            self.blocks.pop_front();
        }
        self.blocks.push_back(block);
    }

    /// What came later, behind the own.
    fn append(&mut self, later: Self) {
        for block in later.blocks {
            // What a live run adds by ones and twos must not take a block each.
            match self.blocks.back_mut() {
                Some(last) if last.messages.len() + block.messages.len() <= BLOCK => {
                    for (message, place) in block.messages.iter().zip(&block.senders) {
                        let domain = block.domains[*place as usize].as_deref().unwrap_or_default();
                        last.add(*message, domain.as_bytes());
                    }
                }
                _ => self.push(block),
            }
        }
    }
}

/// A message whose sender a refusal asked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub message: u64,
    /// Under which it waits.
    pub number: u32,
    /// Where the refusal stands: what comes behind it tells of another message.
    pub offset: u64,
}

/// What a task leaves: the messages that came in, and those that refusals asked for in vain.
#[derive(Debug)]
pub struct Left {
    pub recent: Recent,
    pub waiting: Vec<Waiting>,
}

impl Left {
    pub fn new(inputs: usize) -> Self {
        Self { recent: Recent::new(inputs), waiting: Vec::new() }
    }

    /// Moves the content out.
    pub fn take(&mut self, inputs: usize) -> Self {
        mem::replace(self, Self::new(inputs))
    }
}

/// The stretches of one input, put together in their order.
struct Input {
    known: Recent,
    /// Number of the stretch that comes next.
    next: usize,
    early: BTreeMap<usize, Left>,
    /// Asked for in vain so far.
    missing: Vec<Waiting>,
}

/// Of some messages, where in an input their senders stand, in the order of the input.
pub type SenderLines = HashMap<u64, Vec<(u64, Sender)>, RandomState>;

/// The messages of all inputs.
pub struct Senders {
    inputs: Vec<Input>,
}

impl Senders {
    pub fn new(inputs: usize) -> Self {
        let one =
            || Input { known: Recent::new(inputs), next: 0, early: BTreeMap::new(), missing: Vec::new() };
        Self { inputs: (0..inputs).map(|_| one()).collect() }
    }

    /// Adds what was found in a stretch of an input; gives what is answered by it. `stretch`: `None` for the one behind
    /// all others (a live file grows).
    pub fn add(&mut self, input: usize, stretch: Option<usize>, left: Left) -> Vec<(u32, Sender)> {
        let input = &mut self.inputs[input];
        let stretch =
            stretch.unwrap_or_else(|| input.early.last_key_value().map_or(input.next, |(n, _)| n + 1));
        input.early.insert(stretch, left);
        let mut answers = Vec::new();
        while let Some(left) = input.early.remove(&input.next) {
            input.next += 1;
            for waiting in left.waiting {
                match input.known.get(waiting.message) {
                    Some(sender) => answers.push((waiting.number, sender.clone())),
                    None => input.missing.push(waiting),
                }
            }
            input.known.append(left.recent);
        }
        answers
    }

    /// Whether a message of an input was asked for in vain.
    pub fn lacks(&self, input: usize) -> bool {
        !self.inputs[input].missing.is_empty()
    }

    /// Takes what came in by an input before all that is known of it; gives what is answered by it.
    pub fn learn(&mut self, input: usize, older: Recent) -> Vec<(u32, Sender)> {
        let Input { known, missing, .. } = &mut self.inputs[input];
        let newer = mem::replace(known, older);
        known.append(newer);
        let mut answers = Vec::new();
        missing.retain(|waiting| {
            let sender = known.get(waiting.message);
            answers.extend(sender.map(|sender| (waiting.number, sender.clone())));
            sender.is_none()
        });
        answers
    }

    /// Looks for what is still missing in the inputs before. `order`: the inputs by their age, oldest first.
    /// `look`: asked for the messages of an input of which not all lines were read, its own ones among them; `None`
    /// where all were.
    pub fn settle(
        &mut self,
        order: &[usize],
        mut look: impl FnMut(usize, &[Waiting]) -> Option<SenderLines>,
    ) -> Vec<(u32, Sender)> {
        let mut answers = Vec::new();
        let mut missing: Vec<Waiting> = Vec::new();
        for &input in order.iter().rev() {
            missing.append(&mut self.inputs[input].missing);
            if missing.is_empty() {
                continue;
            }
            let lines = look(input, &missing);
            let known = &mut self.inputs[input].known;
            missing.retain(|waiting| {
                let sender = match &lines {
                    Some(lines) => lines.get(&waiting.message).and_then(|lines| {
                        let before = lines.iter().rev().find(|(offset, _)| *offset < waiting.offset);
                        before.map(|(_, sender)| sender)
                    }),
                    None => known.get(waiting.message),
                };
                answers.extend(sender.map(|sender| (waiting.number, sender.clone())));
                sender.is_none()
            });
            // All of an older input stands before.
            missing.iter_mut().for_each(|waiting| waiting.offset = u64::MAX);
        }
        answers
    }

    /// The sender of a message that came in by one of these inputs, the last of them first.
    pub fn before(&mut self, inputs: &[usize], message: u64) -> Option<Sender> {
        inputs.iter().rev().find_map(|input| self.inputs[*input].known.get(message).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(messages: &[(u64, &str)], waiting: &[(u64, u32)]) -> Left {
        let mut left = Left::new(1);
        for (message, sender) in messages {
            left.recent.add(*message, sender.as_bytes());
        }
        let one = |(message, number): &(u64, u32)| Waiting { message: *message, number: *number, offset: 0 };
        left.waiting = waiting.iter().map(one).collect();
        left
    }

    fn shown(answers: Vec<(u32, Sender)>) -> Vec<(u32, Option<String>)> {
        answers.into_iter().map(|(number, sender)| (number, sender.map(|s| s.to_string()))).collect()
    }

    #[test]
    fn stretches_answer_in_the_order_of_the_file_whoever_is_first() {
        type Part = (&'static [(u64, &'static str)], &'static [(u64, u32)]);
        let parts: [Part; 3] = [
            (&[(1, "a@One.example"), (2, "a@two.example")], &[(9, 0)]),
            (&[(1, "b@reused.example")], &[(2, 1), (1, 2)]),
            (&[], &[(1, 3), (3, 4)]),
        ];
        let expected = [(1, Some("two.example")), (2, Some("one.example")), (3, Some("reused.example"))]
            .map(|(number, sender)| (number, sender.map(str::to_owned)));
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
            let mut senders = Senders::new(1);
            let mut answers = Vec::new();
            for at in order {
                let (messages, waiting) = parts[at];
                answers.extend(shown(senders.add(0, Some(at), left(messages, waiting))));
            }
            assert_eq!(answers, expected, "{order:?}");
            assert!(senders.settle(&[0], |_, _| None).is_empty());
        }
    }

    #[test]
    fn a_message_of_the_file_before_is_found_and_of_the_file_after_is_not() {
        let mut senders = Senders::new(2);
        senders.add(1, Some(0), left(&[(1, "a@one.example"), (5, "<>")], &[(2, 7)]));
        senders.add(0, Some(0), left(&[(2, "a@two.example")], &[(1, 8), (5, 9)]));
        let answers = shown(senders.settle(&[1, 0], |_, _| None));
        assert_eq!(answers, [(8, Some("one.example".into())), (9, None)]);
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_kept() {
        let mut recent = Recent::new(usize::MAX);
        for message in 0..10 * FEWEST_MESSAGES as u64 {
            recent.add(message, format!("a@{message}.example").as_bytes());
        }
        let kept: usize = recent.blocks.iter().map(|block| block.messages.len()).sum();
        assert!((FEWEST_MESSAGES - BLOCK..=FEWEST_MESSAGES).contains(&kept), "{kept}");
        assert!(recent.get(10 * FEWEST_MESSAGES as u64 - 1).is_some() && recent.get(0).is_none());
    }
}
