//! Digests of files, read in pieces: memory does not grow with the file.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;

use super::Action;
use super::Result;
use super::at;
use super::watch;
use crate::base::Digest;

/// Bytes that are read at a time.
const PIECE: usize = 256 * 1024;

/// Bytes of a line of the processor's cache: the kernel copies a fifth faster to where one begins.
const CACHE_LINE: usize = 64;

thread_local! {
    /// Each thread's own, and used again: for small files, getting fresh memory takes longer than reading.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The BLAKE3 digest of a file's bytes.
pub fn digest(path: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    each_piece(path, |piece| {
        hasher.update(piece);
    })?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// The md5 of a file's bytes as 32 lower-case hexadecimal digits. Only for checksums that cards give; keys use
/// [`digest`].
pub fn md5(path: &Path) -> Result<String> {
    use md5::Digest as _;
    let mut hasher = md5::Md5::new();
    each_piece(path, |piece| hasher.update(piece))?;
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    Ok(hasher.finalize().iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

fn each_piece(path: &Path, mut take: impl FnMut(&[u8])) -> Result<()> {
    watch::path(path);
    let mut file = at(Action::Read, path, fs::File::open(path))?;
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(PIECE + CACHE_LINE, 0);
        let begin = buffer.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
        let buffer = buffer.get_mut(begin..begin + PIECE).unwrap_or_default();
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => take(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return at(Action::Read, path, Err(error)),
            }
        }
    })
}
