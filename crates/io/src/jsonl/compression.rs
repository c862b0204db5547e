//! Owns how files are compressed: chosen by extension, the same way for reading and writing.
//!
//! flate2 runs on zlib-rs, which is pure Rust and faster than its default backend; zstd is the
//! reference implementation.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::jsonl::limits::BUFFER_BYTES;

/// How a file is compressed, by its extension.
///
/// ```
/// use selvedge_io::jsonl::Compression;
/// assert_eq!(Compression::of("orders.jsonl.gz"), Compression::Gzip);
/// assert_eq!(Compression::of("orders.jsonl"), Compression::Plain);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    Plain,
    /// `.gz`: gzip (RFC 1952), read with any number of members.
    Gzip,
    /// `.zst`: Zstandard (RFC 8878), read with any number of frames.
    Zstd,
}

impl Compression {
    /// What the extension says.
    #[must_use]
    pub fn of(path: impl AsRef<Path>) -> Compression {
        match path.as_ref().extension() {
            Some(extension) if extension.eq_ignore_ascii_case("gz") => Compression::Gzip,
            Some(extension) if extension.eq_ignore_ascii_case("zst") => Compression::Zstd,
            _ => Compression::Plain,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Plain => "plain",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        })
    }
}

/// A file being read, decompressed.
///
/// A compressed stream that ends before its end is an error of kind `UnexpectedEof`; a plain one
/// never is.
pub(crate) enum Decoder {
    Plain(BufReader<File>),
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<File>>>>),
    Zstd(Box<BufReader<zstd::Decoder<'static, BufReader<File>>>>),
}

impl Decoder {
    pub(crate) fn new(compression: Compression, file: File) -> io::Result<Decoder> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        // Both formats need some bytes even for nothing, but not both decoders insist on them.
        if compression != Compression::Plain && file.fill_buf()?.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(match compression {
            Compression::Plain => Decoder::Plain(file),
            Compression::Gzip => {
                let decoder = MultiGzDecoder::new(file);
                Decoder::Gzip(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
            }
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(file)?;
                Decoder::Zstd(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
            }
        })
    }
}

impl Read for Decoder {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(reader) => reader.read(into),
            Decoder::Gzip(reader) => reader.read(into),
            Decoder::Zstd(reader) => reader.read(into),
        }
    }
}

impl BufRead for Decoder {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Decoder::Plain(reader) => reader.fill_buf(),
            Decoder::Gzip(reader) => reader.fill_buf(),
            Decoder::Zstd(reader) => reader.fill_buf(),
        }
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        match self {
            Decoder::Plain(reader) => reader.consume(n),
            Decoder::Gzip(reader) => reader.consume(n),
            Decoder::Zstd(reader) => reader.consume(n),
        }
    }
}

/// A stream being written, compressed.
pub(crate) enum Encoder<W: Write> {
    Plain(BufWriter<W>),
    Gzip(GzEncoder<BufWriter<W>>),
    Zstd(zstd::Encoder<'static, BufWriter<W>>),
}

impl<W: Write> Encoder<W> {
    pub(crate) fn new(compression: Compression, out: W) -> io::Result<Encoder<W>> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, out);
        Ok(match compression {
            Compression::Plain => Encoder::Plain(out),
            Compression::Gzip => Encoder::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                Encoder::Zstd(encoder)
            }
        })
    }

    /// Writes what is still held back and the end of the compressed stream.
    pub(crate) fn finish(self) -> io::Result<W> {
        let out = match self {
            Encoder::Plain(out) => out,
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::Plain(out) => out.write(bytes),
            Encoder::Gzip(out) => out.write(bytes),
            Encoder::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Plain(out) => out.flush(),
            Encoder::Gzip(out) => out.flush(),
            Encoder::Zstd(out) => out.flush(),
        }
    }
}
