//! Where the cache folder keeps what it knows of each build root, and whether a folder is a cache at all.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::StoreError;
use crate::base::Digest;
use crate::base::fs;

/// The file beside a state that says which build root it is of: its path.
pub(super) const ROOT: &str = "root";

/// The file beside a state that says where its build root is as seen from the cache folder, which stays the same when a zoo is
/// moved as a whole, and on a second line where the cache folder is.
pub(super) const FROM_CACHE: &str = "from-cache";

/// The file beside a state that says which zoos build into the build root.
pub(super) const ZOOS: &str = "zoos";

/// Digits in the name of a folder of [`homes`].
const DIGITS: usize = 12;

/// The folder of what is known of one build root, by its path.
pub(super) fn home_of(cache: &Path, build_root: &Path) -> PathBuf {
    // However it is written, it is one build root.
    cache.join("builds").join(Digest::of(settled(build_root).as_os_str().as_bytes()).short())
}

/// The folder of what is known of one build root, or of what it was before the zoo was moved. Two paths are taken for one
/// build root when they are the same as seen from the cache folder, that has another place than it had, and nothing is where
/// it and the older build root were.
pub(super) fn find_home(cache: &Path, build_root: &Path) -> PathBuf {
    let own = home_of(cache, build_root);
    if fs::exists(&own) {
        return own;
    }
    let now = from_cache(cache, build_root);
    let is_gone = |path: &[u8]| fs::is_gone(Path::new(OsStr::from_bytes(path)));
    let is_same = |home: &PathBuf| {
        let known = fs::read(&home.join(FROM_CACHE)).unwrap_or_default();
        let (known, now) = (lines(&known), lines(&now));
        known.zip(now).is_some_and(|(known, now)| known.0 == now.0 && known.1 != now.1 && is_gone(known.1))
    };
    // A move that was begun is one.
    let is_moved = |home: &PathBuf| {
        let root = fs::read(&home.join(ROOT));
        root.is_ok_and(|root| root == build_root.as_os_str().as_bytes() || is_gone(&root) && is_same(home))
    };
    let moved = homes(cache).into_iter().filter(is_moved);
    moved.max_by_key(|home| fs::stat(&home.join("state-1")).map(|stat| stat.mtime)).unwrap_or(own)
}

/// Gives what is known of a build root the name that follows from where it is now. Prerequisite: the store is locked.
pub(super) fn move_home(cache: &Path, build_root: &Path, home: &Path) -> Result<PathBuf, StoreError> {
    let own = home_of(cache, build_root);
    if *home != own {
        // First, so that a run that is killed in between is understood.
        match fs::write_atomic(&home.join(ROOT), build_root.as_os_str().as_bytes()) {
            // On a full disk, which this run may be about to make room on, it keeps its name for now.
            Err(error) if error.is_no_space() => return Ok(home.to_owned()),
            written => written?,
        }
        for name in ["stats-1", "fresh-2"] {
            fs::remove_file(&home.join(name))?;
        }
        fs::rename(home, &own)?;
    }
    Ok(own)
}

/// A zoo that builds into a build root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Builder {
    /// Its root, without links.
    pub root: PathBuf,
    /// Its folders of cards. Where none is left, so is no zoo.
    pub cards: Vec<PathBuf>,
}

impl Builder {
    fn is_there(&self) -> bool {
        self.cards.iter().any(|folder| !fs::is_gone(folder))
    }

    /// Its line: paths end with NUL, which no path has in it, and the zoo with one more.
    fn encode(&self) -> Vec<u8> {
        let paths = std::iter::once(&self.root).chain(&self.cards);
        let mut line: Vec<u8> = paths.flat_map(|path| [path.as_os_str().as_bytes(), b"\0"].concat()).collect();
        line.extend(b"\0\n");
        line
    }

    fn decode(line: &[u8]) -> Option<Self> {
        let mut paths = line.split(|&byte| byte == 0).map(|path| PathBuf::from(OsStr::from_bytes(path)));
        Some(Self { root: paths.next()?, cards: paths.collect() })
    }
}

/// The zoos that were noted to build into a build root and are still there.
pub(super) fn zoos(home: &Path) -> Result<Vec<Builder>, StoreError> {
    let known = fs::read_if_there(&home.join(ZOOS))?.unwrap_or_default();
    let mut zoos = Vec::new();
    let mut rest = &known[..];
    while let Some(end) = rest.windows(3).position(|bytes| bytes == b"\0\0\n") {
        zoos.extend(Builder::decode(&rest[..end]).filter(Builder::is_there));
        rest = &rest[end + 3..];
    }
    Ok(zoos)
}

/// Notes that a zoo builds into a build root, and forgets those that are gone.
pub(super) fn note_zoo(home: &Path, zoo: &Builder) -> Result<(), StoreError> {
    let mut zoos = zoos(home)?;
    if zoos.contains(zoo) {
        return Ok(());
    }
    zoos.retain(|known| known.root != zoo.root);
    zoos.push(zoo.clone());
    let lines: Vec<u8> = zoos.iter().flat_map(Builder::encode).collect();
    Ok(fs::write_atomic(&home.join(ZOOS), &lines)?)
}

/// The folders of all build roots. Others in the same place are not axzoo's.
pub(super) fn homes(cache: &Path) -> Vec<PathBuf> {
    let is_name = |name: &str| name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let folders = fs::list(&cache.join("builds")).unwrap_or_default().into_iter();
    folders
        .filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_name) && fs::is_folder(path))
        .collect()
}

/// Both lines of [`FROM_CACHE`].
fn lines(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'\n')?;
    Some((&text[..end], &text[end + 1..]))
}

/// A path without links and `..`, as far as there is something.
fn settled(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|above| Some((above, fs::canonical(above).ok()?)));
    let Some((above, settled)) = known else { return path.to_owned() };
    // Its parts, so that there is no `/` at the end where there is no rest.
    path.strip_prefix(above).map_or(settled.clone(), |rest| settled.components().chain(rest.components()).collect())
}

/// What [`FROM_CACHE`] says of a build root.
pub(super) fn from_cache(cache: &Path, build_root: &Path) -> Vec<u8> {
    let cache = settled(cache);
    [&seen_from(&cache, &settled(build_root)), b"\n".as_slice(), cache.as_os_str().as_bytes()].concat()
}

/// A build root as seen from the cache folder, both absolute and without `..`.
fn seen_from(cache: &Path, build_root: &Path) -> Vec<u8> {
    let (cache, root): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (cache.components().collect(), build_root.components().collect());
    let same = cache.iter().zip(&root).take_while(|(one, other)| one == other).count();
    let up = cache.iter().skip(same).map(|_| Component::ParentDir);
    let place: PathBuf = up.chain(root.iter().skip(same).copied()).collect();
    place.into_os_string().as_bytes().to_vec()
}

/// An error when a folder has something in it and nothing of it tells of a run of axzoo: whoever names it by mistake loses
/// nothing. What version control keeps an otherwise empty folder with is nothing, and what a new file system has at its root.
pub(super) fn check_is_cache(cache: &Path) -> Result<(), StoreError> {
    let is_nothing = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_hidden = name.starts_with('.') && fs::is_file(path);
        is_hidden || name.starts_with("README") || ["CACHEDIR.TAG", "lost+found"].contains(&name)
    };
    let entries = match fs::list(cache) {
        Err(error) if error.is_not_found() => return Ok(()),
        entries => entries?,
    };
    if entries.iter().all(is_nothing) || is_cache(cache) {
        return Ok(());
    }
    // As on a full disk: the lock was taken, and folders were made, but nothing could be written.
    let lock = cache.join("lock");
    let is_begun = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        is_nothing(path) || *path == lock || ["blobs", "builds", "logs", "tmp"].contains(&name)
    };
    if fs::stat(&lock).is_some_and(|stat| stat.size == 0) && entries.iter().all(is_begun) {
        return Ok(());
    }
    Err(StoreError::Foreign { cache: cache.to_owned() })
}

/// Whether what only axzoo writes is in a folder.
fn is_cache(cache: &Path) -> bool {
    let is_shelf = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let holder = |path: &Path| fs::read_limited(path, 4096).is_ok_and(|text| text.starts_with(b"process "));
    ["journal-1", "journal-1.index", "checked.jsonl"].iter().any(|name| fs::is_file(&cache.join(name)))
        || holder(&cache.join("lock"))
        || !homes(cache).is_empty()
        || fs::list(&cache.join("blobs")).is_ok_and(|shelves| shelves.iter().any(is_shelf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_root_as_seen_from_the_cache_moves_with_the_zoo() {
        let cases = [
            ("/a/zoo/cache", "/a/zoo/build", "../build"),
            ("/a/zoo/cache", "/a/out/x", "../../out/x"),
            ("/a/zoo/.axzoo/cache", "/a/zoo", "../.."),
            ("/cache", "/cache/build", "build"),
        ];
        for (cache, root, place) in cases {
            assert_eq!(seen_from(Path::new(cache), Path::new(root)), place.as_bytes(), "{cache} {root}");
        }
    }
}
