//! Bytes: finds the inputs, tells their compression, and hands out line-aligned [`Chunk`]s with the offset where
//! each begins in the decompressed stream. Knows nothing of mail.

mod ahead;
mod chunks;
mod decode;
mod discover;
mod follow;
mod map;
mod members;
mod utf16;
mod watch;

pub use chunks::{Chunk, ChunkSink, Chunks, MAX_LINE};
pub use decode::{Coding, Compression, SniffedInput, open_stream, open_stream_with, sniff};
pub use discover::{Discovered, Location, discover};
pub use follow::{Followed, Tail};
pub use map::{FileSpan, MmapChoice, spans};
pub use watch::Watch;
