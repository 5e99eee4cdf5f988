//! The coding `deflate`: a zlib stream (RFC 1950), but some servers send it without zlib's header and sum
//! (RFC 9110 8.4.1.2, note).

use std::io;

use flate2::{Decompress, FlushDecompress, Status};

use super::STEP;
use super::coding::{cut_off, damaged};

#[derive(Default)]
pub(super) struct Deflate {
    /// `None`: it is not known yet which of the two it is.
    inflate: Option<Decompress>,
    /// The first byte, until the second one comes.
    first: Option<u8>,
    ended: bool,
}

impl Deflate {
    pub(super) fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        if self.ended {
            return Ok(input.len());
        }
        if let Some(inflate) = &mut self.inflate {
            return step(inflate, &mut self.ended, input, output);
        }
        let Some(&byte) = input.first() else {
            return Ok(0);
        };
        let Some(first) = self.first else {
            self.first = Some(byte);
            return Ok(1);
        };
        let is_zlib = is_zlib_header(first, byte);
        let inflate = self.inflate.insert(Decompress::new(is_zlib));
        let taken = step(inflate, &mut self.ended, &[first], output)?;
        match taken {
            1 => Ok(0),
            _ => Err(damaged()),
        }
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        let started = self.inflate.is_some() || self.first.is_some();
        match started && !self.ended {
            true => Err(cut_off()),
            false => Ok(()),
        }
    }
}

fn step(
    inflate: &mut Decompress,
    ended: &mut bool,
    input: &[u8],
    output: &mut Vec<u8>,
) -> io::Result<usize> {
    let before = inflate.total_in();
    output.reserve(STEP);
    let status = inflate.decompress_vec(input, output, FlushDecompress::None);
    match status.map_err(|_| damaged())? {
        Status::StreamEnd => *ended = true,
        Status::Ok | Status::BufError => {}
    }
    // Not more than the input is long.
    Ok((inflate.total_in() - before) as usize)
}

/// RFC 1950 2.2: the method is 8, the window at most 32 KiB, and the two bytes are a multiple of 31.
fn is_zlib_header(first: u8, second: u8) -> bool {
    first & 0x0f == 8
        && first >> 4 <= 7
        && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31)
}
