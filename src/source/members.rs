//! Compressed files that are made of many parts, each of which can be decoded for itself: BGZF (gzip whose members tell
//! their size) and zstd in several frames. Threads decode some at a time; what comes out is what one decoder makes of
//! all.
//!
//! Kept are a few batches, a batch being parts that are decoded together. Where a part is too large, broken or of
//! another kind, the ordinary decoder goes on from there.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::decode::{Compression, decoder};

/// Compressed bytes of a batch, at least, where there are so many.
const BATCH: usize = 128 << 10;
/// Compressed bytes of a part, at most.
const MOST_PART: usize = 4 << 20;
/// Decoded bytes of a batch, at most.
const MOST_TEXT: usize = 8 << 20;
/// Threads that decode, at most: more are faster than who reads.
const MOST_LANES: usize = 4;
/// Read at once.
const READ: usize = 256 << 10;

/// Cuts a stream into batches of whole parts.
struct Cutter {
    compression: Compression,
    reader: Box<dyn Read + Send>,
    /// Read and not handed out, from `at` on.
    held: Vec<u8>,
    at: usize,
    /// Nothing more can be read.
    is_over: bool,
    /// Why not.
    error: Option<io::Error>,
}

/// How long a part is, by what is there of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Known(Part),
    /// So many bytes have to be there to tell.
    Needs(usize),
    /// It does not tell.
    Unknown,
}

/// Bytes of a part, and of its text at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    bytes: usize,
    text: usize,
}

impl Cutter {
    fn new(compression: Compression, reader: Box<dyn Read + Send>) -> Self {
        Self { compression, reader, held: Vec::new(), at: 0, is_over: false, error: None }
    }

    /// The next batch; `None` where the ordinary decoder has to go on.
    fn next(&mut self, mut batch: Vec<u8>) -> Option<Vec<u8>> {
        let (mut length, mut text) = (0, 0);
        while length < BATCH
            && let Some(part) = self.part(length)
            && (length == 0 || text + part.text <= MOST_TEXT)
        {
            length += part.bytes;
            text += part.text;
        }
        batch.clear();
        batch.extend_from_slice(&self.held[self.at..self.at + length]);
        self.at += length;
        (length > 0).then_some(batch)
    }

    /// The part that begins so far behind `at`, if it is there as a whole.
    fn part(&mut self, behind: usize) -> Option<Part> {
        loop {
            let part = &self.held[self.at + behind..];
            let length = match self.compression {
                Compression::Gzip => bgzf_length(part),
                _ => frame_length(part),
            };
            let wanted = match length {
                Length::Known(found) if found.bytes <= part.len() => return Some(found),
                Length::Known(Part { bytes, .. }) | Length::Needs(bytes) if bytes <= MOST_PART => bytes,
                _ => return None,
            };
            if !self.fill(behind + wanted) {
                return None;
            }
        }
    }

    /// Reads until so many bytes are held; false where there are fewer.
    fn fill(&mut self, wanted: usize) -> bool {
        self.held.drain(..self.at);
        self.at = 0;
        while self.held.len() < wanted && !self.is_over {
            let filled = self.held.len();
            self.held.resize(filled + READ, 0);
            let read = self.reader.read(&mut self.held[filled..]);
            self.held.truncate(filled + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => self.is_over = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_over = true;
                    self.error = Some(error);
                }
            }
        }
        self.held.len() >= wanted
    }

    /// What was not handed out; `before`: what has to come before it.
    fn rest(mut self, mut before: Vec<u8>) -> Option<Box<dyn Read + Send>> {
        self.fill(1);
        before.extend_from_slice(&self.held[self.at..]);
        match (self.error, self.is_over) {
            (None, true) if before.is_empty() => None,
            (Some(error), _) => Some(Box::new(Cursor::new(before).chain(Fails(Some(error))))),
            (None, _) => Some(Box::new(Cursor::new(before).chain(self.reader))),
        }
    }
}

/// Fails once.
struct Fails(Option<io::Error>);

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Of a gzip member (RFC 1952) with the extra field of BGZF (SAM specification, 4.1), and no other optional part.
fn bgzf_length(bytes: &[u8]) -> Length {
    const HEAD: usize = 18;
    match bytes {
        [0x1f, 0x8b, 8, 4, _, _, _, _, _, _, 6, 0, b'B', b'C', 2, 0, low, high, ..] => {
            let bytes = usize::from(u16::from_le_bytes([*low, *high])) + 1;
            Length::Known(Part { bytes: bytes.max(HEAD), text: 1 << 16 })
        }
        _ if bytes.len() < HEAD => Length::Needs(HEAD),
        _ => Length::Unknown,
    }
}

/// Of a zstd frame (RFC 8878, 3.1), which is told block by block.
fn frame_length(bytes: &[u8]) -> Length {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    match bytes {
        // To be skipped; its size stands behind the magic number.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, size @ ..] => match size.first_chunk() {
            Some(size) => Length::Known(Part { bytes: 8 + u32::from_le_bytes(*size) as usize, text: 0 }),
            None => Length::Needs(8),
        },
        [a, b, c, d, descriptor, ..] if [*a, *b, *c, *d] == MAGIC => {
            let is_single = descriptor >> 5 & 1;
            let size_bytes = match descriptor >> 6 {
                0 => usize::from(is_single),
                flag => 1 << flag,
            };
            let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let before_size = 5 + usize::from(1 - is_single) + dictionary;
            let mut at = before_size + size_bytes;
            let Some(size) = bytes.get(before_size..at) else { return Length::Needs(at) };
            let size = size.iter().rev().fold(0u64, |size, byte| size << 8 | u64::from(*byte));
            let text = match size_bytes {
                0 => MOST_TEXT as u64,
                2 => size + 256,
                _ => size,
            };
            if text > MOST_TEXT as u64 {
                return Length::Unknown;
            }
            loop {
                let Some([low, middle, high]) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
                    return Length::Needs(at + 3);
                };
                let header = u32::from_le_bytes([*low, *middle, *high, 0]);
                at += match header >> 1 & 3 {
                    // One byte that is repeated.
                    1 => 4,
                    3 => return Length::Unknown,
                    _ => 3 + (header >> 3) as usize,
                };
                if header & 1 == 1 {
                    let has_checksum = descriptor >> 2 & 1 == 1;
                    let bytes = at + if has_checksum { 4 } else { 0 };
                    return Length::Known(Part { bytes, text: text as usize });
                }
            }
        }
        _ if bytes.len() < 5 => Length::Needs(5),
        _ => Length::Unknown,
    }
}

/// A batch, and a buffer for what comes out of it.
struct Job {
    batch: Vec<u8>,
    text: Vec<u8>,
}

/// A batch and its text; without, where something is wrong with it, or it is too long.
struct Done {
    batch: Vec<u8>,
    text: Option<Vec<u8>>,
}

/// A thread that decodes, in order.
struct Lane {
    jobs: SyncSender<Job>,
    done: Receiver<Done>,
}

impl Lane {
    fn new(compression: Compression) -> Option<Self> {
        // It has one batch at a time.
        let (jobs, take) = sync_channel::<Job>(1);
        let (give, done) = sync_channel(1);
        let work = move || {
            for Job { batch, text } in take {
                let text = decode(compression, &batch, text);
                if give.send(Done { batch, text }).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("decoder".into()).spawn(work).ok()?;
        Some(Self { jobs, done })
    }
}

/// The text of all parts of a batch.
fn decode(compression: Compression, batch: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
    text.clear();
    let decoder = decoder(compression, Cursor::new(batch)).ok()?;
    let length = decoder.take(MOST_TEXT as u64 + 1).read_to_end(&mut text).ok()?;
    (length <= MOST_TEXT).then_some(text)
}

/// The text of a file, of which several threads decode parts.
struct Members {
    compression: Compression,
    /// `None` once the ordinary decoder goes on, or nothing is left.
    cutter: Option<Cutter>,
    /// Without any, who reads decodes: the same batches, so that a damaged file gives the same text.
    lanes: Vec<Lane>,
    own: Option<Job>,
    /// Batches that were handed to lanes in turn, and those that were taken back.
    sent: usize,
    taken: usize,
    /// Buffers to be used again.
    batches: Vec<Vec<u8>>,
    texts: Vec<Vec<u8>>,
    text: Vec<u8>,
    at: usize,
    rest: Option<Box<dyn Read + Send>>,
}

/// The decoded stream of a compressed one, with the help of so many threads where it is made of many parts; whether it
/// is.
pub fn decode_members(
    compression: Compression,
    reader: Box<dyn Read + Send>,
    threads: usize,
) -> io::Result<(bool, Box<dyn Read + Send>)> {
    let mut cutter = Cutter::new(compression, reader);
    let is_of_parts =
        matches!(compression, Compression::Gzip | Compression::Zstd) && cutter.part(0).is_some();
    if !is_of_parts {
        let rest = cutter.rest(Vec::new()).unwrap_or_else(|| Box::new(io::empty()));
        return Ok((false, decoder(compression, rest)?));
    }
    let members = Members {
        compression,
        cutter: Some(cutter),
        lanes: (0..threads.min(MOST_LANES)).map_while(|_| Lane::new(compression)).collect(),
        own: None,
        sent: 0,
        taken: 0,
        batches: Vec::new(),
        texts: Vec::new(),
        text: Vec::new(),
        at: 0,
        rest: None,
    };
    Ok((true, Box::new(members)))
}

impl Members {
    /// Gives each lane something to do.
    fn send(&mut self) {
        let Self { cutter: Some(cutter), lanes, own, sent, taken, batches, texts, .. } = self else { return };
        while *sent - *taken < lanes.len().max(1) {
            let Some(batch) = cutter.next(batches.pop().unwrap_or_default()) else { return };
            let job = Job { batch, text: texts.pop().unwrap_or_default() };
            match sent.checked_rem(lanes.len()) {
                // A lane that is gone is noticed when its result is missed.
                Some(lane) => drop(lanes[lane].jobs.send(job)),
                None => *own = Some(job),
            }
            *sent += 1;
        }
    }

    fn take(&mut self) -> io::Result<Done> {
        let lane = self.taken.checked_rem(self.lanes.len());
        self.taken += 1;
        if let Some(Job { batch, text }) = self.own.take() {
            let text = decode(self.compression, &batch, text);
            return Ok(Done { batch, text });
        }
        let done = lane.and_then(|lane| self.lanes[lane].done.recv().ok());
        done.ok_or_else(|| io::Error::other("the decoder stopped"))
    }

    /// Goes on with the ordinary decoder, behind what has been handed out.
    fn go_on(&mut self, mut before: Vec<u8>) -> io::Result<()> {
        while self.taken < self.sent {
            before.extend_from_slice(&self.take()?.batch);
        }
        if let Some(rest) = self.cutter.take().and_then(|cutter| cutter.rest(before)) {
            self.rest = Some(decoder(self.compression, rest)?);
        }
        Ok(())
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(rest) = &mut self.rest {
                return rest.read(buffer);
            }
            if self.at < self.text.len() || buffer.is_empty() {
                let text = &self.text[self.at..];
                let length = text.len().min(buffer.len());
                buffer[..length].copy_from_slice(&text[..length]);
                self.at += length;
                return Ok(length);
            }
            self.send();
            if self.taken == self.sent {
                self.go_on(Vec::new())?;
                if self.rest.is_none() {
                    return Ok(0);
                }
                continue;
            }
            let Done { batch, text } = self.take()?;
            match text {
                Some(text) => {
                    self.batches.push(batch);
                    self.texts.push(std::mem::replace(&mut self.text, text));
                    self.at = 0;
                    self.send();
                }
                None => self.go_on(batch)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    /// As bgzip writes it.
    fn bgzf(text: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        for part in text.chunks(50_000).chain([&b""[..]]) {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part).expect("memory");
            let packed = encoder.finish().expect("memory");
            let mut crc = flate2::Crc::new();
            crc.update(part);
            file.extend_from_slice(b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0");
            file.extend_from_slice(&(packed.len() as u16 + 25).to_le_bytes());
            file.extend_from_slice(&packed);
            file.extend_from_slice(&crc.sum().to_le_bytes());
            file.extend_from_slice(&crc.amount().to_le_bytes());
        }
        file
    }

    /// Frames that tell the length of their text and frames that do not, checksums, and something to skip.
    fn frames(text: &[u8]) -> Vec<u8> {
        let mut file = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        for (index, part) in text.chunks(200_000).enumerate() {
            match index % 3 {
                0 => file.extend(zstd::bulk::compress(part, 1).expect("memory")),
                1 => file.extend(zstd::encode_all(part, 1).expect("memory")),
                _ => {
                    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
                    encoder.include_checksum(true).expect("a choice");
                    encoder.write_all(part).expect("memory");
                    file.extend(encoder.finish().expect("memory"));
                }
            }
        }
        file
    }

    fn text(lines: usize) -> Vec<u8> {
        (0..lines).flat_map(|n| format!("{n} {:x} some text\n", n * 7_919 % 65_537).into_bytes()).collect()
    }

    /// What comes out, and what goes wrong in the end.
    fn read(stream: io::Result<Box<dyn Read + Send>>) -> (Vec<u8>, Option<String>) {
        let mut text = Vec::new();
        let error = stream.and_then(|mut stream| stream.read_to_end(&mut text)).err();
        (text, error.map(|error| format!("{:?} {error}", error.kind())))
    }

    fn in_parallel(
        compression: Compression,
        file: &[u8],
        threads: usize,
    ) -> (bool, (Vec<u8>, Option<String>)) {
        let file = Cursor::new(file.to_vec());
        match decode_members(compression, Box::new(file), threads) {
            Ok((is_cut, stream)) => (is_cut, read(Ok(stream))),
            Err(error) => (false, read(Err(error))),
        }
    }

    fn in_order(compression: Compression, file: &[u8]) -> (Vec<u8>, Option<String>) {
        read(decoder(compression, Cursor::new(file.to_vec())))
    }

    #[test]
    fn parts_are_decoded_as_the_whole_is() {
        let text = text(60_000);
        for (compression, file) in [(Compression::Gzip, bgzf(&text)), (Compression::Zstd, frames(&text))] {
            assert_eq!(in_order(compression, &file).0.len(), text.len());
            for threads in [0, 1, 2, 5] {
                let (is_cut, found) = in_parallel(compression, &file, threads);
                assert!(is_cut && found == (text.clone(), None), "{compression:?}");
            }
        }
    }

    #[test]
    fn what_is_one_part_is_left_to_the_ordinary_decoder() {
        let text = text(1000);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).expect("memory");
        let gzip = encoder.finish().expect("memory");
        assert_eq!(in_parallel(Compression::Gzip, &gzip, 2), (false, (text.clone(), None)));
        let large = vec![b'x'; MOST_TEXT + 1];
        let zstd = zstd::bulk::compress(&large, 1).expect("memory");
        assert!(in_parallel(Compression::Zstd, &zstd, 2) == (false, (large.clone(), None)));
        // The same among small ones, also where it does not tell.
        for large in [zstd, zstd::encode_all(&large[..], 1).expect("memory")] {
            let file = [frames(&text), large, frames(&text)].concat();
            assert!(in_parallel(Compression::Zstd, &file, 2) == (true, in_order(Compression::Zstd, &file)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Cut, damaged, with something else behind it: text and error are those of the ordinary decoder. How much it still
        /// gives of what is damaged is chance.
        #[test]
        fn damage_shows_as_in_the_ordinary_decoder(
            is_gzip in any::<bool>(),
            cut in proptest::option::of(any::<prop::sample::Index>()),
            damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
            behind in proptest::sample::select(vec![&b""[..], b"\0\0\0\0", b"words", b"\x1f\x8b\x08\x04"]),
            threads in 1usize..4,
        ) {
            let text = text(30_000);
            let (compression, mut file) = match is_gzip {
                true => (Compression::Gzip, bgzf(&text)),
                false => (Compression::Zstd, frames(&text)),
            };
            if let Some(cut) = cut {
                file.truncate(cut.index(file.len()));
            }
            if let (Some((at, byte)), false) = (damage, file.is_empty()) {
                let at = at.index(file.len());
                file[at] = byte;
            }
            file.extend_from_slice(behind);
            let (_, found) = in_parallel(compression, &file, threads);
            prop_assert!(found == in_parallel(compression, &file, 0).1, "the threads change what is read");
            let expected = in_order(compression, &file);
            prop_assert_eq!(&found.1, &expected.1);
            let is_damaged = damage.is_some() && expected.1.is_some();
            let same = found.0.len().min(expected.0.len());
            prop_assert!(is_damaged || found.0.len() == expected.0.len());
            prop_assert!(found.0[..same] == expected.0[..same]);
        }
    }
}
