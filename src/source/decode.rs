//! Tells compression by magic bytes and opens the decompressed stream.

use std::fs::File;
use std::io::{self, BufReader, Read};

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

/// The beginning of an input, decompressed.
pub struct SniffedInput {
    pub compression: Compression,
    pub head: Vec<u8>,
}

/// Reads the first `bytes` of the decompressed stream. A truncated archive gives what it has.
pub fn sniff(mut file: File, bytes: usize) -> io::Result<SniffedInput> {
    let mut magic = [0; 6];
    let got = read_full(&mut file, &mut magic)?;
    let compression = Compression::of(&magic[..got]);
    let mut head = vec![0; bytes];
    let mut stream = decoder(compression, io::Cursor::new(magic[..got].to_vec()).chain(file))?;
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
    Ok(SniffedInput { compression, head })
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

/// The decompressed stream of `reader`, which stands at its first byte. `count` is told the compressed bytes read.
pub fn open_stream(
    mut reader: impl Read + Send + 'static,
) -> io::Result<(Compression, Box<dyn Read + Send>)> {
    let mut magic = [0; 6];
    let got = read_full(&mut reader, &mut magic)?;
    let compression = Compression::of(&magic[..got]);
    let whole = io::Cursor::new(magic[..got].to_vec()).chain(reader);
    Ok((compression, decoder(compression, whole)?))
}

fn decoder(compression: Compression, reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
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
