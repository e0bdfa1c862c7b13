//! Decodes in a thread of its own while what came before is searched.
//!
//! A decoder that fails keeps what it had made since it was last asked: so it is always asked for the same, whoever reads.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::thread;

/// Of one buffer: what is searched at once.
const BUFFER: usize = 256 << 10;
/// Buffers that are full and wait: who reads them is busy with the detection for moments, in which the decoder should go on.
const WAITING: usize = 8;

/// The stream, asked for the same by the caller's thread as [`ahead`] asks.
pub(super) fn in_steps(stream: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    Box::new(BufReader::with_capacity(BUFFER, stream))
}

/// A stream that another thread reads.
struct Ahead {
    /// An empty one is the end.
    full: Receiver<io::Result<Vec<u8>>>,
    /// Goes back to be filled again.
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    is_over: bool,
}

/// The same stream, read by a thread of its own; by the caller's where there is none to be had.
pub fn ahead(stream: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let (give, take) = sync_channel::<Box<dyn Read + Send>>(1);
    let (fill, full) = sync_channel(WAITING);
    // One is being filled and one read.
    let (empty, emptied) = sync_channel(WAITING + 2);
    let work = move || {
        if let Ok(stream) = take.recv() {
            read_on(stream, &fill, &emptied);
        }
    };
    if thread::Builder::new().name("decoder".into()).spawn(work).is_err() {
        return stream;
    }
    match give.send(stream) {
        Ok(()) => Box::new(Ahead { full, empty, current: Vec::new(), at: 0, is_over: false }),
        Err(SendError(stream)) => stream,
    }
}

/// Reads until the end, an error, or until nobody wants it any more.
fn read_on(
    mut stream: Box<dyn Read + Send>,
    full: &SyncSender<io::Result<Vec<u8>>>,
    emptied: &Receiver<Vec<u8>>,
) {
    loop {
        let mut buffer = emptied.try_recv().unwrap_or_default();
        buffer.resize(BUFFER, 0);
        let part = match stream.read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(buffer)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        // At the end an empty one, for who panics here sends none.
        let is_over = part.as_ref().map_or(true, Vec::is_empty);
        if full.send(part).is_err() || is_over {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() && !self.is_over {
            let stopped = |_| io::Error::other("the decoder stopped");
            let next = self.full.recv().map_err(stopped)??;
            self.is_over = next.is_empty();
            // Where there are enough it is dropped.
            let _ = self.empty.try_send(std::mem::replace(&mut self.current, next));
            self.at = 0;
        }
        let rest = &self.current[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, and an error in the end.
    struct Slow {
        left: usize,
        step: usize,
        fails: bool,
    }

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 && self.fails {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let length = self.left.min(self.step).min(buffer.len());
            for (at, byte) in buffer[..length].iter_mut().enumerate() {
                *byte = (self.left - at) as u8;
            }
            self.left -= length;
            Ok(length)
        }
    }

    #[test]
    fn what_is_read_ahead_is_what_is_there() {
        for left in [0, 1, BUFFER, 3 * BUFFER + 7, 20 * BUFFER] {
            for fails in [false, true] {
                let slow = || Slow { left, step: 70_001, fails };
                let (mut direct, mut read) = (Vec::new(), Vec::new());
                let kind = |result: io::Result<usize>| result.map_err(|error| error.kind());
                let same = kind(slow().read_to_end(&mut direct));
                assert_eq!(kind(ahead(Box::new(slow())).read_to_end(&mut read)), same);
                assert!(read == direct, "{left}");
            }
        }
    }

    #[test]
    fn who_wants_no_more_stops_it() {
        let mut stream = ahead(Box::new(io::repeat(b'x')));
        assert_eq!(stream.read(&mut [0; 10]).expect("bytes"), 10);
        drop(stream);
    }
}
