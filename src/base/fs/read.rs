//! Reading files. What is no regular file (a pipe, a socket, a device) is refused, so that no command ever waits for somebody
//! to write.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::{Action, Result, at};
use crate::base::watch;

/// Opens a regular file, or a folder, which the system then refuses to read. A pipe is opened without waiting for its other end,
/// and refused.
pub(super) fn regular(path: &Path) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() || meta.is_dir() {
        return Ok((file, meta));
    }
    Err(io::Error::new(io::ErrorKind::NotSeekable, "it is no regular file"))
}

/// All bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    watch::path(path);
    let (mut file, meta) = at(Action::Read, path, regular(path))?;
    let mut bytes = Vec::new();
    let room = bytes.try_reserve_exact(usize::try_from(meta.len()).unwrap_or(usize::MAX));
    at(Action::Read, path, room.map_err(|_| io::ErrorKind::OutOfMemory.into()))?;
    at(Action::Read, path, file.read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// At most `limit` bytes of a file; an error when it is larger, before it is read.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    watch::path(path);
    let (file, meta) = at(Action::Read, path, regular(path))?;
    // Of the file's size from the start: a zoo has many small cards, and each growth is a call of the system.
    let size = meta.len().min(limit);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    at(Action::Read, path, file.take(limit.saturating_add(1)).read_to_end(&mut bytes))?;
    if bytes.len() as u64 > limit {
        let message = format!("the file is larger than {limit} bytes, the most that is read here");
        return at(Action::Read, path, Err(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    Ok(bytes)
}

/// `length` bytes of a file from `offset`; an error when the file has fewer, before they are allocated.
pub fn read_range(path: &Path, offset: u64, length: u64) -> Result<Vec<u8>> {
    watch::path(path);
    let (mut file, meta) = at(Action::Read, path, regular(path))?;
    let size = meta.len();
    if offset.checked_add(length).is_none_or(|end| end > size) {
        let message = format!("the file has {size} bytes, but {length} from {offset} are asked for");
        return at(Action::Read, path, Err(io::Error::new(io::ErrorKind::UnexpectedEof, message)));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let read = file.seek(io::SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes));
    at(Action::Read, path, read)?;
    Ok(bytes)
}

/// Opens a file for reading.
pub fn open(path: &Path) -> Result<File> {
    watch::path(path);
    at(Action::Read, path, regular(path)).map(|(file, _)| file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs;

    #[test]
    fn a_pipe_that_nobody_writes_to_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pipe = folder.path().join("pipe");
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        );
        made.expect("a pipe");
        let errors = [
            read(&pipe).map(drop),
            read_limited(&pipe, 9).map(drop),
            read_range(&pipe, 0, 1).map(drop),
            open(&pipe).map(drop),
            fs::copy_atomic(&pipe, &folder.path().join("copy")),
        ];
        for error in errors {
            let error = error.expect_err("it is no file");
            assert!(error.to_string().ends_with("it is no regular file"), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
