//! The only door to the file system: every failure names the path and what was being done to it.
//!
//! Writes that must never be seen half done go through [`write_atomic`]: a temporary file beside the target, then a
//! rename. Whether they reach the disk before a power cut is the journal's business, not this file's.
#![expect(clippy::disallowed_methods, reason = "this is the one place that may call std::fs")]

mod digest;
mod fault;
mod lock;
mod memory;
mod read;
mod remove;
mod walk;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::watch;

pub use digest::{digest, md5};
pub use lock::try_lock_folder;
pub use memory::{Memory, memory_of_group, memory_of_machine, memory_of_this_process};
pub use read::{open, read, read_limited, read_range};
pub use remove::{empty_folder, make_folders_writable, remove_file, remove_folder, remove_folder_if_empty};
pub use walk::{Below, bytes_on_disk, files_below, find_files, look_below};

/// What was being done to a path, for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Opening or reading a file.
    Read,
    /// Creating or writing a file.
    Write,
    /// Creating a folder.
    CreateFolder,
    /// Listing a folder.
    List,
    /// Reading size and times.
    Inspect,
    /// Renaming into place.
    Rename,
    /// Removing.
    Remove,
    /// Changing permissions.
    Permissions,
    /// Waiting for or taking a lock.
    Lock,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::CreateFolder => "create the folder",
            Self::List => "list the folder",
            Self::Inspect => "inspect",
            Self::Rename => "move a finished file to",
            Self::Remove => "remove",
            Self::Permissions => "change the permissions of",
            Self::Lock => "lock",
        }
    }
}

/// A failed file operation: what, where, and what the system said.
#[derive(Debug, thiserror::Error)]
#[error("cannot {} `{}`: {}", action.verb(), path.display(), describe(source))]
pub struct FsError {
    /// What was being done.
    pub action: Action,
    /// To which path.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FsError {
    /// Whether the path does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the disk has no space left, or the user no more of it.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// This error with the path as users know it.
    #[must_use]
    pub fn shown_as(self, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// The error of a folder with a file below it that is needed and whose name is not UTF-8.
    #[must_use]
    pub fn not_utf8(folder: &Path, file: &Path) -> Self {
        let message = format!("the name `{}` in it is not UTF-8", super::shown(file, folder));
        let source = io::Error::new(io::ErrorKind::InvalidFilename, message);
        Self { action: Action::List, path: folder.to_owned(), source }
    }

    /// What would help, for the errors that have a usual cure.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => Some("check the permissions of this path and of the folders above it"),
            io::ErrorKind::ReadOnlyFilesystem => {
                Some("the file system is mounted read-only; choose another place with --cache or --build-root")
            }
            io::ErrorKind::NotADirectory => {
                Some("a file stands where a folder is needed; remove it, or choose another place")
            }
            io::ErrorKind::IsADirectory => {
                Some("a folder stands where a file is needed; remove it, or choose another place")
            }
            io::ErrorKind::AlreadyExists if self.source.get_ref().is_some() => {
                Some("make the folder that it leads to, or choose another place")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(NO_SPACE_HINT),
            io::ErrorKind::InvalidFilename => Some("rename it"),
            io::ErrorKind::NotSeekable => Some("write what comes out of a pipe to a file first"),
            _ => None,
        }
    }
}

/// What helps when a disk is full.
pub const NO_SPACE_HINT: &str =
    "free some space (`axzoo cache gc` drops what no card needs) and run the same command again";

/// Whether the disk of a path has next to nothing left; not where the system does not say.
#[must_use]
pub fn is_disk_full(path: &Path) -> bool {
    /// Bytes that no tool can do with.
    const NOTHING: u64 = 64 * 1024;
    rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < NOTHING)
}

/// Whether two paths are on one file system, or would be: of what does not exist, the folder above counts.
#[must_use]
pub fn are_on_one_disk(one: &Path, other: &Path) -> bool {
    let disk = |path: &Path| path.ancestors().find_map(|path| fs::metadata(path).ok()).map(|meta| meta.dev());
    disk(one) == disk(other)
}

/// An error where a folder cannot be written, or not be made below the nearest folder that is there.
pub fn check_writable(path: &Path) -> Result<()> {
    let Some(folder) = path.ancestors().find(|folder| folder.symlink_metadata().is_ok()) else { return Ok(()) };
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    let is_folder = fs::metadata(folder)
        .map_err(|error| dangling(folder).unwrap_or(error))
        .and_then(|meta| if meta.is_dir() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) });
    let found = is_folder.and_then(|()| rustix::fs::access(folder, access).map_err(io::Error::from));
    at(Action::Write, folder, found)
}

/// The system's words without Rust's `(os error N)`.
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// Result of a file operation.
pub type Result<T> = std::result::Result<T, FsError>;

fn at<T>(action: Action, path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|source| FsError { action, path: path.to_owned(), source })
}

/// What the system says of a file without opening it; equal before and after means "not touched in between", up to
/// the clock's granularity (design invariant 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// Time of the last change of the contents, in nanoseconds since 1970.
    pub mtime: i64,
    /// Time of the last change of contents or inode, in nanoseconds since 1970. Cannot be put back by a user.
    pub ctime: i64,
    /// The inode number.
    pub inode: u64,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File(Stat),
    /// A folder.
    Folder,
    /// A socket, device or the like.
    Other,
}

fn stat_of(meta: &fs::Metadata) -> Stat {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    Stat {
        size: meta.len(),
        mtime: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        ctime: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
    }
}

/// What `path` is, links followed; an error when it does not exist.
pub fn inspect(path: &Path) -> Result<Kind> {
    watch::path(path);
    let meta = at(Action::Inspect, path, fs::metadata(path))?;
    Ok(match meta.file_type() {
        kind if kind.is_file() => Kind::File(stat_of(&meta)),
        kind if kind.is_dir() => Kind::Folder,
        _ => Kind::Other,
    })
}

/// The stat of a regular file (links followed); `None` when there is no regular file.
#[must_use]
pub fn stat(path: &Path) -> Option<Stat> {
    match inspect(path) {
        Ok(Kind::File(stat)) => Some(stat),
        _ => None,
    }
}

/// The stat of a regular file that is no link.
#[must_use]
pub fn stat_of_file(path: &Path) -> Option<Stat> {
    watch::path(path);
    let meta = fs::symlink_metadata(path).ok()?;
    meta.is_file().then(|| stat_of(&meta))
}

/// Whether something exists at `path` (links followed).
#[must_use]
pub fn exists(path: &Path) -> bool {
    watch::path(path);
    path.exists()
}

/// Whether there is surely nothing at `path` (links followed): what a user may not look into can be there.
#[must_use]
pub fn is_gone(path: &Path) -> bool {
    watch::path(path);
    let missing = |error: io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    fs::metadata(path).is_err_and(missing)
}

/// Whether `path` is a folder (links followed).
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    watch::path(path);
    path.is_dir()
}

/// Whether `path` is a regular file (links followed).
#[must_use]
pub fn is_file(path: &Path) -> bool {
    watch::path(path);
    path.is_file()
}

/// The real place of `path`, every link followed; an error when it does not exist.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    watch::path(path);
    at(Action::Inspect, path, fs::canonicalize(path))
}

/// Opens a file for appending, created when absent.
pub fn open_append(path: &Path) -> Result<fs::File> {
    let open = || fs::OpenOptions::new().create(true).append(true).read(true).open(path);
    at(Action::Write, path, fault::point().and_then(|()| open()))
}

/// Creates `path` and the folders above it.
pub fn create_folders(path: &Path) -> Result<()> {
    let created = fault::point().and_then(|()| fs::create_dir_all(path));
    let Err(source) = created else { return Ok(()) };
    let link = path.ancestors().find_map(|above| Some((above, dangling(above)?)));
    let (path, source) = link.unwrap_or((path, source));
    at(Action::CreateFolder, path, Err(source))
}

/// The error of what is to be a folder and is a link to what does not exist.
fn dangling(path: &Path) -> Option<io::Error> {
    let is_dangling = path.is_symlink() && !path.exists();
    is_dangling.then(|| io::Error::new(io::ErrorKind::AlreadyExists, "it is a link to what does not exist"))
}

/// Does something with `path`; where a folder above it is missing, creates those and does it once more.
fn with_folders<T>(action: Action, path: &Path, make: impl Fn() -> io::Result<T>) -> Result<T> {
    match (make(), path.parent()) {
        (Err(error), Some(folder))
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            create_folders(folder)?;
            at(action, path, make())
        }
        (result, _) => at(action, path, result),
    }
}

/// A name beside `path` that no other thread or process uses at the same time.
#[must_use]
pub fn temporary_beside(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()))
}

/// The file that `path` was to become, if its name is one that [`temporary_beside`] makes; tells a killed run's
/// leftovers from everybody else's files.
#[must_use]
pub fn target_of_temporary(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (target, number) = name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (process, count) = number.split_once('-')?;
    (is_number(process) && is_number(count)).then(|| path.with_file_name(target))
}

/// As [`target_of_temporary`], if the process that made the file is gone.
#[must_use]
pub fn target_of_abandoned(path: &Path) -> Option<PathBuf> {
    let target = target_of_temporary(path)?;
    let (_, number) = path.file_name()?.to_str()?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let process = rustix::process::Pid::from_raw(number.split_once('-')?.0.parse().ok()?)?;
    let is_gone = rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH);
    is_gone.then_some(target)
}

/// Writes `bytes` so that `path` holds the old contents or the new ones, never a part; folders above are created.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = Temporary::beside(path);
    let mut file = with_folders(Action::Write, path, || fs::File::create(&temporary.0))?;
    at(Action::Write, path, fault::point().and_then(|()| file.write_all(bytes)))?;
    temporary.becomes(path)
}

/// Writes `bytes` as [`write_atomic`] does, and waits until they would survive a power cut. What `path` links to is
/// replaced, not the link; a file that was there keeps its permissions.
pub fn write_durable(path: &Path, bytes: &[u8]) -> Result<()> {
    let path = &place_of(path);
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folders(folder)?;
    let temporary = temporary_beside(path);
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        if let Ok(meta) = fs::metadata(path) {
            file.set_permissions(meta.permissions())?;
        }
        file.sync_all()
    });
    let result = at(Action::Write, path, written).and_then(|()| at(Action::Rename, path, fs::rename(&temporary, path)));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    at(Action::Write, path, fs::File::open(folder).and_then(|folder| folder.sync_all()))
}

/// The real place of a path that need not exist: links of the part that exists are followed, `.` and `..` of the rest are
/// resolved by text.
#[must_use]
pub fn place_of(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut existing = path.to_owned();
    loop {
        if let Ok(real) = fs::canonicalize(if existing.as_os_str().is_empty() { Path::new(".") } else { &existing }) {
            let mut place = real;
            for part in rest.into_iter().rev() {
                match part {
                    Component::ParentDir => {
                        place.pop();
                    }
                    Component::CurDir => {}
                    part => place.push(part.as_os_str()),
                }
            }
            return place;
        }
        let components: Vec<Component<'_>> = path.components().collect();
        let Some(last) = components.get(components.len().wrapping_sub(rest.len() + 1)).copied() else {
            return path.to_owned();
        };
        rest.push(last);
        existing = components.iter().take(components.len() - rest.len()).collect();
    }
}

/// Writes `bytes` to `path` in place, for files inside a temporary folder that nobody looks at yet.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    at(Action::Write, path, fault::point().and_then(|()| fs::write(path, bytes)))
}

/// Copies contents (a reflink where the file system can); the copy is writable whatever the source was.
pub fn copy_atomic(from: &Path, to: &Path) -> Result<()> {
    let mut source = at(Action::Read, from, read::regular(from))?.0;
    let temporary = Temporary::beside(to);
    let mut target = with_folders(Action::Write, to, || fs::File::create(&temporary.0))?;
    at(Action::Write, to, fault::point().and_then(|()| io::copy(&mut source, &mut target)))?;
    temporary.becomes(to)
}

/// A file that is being written. It goes when it does not become another one, also where a panic ends the writing; what a
/// killed process leaves is swept by the store.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> Self {
        Self(temporary_beside(path))
    }

    fn becomes(mut self, path: &Path) -> Result<()> {
        rename(&self.0, path)?;
        self.0.clear();
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // The first failure is the one to report.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// Moves a file or folder within one file system; the target is replaced, folders above it are created.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    with_folders(Action::Rename, to, || fault::point().and_then(|()| fs::rename(from, to)))
}

/// Makes a file read-only for everybody.
pub fn make_read_only(path: &Path) -> Result<()> {
    let read_only = fs::Permissions::from_mode(0o444);
    at(Action::Permissions, path, fault::point().and_then(|()| fs::set_permissions(path, read_only)))
}

/// The entries of a folder, sorted by name: full paths.
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    watch::path(path);
    let entries = at(Action::List, path, fs::read_dir(path))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(at(Action::List, path, entry)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Takes an exclusive advisory lock on `path` (created when absent); `None` at once when somebody else holds it. The lock
/// ends when the file is dropped.
pub fn try_lock(path: &Path) -> Result<Option<fs::File>> {
    if let Some(folder) = path.parent() {
        create_folders(folder)?;
    }
    let open = fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
    let file = at(Action::Lock, path, open)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => at(Action::Lock, path, Err(error)),
    }
}

/// All bytes of a file; `None` when there is no such file.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether `path` itself is a symbolic link.
#[must_use]
pub fn is_link(path: &Path) -> bool {
    watch::path(path);
    path.is_symlink()
}

/// Creates an empty file, or empties the one there is; folders above are created.
pub fn create(path: &Path) -> Result<fs::File> {
    with_folders(Action::Write, path, || fault::point().and_then(|()| fs::File::create(path)))
}

/// Writes `bytes` at the place where `file`, opened from `path`, stands.
pub fn write_to(mut file: &fs::File, path: &Path, bytes: &[u8]) -> Result<()> {
    at(Action::Write, path, fault::point().and_then(|()| file.write_all(bytes)))
}

/// Replaces the contents of `file`, opened from `path`. It begins as the old contents or the new ones do at every moment.
pub fn replace(file: &fs::File, path: &Path, bytes: &[u8]) -> Result<()> {
    at(Action::Write, path, fault::point().and_then(|()| file.write_all_at(bytes, 0)))?;
    at(Action::Write, path, file.set_len(bytes.len() as u64))
}

/// Waits until the contents of `file`, opened from `path`, would survive a power cut.
pub fn sync(file: &fs::File, path: &Path) -> Result<()> {
    at(Action::Write, path, fault::point().and_then(|()| file.sync_data()))
}

/// Waits until everything written so far to the file system that holds the folder `path` would survive a power cut.
pub fn sync_file_system(path: &Path) -> Result<()> {
    let folder = at(Action::Read, path, fs::File::open(path))?;
    at(Action::Write, path, rustix::fs::syncfs(&folder).map_err(io::Error::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_path_and_the_cause() {
        let error = read(Path::new("/nowhere/card.yaml")).expect_err("there is no such file");
        assert_eq!(error.to_string(), "cannot read `/nowhere/card.yaml`: no such file or directory");
        assert!(error.is_not_found());
    }

    #[test]
    fn an_atomic_write_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_atomic(&folder.path().join("a/b.txt"), b"one").expect("written");
        write_atomic(&folder.path().join("a/b.txt"), b"two").expect("written again");
        assert_eq!(files_below(folder.path()).expect("listed"), ["a/b.txt"]);
        assert_eq!(read(&folder.path().join("a/b.txt")).expect("read"), b"two");
    }

    #[test]
    fn a_durable_write_keeps_link_and_permissions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, link) = (folder.path().join("real.yaml"), folder.path().join("link.yaml"));
        write(&file, b"one").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        std::os::unix::fs::symlink("real.yaml", &link).expect("linked");
        write_durable(&link, b"two").expect("written");
        assert!(is_link(&link));
        assert_eq!(read(&file).expect("read"), b"two");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(files_below(folder.path()).expect("listed"), ["link.yaml", "real.yaml"]);
    }

    #[test]
    fn a_place_that_does_not_exist_has_a_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = canonical(folder.path()).expect("there");
        create_folders(&root.join("a")).expect("created");
        std::os::unix::fs::symlink("a", root.join("b")).expect("linked");
        assert_eq!(place_of(&root.join("b/x/../y.toml")), root.join("a/y.toml"));
        assert_eq!(place_of(&root.join("a/../b/z")), root.join("a/z"));
    }

    #[test]
    fn a_large_file_is_not_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("big");
        write(&path, &[0; 100]).expect("written");
        assert!(read_limited(&path, 99).is_err());
        assert_eq!(read_limited(&path, 100).expect("read").len(), 100);
    }
}
