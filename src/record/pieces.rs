//! Long Exim lines under syslog come in pieces of 870 bytes, `[1/2] …` and `[2/2] …` (`[1\2]` where a line break in the
//! text made them), told apart by host and pid. Joins them, in bounded memory.

use memchr::memchr;

use super::Time;

/// More processes than this at once lose the oldest line's end.
const MAX_OPEN: usize = 64;
/// Exim's own lines end at 8 kB.
const MAX_TEXT: usize = 32 * 1024;

/// One line that is being joined.
#[derive(Debug)]
pub(crate) struct Joined {
    key: Vec<u8>,
    /// Of the piece that came last.
    number: u32,
    /// Of the first piece.
    pub(crate) offset: u64,
    pub(crate) time: Time,
    pub(crate) zoned: bool,
    pub(crate) host: Option<Vec<u8>>,
    pub(crate) text: Vec<u8>,
}

/// The lines of which pieces are still to come.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    open: Vec<Joined>,
}

/// A piece as it came.
pub(crate) struct Piece<'a> {
    number: u32,
    count: u32,
    line_break: bool,
    pub(crate) text: &'a [u8],
}

/// Where a piece came from.
pub(crate) struct Origin<'a> {
    pub(crate) offset: u64,
    pub(crate) time: Time,
    pub(crate) zoned: bool,
    pub(crate) host: Option<&'a [u8]>,
    pub(crate) pid: Option<&'a [u8]>,
}

/// Reads `[1/2] text`.
pub(crate) fn piece(text: &[u8]) -> Option<Piece<'_>> {
    let rest = text.strip_prefix(b"[")?;
    let close = memchr(b']', &rest[..rest.len().min(12)])?;
    let slash = rest[..close].iter().position(|byte| matches!(byte, b'/' | b'\\'))?;
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u32>().ok();
    let (at, count) = (number(&rest[..slash])?, number(&rest[slash + 1..close])?);
    let text = rest[close + 1..].strip_prefix(b" ")?;
    (1 <= at && at <= count && count > 1).then_some(Piece {
        number: at,
        count,
        line_break: rest[slash] == b'\\',
        text,
    })
}

impl Pieces {
    /// Takes a piece in. Gives lines that are done with: the one that it completes, or one that will get no more.
    pub(crate) fn add(&mut self, piece: &Piece<'_>, origin: &Origin<'_>) -> Option<Joined> {
        let mut key = origin.host.unwrap_or(&[]).to_vec();
        key.push(b' ');
        key.extend_from_slice(origin.pid.unwrap_or(&[]));
        let at = self.open.iter().position(|joined| joined.key == key);
        if piece.number == 1 {
            let given_up = match at {
                Some(at) => Some(self.open.remove(at)),
                None if self.open.len() == MAX_OPEN => Some(self.open.remove(0)),
                None => None,
            };
            let mut joined = Joined {
                key,
                number: 0,
                offset: origin.offset,
                time: origin.time,
                zoned: origin.zoned,
                host: origin.host.map(<[u8]>::to_vec),
                text: Vec::new(),
            };
            joined.push(piece);
            self.open.push(joined);
            return given_up;
        }
        let at = at?;
        let joined = &mut self.open[at];
        if joined.number + 1 != piece.number {
            // One was lost: what came before it can still be read.
            return Some(self.open.remove(at));
        }
        joined.push(piece);
        (piece.number == piece.count).then(|| self.open.remove(at))
    }

    /// At the end: the lines that lack their end, oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Joined> + '_ {
        self.open.drain(..)
    }
}

impl Joined {
    fn push(&mut self, piece: &Piece<'_>) {
        self.number = piece.number;
        let room = MAX_TEXT.saturating_sub(self.text.len());
        self.text.extend_from_slice(&piece.text[..piece.text.len().min(room)]);
        if piece.line_break {
            self.text.push(b' ');
        }
    }
}
