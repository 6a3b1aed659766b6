//! Paths as text: what people read, and what a name on the command line means. No file is looked at.

use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// A path without `.` and `folder/..`. Links are not looked at, so where a folder is a link to elsewhere the result may
/// name another file than the path does.
#[must_use]
pub fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// A path as users see it: tidy, relative to `root` where it lies below it, `.` for the root itself.
#[must_use]
pub fn shown(path: &Path, root: &Path) -> String {
    let clean = tidy(path);
    let relative = clean.strip_prefix(tidy(root)).unwrap_or(&clean);
    if relative.as_os_str().is_empty() { ".".to_owned() } else { text(relative) }
}

/// A path as text. Bytes that are not UTF-8 stand as `\xff`, so that names which differ in nothing else stay apart.
fn text(path: &Path) -> String {
    let mut out = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

/// Text for people with the quoted paths below `root` relative to it; an empty root changes nothing.
#[must_use]
pub fn relative(text: &str, root: &Path) -> String {
    if root.as_os_str().is_empty() {
        return text.to_owned();
    }
    text.replace(&format!("`{}/", root.display()), "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_utf_8_stay_apart() {
        let name = |bytes: &[u8]| shown(&Path::new("/zoo").join(std::ffi::OsStr::from_bytes(bytes)), Path::new("/zoo"));
        assert_eq!([name(b"a\xff.yaml"), name(b"a\xfe.yaml")], ["a\\xff.yaml", "a\\xfe.yaml"]);
    }

    #[test]
    fn people_read_short_paths() {
        let cases = [
            ("/zoo/cards/../configs/a.toml", "configs/a.toml"),
            ("/zoo/./a", "a"),
            ("/zoo", "."),
            ("/zoo/cards/..", "."),
            ("/zoo/../other/a", "/other/a"),
            ("/zoological/a", "/zoological/a"),
            ("../a/./b", "../a/b"),
            ("/..", "/.."),
        ];
        for (path, expected) in cases {
            assert_eq!(shown(Path::new(path), Path::new("/zoo")), expected, "{path}");
            assert_eq!(shown(Path::new(path), Path::new("/other/../zoo")), expected, "{path}, from an untidy root");
        }
    }
}
