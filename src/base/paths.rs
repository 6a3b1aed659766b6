//! Paths as text: what people read, and what a name on the command line means. No file is looked at.

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
    if relative.as_os_str().is_empty() { ".".to_owned() } else { relative.to_string_lossy().into_owned() }
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
