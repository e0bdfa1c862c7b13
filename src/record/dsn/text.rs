//! The text for people in a bounce: what the part for programs leaves out.
//!
//! OpenSMTPD and Haraka write `address: reply`, Sendmail `<address>... Deferred: reply` and, below the address,
//! `(reason: reply)`; all lines of a reply stand only in Sendmail's transcript (`<<< 550-…`). Exim tells below the
//! address that the time for trying ran out.

use memchr::memmem;

/// Recipients whose words are kept.
const MAX_TOLD: usize = 256;
/// Replies of several lines that are kept.
const MAX_RUNS: usize = 32;
/// Bytes of an address, and of the words about it.
const MAX_ADDRESS: usize = 512;
const MAX_WORDS: usize = 8 << 10;

/// What a message's text tells.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// The address that stood alone on a line.
    current: Vec<u8>,
    told: Vec<(Vec<u8>, Vec<u8>)>,
    runs: Vec<Vec<u8>>,
    /// The last run waits for its next line.
    open: bool,
}

impl Texts {
    pub(super) fn line(&mut self, line: &[u8]) {
        let text = line.trim_ascii();
        if let Some(reply) = text.strip_prefix(b"<<< ") {
            return self.transcript(reply);
        }
        self.open = false;
        if let Some(reason) = text.strip_prefix(b"(reason: ") {
            let current = std::mem::take(&mut self.current);
            return self.tell(&current, reason.strip_suffix(b")").unwrap_or(reason));
        }
        if text.starts_with(b"retry timeout exceeded") {
            let current = std::mem::take(&mut self.current);
            return self.tell(&current, text);
        }
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        if !word.contains(&b'@') || word.len() > MAX_ADDRESS {
            return;
        }
        if rest.is_empty() {
            self.current.clear();
            self.current.extend_from_slice(address(word));
        } else if let Some(word) = word.strip_suffix(b":") {
            self.tell(address(word), rest.trim_ascii());
        } else if let Some(word) = word.strip_suffix(b"...")
            && let Some(words) = rest.trim_ascii().strip_prefix(b"Deferred: ")
        {
            self.tell(address(word), words);
        }
    }

    /// Lines of one reply stand below each other.
    fn transcript(&mut self, reply: &[u8]) {
        if self.open
            && let Some(run) = self.runs.last_mut()
        {
            run.push(b' ');
            let room = MAX_WORDS.saturating_sub(run.len());
            run.extend_from_slice(&reply[..reply.len().min(room)]);
        } else if self.runs.len() < MAX_RUNS && reply.get(3) == Some(&b'-') {
            self.runs.push(reply[..reply.len().min(MAX_WORDS)].to_vec());
        }
        self.open = reply.get(3) == Some(&b'-');
    }

    fn tell(&mut self, address: &[u8], words: &[u8]) {
        if !address.is_empty() && self.told.len() < MAX_TOLD {
            self.told.push((address.to_vec(), words[..words.len().min(MAX_WORDS)].to_vec()));
        }
    }

    /// What is said of a recipient.
    pub(super) fn of(&self, recipient: &[u8]) -> Option<&[u8]> {
        let found = self.told.iter().find(|(address, _)| address.eq_ignore_ascii_case(recipient));
        found.map(|(_, words)| words.as_slice())
    }

    /// The reply with all its lines, where `first` is the first of several.
    pub(super) fn completed<'a>(&'a self, first: &'a [u8]) -> &'a [u8] {
        if first.get(3) != Some(&b'-')
            || memmem::find(first, &[b' ', first[0], first[1], first[2], b' ']).is_some()
        {
            return first;
        }
        self.runs.iter().find(|run| run.starts_with(first)).map_or(first, Vec::as_slice)
    }
}

/// Without angle brackets.
fn address(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"<").and_then(|word| word.strip_suffix(b">")).unwrap_or(word)
}
