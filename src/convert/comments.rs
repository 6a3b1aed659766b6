//! The comments of a block, each with the setting that it is about.

use crate::config::Setting;
use crate::diag::Span;
use crate::yaml::Node;

/// Comments of one setting, each from its `#` on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comments {
    /// On lines of their own before it, or inside its value.
    pub(super) above: Vec<String>,
    /// Behind it.
    pub(super) behind: Vec<String>,
}

/// The comments in `regions` of a text: for each setting its own, and those behind the last one.
///
/// A comment behind a setting on its line is that setting's; one on a line of its own is the next setting's. `scalars` are
/// the bytes in which a `#` starts no comment.
pub(super) fn collect(
    text: &str,
    regions: &[Span],
    scalars: &[Span],
    settings: &[Setting],
) -> (Vec<Comments>, Vec<String>) {
    let mut of = vec![Comments::default(); settings.len()];
    let mut rest = Vec::new();
    for region in regions {
        let mut at = region.start;
        while at < region.end {
            if let Some(scalar) = scalars.iter().find(|scalar| scalar.start <= at && at < scalar.end) {
                at = scalar.end;
                continue;
            }
            let tail = text.get(at..region.end).unwrap_or_default();
            let Some(first) = tail.chars().next() else { break };
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            if first != '#' || !before.is_none_or(char::is_whitespace) {
                at += first.len_utf8();
                continue;
            }
            let line = tail.split('\n').next().unwrap_or_default();
            let comment = tidy(line);
            match owner(text, at, scalars, settings) {
                Owner::Behind(index) => push(of.get_mut(index).map(|own| &mut own.behind), comment),
                Owner::Above(index) => push(of.get_mut(index).map(|own| &mut own.above), comment),
                Owner::Nobody => rest.push(comment),
            }
            at += line.len();
        }
    }
    (of, rest)
}

fn push(list: Option<&mut Vec<String>>, comment: String) {
    if let Some(list) = list {
        list.push(comment);
    }
}

/// TOML allows no control characters in a comment but the tab.
fn tidy(line: &str) -> String {
    line.trim_end().chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

enum Owner {
    Above(usize),
    Behind(usize),
    Nobody,
}

fn owner(text: &str, at: usize, scalars: &[Span], settings: &[Setting]) -> Owner {
    let starting = |setting: &Setting| setting.key.start;
    let before = settings.iter().enumerate().filter(|(_, it)| starting(it) < at).max_by_key(|(_, it)| starting(it));
    let after = settings.iter().enumerate().filter(|(_, it)| starting(it) > at).min_by_key(|(_, it)| starting(it));
    if let Some((index, setting)) = before {
        let end = setting.value.end.max(setting.key.end);
        if at < end {
            return Owner::Above(index);
        }
        let between = text.get(end..at).unwrap_or_default();
        let other = scalars.iter().any(|scalar| end <= scalar.start && scalar.start < at);
        if !between.contains('\n') && !other {
            return Owner::Behind(index);
        }
    }
    after.map_or(Owner::Nobody, |(index, _)| Owner::Above(index))
}

/// The bytes of every scalar of a tree, in the order of the text.
pub(super) fn scalars(node: &Node) -> Vec<Span> {
    fn walk(node: &Node, found: &mut Vec<Span>) {
        if node.as_scalar().is_some() {
            found.push(node.span);
        }
        node.items().iter().for_each(|item| walk(item, found));
        for (key, value) in node.entries() {
            walk(key, found);
            walk(value, found);
        }
    }
    let mut found = Vec::new();
    walk(node, &mut found);
    found.retain(|span| span.start < span.end);
    found.sort_by_key(|span| (span.start, span.end));
    found
}
