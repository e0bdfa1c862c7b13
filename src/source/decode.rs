//! Tells compression and encoding by magic bytes and opens the stream of text: decompressed, and UTF-8 where the file is
//! UTF-16.

use std::fs::File;
use std::io::{self, BufReader, Read};

use super::ahead::{ahead, in_steps};
use super::members::decode_members;
use super::utf16::{ByteOrder, Utf16};

/// How a file is compressed; `name` is the value of `compression` in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

impl Compression {
    /// From the first bytes.
    pub fn of(head: &[u8]) -> Self {
        const MAGIC: [(&[u8], Compression); 5] = [
            (b"\x1f\x8b", Compression::Gzip),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"BZh", Compression::Bzip2),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"\x04\x22\x4d\x18", Compression::Lz4),
        ];
        MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map_or(Self::None, |(_, c)| *c)
    }

    /// `null` in the contract for a plain file.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::Bzip2 => Some("bzip2"),
            Self::Xz => Some("xz"),
            Self::Lz4 => Some("lz4"),
        }
    }
}

/// What a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    pub compression: Compression,
    /// The text is UTF-16: what is read, and its offsets, are those of its UTF-8.
    pub is_utf16: bool,
}

impl Coding {
    /// Its bytes are the text: it may be read from any place on.
    pub fn is_plain(self) -> bool {
        self.compression == Compression::None && !self.is_utf16
    }
}

/// The beginning of an input, decoded.
pub struct SniffedInput {
    pub coding: Coding,
    pub head: Vec<u8>,
}

/// Reads the first `bytes` of the decoded stream. A truncated archive gives what it has.
pub fn sniff(file: File, bytes: usize) -> io::Result<SniffedInput> {
    let (coding, mut stream) = open_stream(file)?;
    let mut head = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match stream.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // Whether the rest can be read is told by the scan itself, which names the error.
            Err(_) if filled > 0 => break,
            Err(e) => return Err(e),
        }
    }
    head.truncate(filled);
    Ok(SniffedInput { coding, head })
}

fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// The decoded stream of `reader`, which stands at its first byte.
pub fn open_stream(reader: impl Read + Send + 'static) -> io::Result<(Coding, Box<dyn Read + Send>)> {
    open_stream_with(reader, 0)
}

/// The same, decoded by other threads than the caller's, at most so many.
pub fn open_stream_with(
    mut reader: impl Read + Send + 'static,
    threads: usize,
) -> io::Result<(Coding, Box<dyn Read + Send>)> {
    let mut magic = [0; 6];
    let got = read_full(&mut reader, &mut magic)?;
    let compression = Compression::of(&magic[..got]);
    let whole = io::Cursor::new(magic[..got].to_vec()).chain(reader);
    let mut text: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(whole),
        _ => match decode_members(compression, Box::new(whole), threads)? {
            (true, text) => text,
            // Of gzip, two files on two threads should take as long as one.
            (false, text) if threads == 0 || compression == Compression::Gzip => in_steps(text),
            (false, text) => ahead(text),
        },
    };
    let mut mark = [0; 4];
    let got = read_full(&mut text, &mut mark)?;
    let order = ByteOrder::of(&mark[..got]);
    let text = Box::new(io::Cursor::new(mark[..got].to_vec()).chain(text));
    let text: Box<dyn Read + Send> = match order {
        Some(order) => Box::new(Utf16::new(text, order)),
        None => text,
    };
    Ok((Coding { compression, is_utf16: order.is_some() }, text))
}

pub(super) fn decoder<'r>(
    compression: Compression,
    reader: impl Read + Send + 'r,
) -> io::Result<Box<dyn Read + Send + 'r>> {
    Ok(match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(256 << 10, reader)))
        }
        Compression::Zstd => Box::new(zstd::Decoder::new(reader)?),
        Compression::Bzip2 => {
            Box::new(bzip2::bufread::MultiBzDecoder::new(BufReader::with_capacity(256 << 10, reader)))
        }
        Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(
            BufReader::with_capacity(256 << 10, reader),
        )),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(reader)),
    })
}
