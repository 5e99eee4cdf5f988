//! One decoder per content coding, all with the same interface.

use std::io::{self, Write};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::write::GzDecoder;
use zstd_safe::{DCtx, InBuffer, OutBuffer};

use super::deflate::Deflate;
use super::{Coding, STEP};

/// Deflate yields at most 1032 bytes for each one, so this yields 258 KiB at most.
const GZIP_SLICE: usize = 256;

/// RFC 1952 2.3.1: the first byte of a member.
const MAGIC: u8 = 0x1f;

/// RFC 9659: a decoder for web content needs a window of 8 MiB and no more.
const ZSTD_WINDOW_LOG: u32 = 23;

pub(super) enum Decoder {
    Gzip(Gzip),
    Deflate(Deflate),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Decoder {
        match coding {
            Coding::Gzip => Decoder::Gzip(Gzip::default()),
            Coding::Deflate => Decoder::Deflate(Deflate::default()),
            Coding::Brotli => Decoder::Brotli(Box::default()),
            Coding::Zstd => Decoder::Zstd(Zstd::default()),
        }
    }

    /// Decodes the beginning of the input, and returns how much of it was taken. If that yields something, it
    /// may yield more without more input.
    pub(super) fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Decoder::Gzip(gzip) => gzip.decode(input, output),
            Decoder::Deflate(deflate) => deflate.decode(input, output),
            Decoder::Brotli(brotli) => brotli.decode(input, output),
            Decoder::Zstd(zstd) => zstd.decode(input, output),
        }
    }

    /// Ends the input. That it is not complete is an error, unless there was none: servers label empty bodies
    /// as well.
    pub(super) fn finish(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Decoder::Gzip(gzip) => gzip.finish(output),
            Decoder::Deflate(deflate) => deflate.finish(),
            Decoder::Brotli(brotli) => brotli.finish(),
            Decoder::Zstd(zstd) => zstd.finish(),
        }
    }
}

pub(super) fn cut_off() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the compressed page is cut off",
    )
}

pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the compressed page is damaged")
}

/// RFC 1952. Like browsers, it ignores what follows the end, unless that is another member.
pub(super) struct Gzip {
    /// `None`: the last member has ended.
    member: Option<GzDecoder<Vec<u8>>>,
    started: bool,
}

impl Default for Gzip {
    fn default() -> Gzip {
        Gzip {
            member: Some(GzDecoder::new(Vec::new())),
            started: false,
        }
    }
}

impl Gzip {
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        if input.is_empty() {
            return Ok(0);
        }
        let Some(member) = &mut self.member else {
            if input[0] != MAGIC {
                return Ok(input.len());
            }
            self.member = Some(GzDecoder::new(Vec::new()));
            self.started = false;
            return self.decode(input, output);
        };
        self.started = true;
        let slice = &input[..input.len().min(GZIP_SLICE)];
        let taken = member.write(slice)?;
        // It keeps 32 KiB back otherwise.
        member.flush()?;
        output.append(member.get_mut());
        if taken == 0 {
            // The member has ended. This checks its length and sum.
            self.finish(output)?;
            self.member = None;
        }
        Ok(taken)
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if let Some(member) = &mut self.member
            && self.started
        {
            member.try_finish().map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => cut_off(),
                _ => damaged(),
            })?;
            output.append(member.get_mut());
        }
        Ok(())
    }
}

/// RFC 7932.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    buffer: Vec<u8>,
    started: bool,
    ended: bool,
}

impl Default for Brotli {
    fn default() -> Brotli {
        let alloc = StandardAlloc::default;
        Brotli {
            // Not the variant with large windows, which no browser decodes.
            state: BrotliState::new_strict(alloc(), alloc(), alloc()),
            buffer: vec![0; STEP],
            started: false,
            ended: false,
        }
    }
}

impl Brotli {
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        if self.ended {
            return Ok(input.len());
        }
        self.started = true;
        let (mut left, mut taken) = (input.len(), 0);
        let (mut room, mut written, mut total) = (self.buffer.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut taken,
            input,
            &mut room,
            &mut written,
            &mut self.buffer,
            &mut total,
            &mut self.state,
        );
        output.extend_from_slice(&self.buffer[..written]);
        match result {
            BrotliResult::ResultFailure => return Err(damaged()),
            BrotliResult::ResultSuccess => self.ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        Ok(taken)
    }

    fn finish(&self) -> io::Result<()> {
        match self.started && !self.ended {
            true => Err(cut_off()),
            false => Ok(()),
        }
    }
}

/// RFC 8878. Frames may follow each other.
pub(super) struct Zstd {
    context: DCtx<'static>,
    buffer: Vec<u8>,
    /// A frame has begun and not ended.
    in_frame: bool,
}

impl Default for Zstd {
    fn default() -> Zstd {
        let mut context = DCtx::create();
        // An error means that the limit is unknown to this version, which has its own.
        let _ = context.set_parameter(zstd_safe::DParameter::WindowLogMax(ZSTD_WINDOW_LOG));
        Zstd {
            context,
            buffer: vec![0; STEP],
            in_frame: false,
        }
    }
}

impl Zstd {
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        if input.is_empty() && !self.in_frame {
            return Ok(0);
        }
        let mut source = InBuffer::around(input);
        let mut target = OutBuffer::around(&mut self.buffer[..]);
        let hint = self.context.decompress_stream(&mut target, &mut source);
        let hint = hint.map_err(|_| damaged())?;
        output.extend_from_slice(target.as_slice());
        // 0: the frame is complete, and everything of it has been written.
        self.in_frame = hint != 0;
        Ok(source.pos)
    }

    fn finish(&self) -> io::Result<()> {
        match self.in_frame {
            true => Err(cut_off()),
            false => Ok(()),
        }
    }
}
