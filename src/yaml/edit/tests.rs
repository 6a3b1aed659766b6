//! Every edit in every style, byte for byte, and random edits of random texts.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::diag::Source;
use crate::yaml::Node;
use crate::yaml::parse;

/// What to do with the mapping at a path.
#[derive(Debug, Clone)]
enum Action {
    Remove(&'static str),
    ReplaceValue(&'static str, &'static str),
    ReplaceEntry(&'static str, &'static str),
    Insert(&'static str),
    Set(&'static str, &'static str),
}

fn edit(text: &str, path: &[&str], action: &Action) -> Result<String, EditError> {
    let source = Source::new("card.yaml", text);
    let editor = Editor::new(&source).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mapping = path.iter().try_fold(editor.root(), |node, key| node.get(key)).expect("the path is there");
    let edit = match action {
        Action::Remove(key) => editor.remove(mapping, key),
        Action::ReplaceValue(key, value) => editor.replace_value(mapping, key, value),
        Action::ReplaceEntry(key, entry) => editor.replace_entry(mapping, key, entry),
        Action::Insert(entry) => editor.insert(mapping, entry),
        Action::Set(key, value) => editor.set(mapping, key, value),
    };
    edit.and_then(|edit| editor.apply(&[edit]))
}

struct Case {
    text: &'static str,
    path: &'static [&'static str],
    action: Action,
    /// The text that comes of it, or what is in the way.
    expected: Result<&'static str, EditErrorKind>,
}

#[test]
fn entries_are_edited_and_nothing_else() {
    use Action::{Insert, Remove, ReplaceEntry, ReplaceValue, Set};
    use EditErrorKind::{Alias, AnchorInUse, Layout, Merge, Missing};
    let case = |text, path, action, expected| Case { text, path, action, expected };
    let cases = [
        // A value.
        case("a: 1 # one\nb: 2\n", &[], ReplaceValue("a", "7"), Ok("a: 7 # one\nb: 2\n")),
        case("a: 'x y'\t# c\r\nb: 2\r\n", &[], ReplaceValue("a", "z"), Ok("a: z\t# c\r\nb: 2\r\n")),
        case("m: {a: 1, b: \"2\"}", &["m"], ReplaceValue("b", "3"), Ok("m: {a: 1, b: 3}")),
        case("a:\nb: 2\n", &[], ReplaceValue("a", "1"), Ok("a: 1\nb: 2\n")),
        case("a:   # c\nb: 2\n", &[], ReplaceValue("a", "1"), Ok("a: 1   # c\nb: 2\n")),
        case("m: {a: , b: 2}\n", &["m"], ReplaceValue("a", "1"), Ok("m: {a: 1 , b: 2}\n")),
        case("x: &k 1\na: *k\n", &[], ReplaceValue("a", "2"), Ok("x: &k 1\na: 2\n")),
        case("x: &k 1\na: *k\n", &[], ReplaceValue("x", "2"), Err(AnchorInUse)),
        case("a: !!str 1\n", &[], ReplaceValue("a", "2"), Err(Layout)),
        case("a: [1]\n", &[], ReplaceValue("a", "2"), Err(Layout)),
        case("a: 1\n", &[], ReplaceValue("b", "2"), Err(Missing)),
        // Removing from a block.
        case("a: 1\nb: 2\nc: 3\n", &[], Remove("b"), Ok("a: 1\nc: 3\n")),
        case("a: 1\nb: 2 # of b\n", &[], Remove("b"), Ok("a: 1\n")),
        case("a: 1\r\nb:\r\n  c: 2\r\n  # in\r\n# out\r\n", &[], Remove("b"), Ok("a: 1\r\n# out\r\n")),
        case("# top\na: 1\nb: {c: 2}", &[], Remove("b"), Ok("# top\na: 1\n")),
        case(
            "m:\n  a: 1\n  b:\n    c: 2\n\n    # deeper\n\n  # level\n  d: 4\n",
            &["m"],
            Remove("b"),
            Ok("m:\n  a: 1\n\n  # level\n  d: 4\n"),
        ),
        case("m:\n  a: 1\nn: 2\n", &["m"], Remove("a"), Ok("m:\n  {}\nn: 2\n")),
        case("m:\n  a: |\n    x\n\n    y\n  b: 2\n", &["m"], Remove("a"), Ok("m:\n  b: 2\n")),
        case("m:\n  a: |\n  b: 2\n", &["m"], Remove("a"), Ok("m:\n  b: 2\n")),
        case("m:\n  'a b': 1\n  \"c\": 2\n", &["m"], Remove("a b"), Ok("m:\n  \"c\": 2\n")),
        case("m:\n\t\n  a: 1\t# tab\n\t\t# deeper\n  b: 2\n", &["m"], Remove("a"), Ok("m:\n\t\n  b: 2\n")),
        case("a:\n- x\n- y\nb: 2\n", &[], Remove("a"), Ok("b: 2\n")),
        case("a: &k {x: 1}\nb: 2\n", &[], Remove("a"), Ok("b: 2\n")),
        case("a: &k {x: 1}\nb: *k\n", &[], Remove("a"), Err(AnchorInUse)),
        case("a:\n  x: &k 1\nb: *k\n", &[], Remove("a"), Err(AnchorInUse)),
        case(
            "a: &k # & more\n  x: 1\nb: *k\n",
            &["a"],
            ReplaceEntry("x", "y: 2"),
            Ok("a: &k # & more\n  y: 2\nb: *k\n"),
        ),
        case("a: &k {x: 1}\nb: *k\n", &[], Remove("b"), Ok("a: &k {x: 1}\n")),
        case("a: &k {x: 1}\nb: *k\n", &["b"], Remove("x"), Err(Alias)),
        case("a: &k {x: 1}\nb:\n  <<: *k\n  y: 2\n", &["b"], Remove("x"), Err(Merge)),
        case("a: &k {x: 1}\nb:\n  <<: *k\n  y: 2\n", &["b"], Remove("y"), Ok("a: &k {x: 1}\nb:\n  <<: *k\n")),
        case("? a\n: 1\nb: 2\n", &[], Remove("a"), Err(Layout)),
        // Removing from flow style.
        case("m: {a: 1, b: 2, c: 3}\n", &["m"], Remove("a"), Ok("m: {b: 2, c: 3}\n")),
        case("m: {a: 1, b: 2, c: 3}\n", &["m"], Remove("b"), Ok("m: {a: 1, c: 3}\n")),
        case("m: {a: 1, b: 2, c: 3}\n", &["m"], Remove("c"), Ok("m: {a: 1, b: 2}\n")),
        case("m: { a: 1 }\n", &["m"], Remove("a"), Ok("m: {  }\n")),
        case("m: {a: 1,}\n", &["m"], Remove("a"), Ok("m: {}\n")),
        case("m: {a: 1, b: 2,}\n", &["m"], Remove("b"), Ok("m: {a: 1, }\n")),
        case("m: {a: 1, # of a\n  b: 2 # of b\n  }\n", &["m"], Remove("b"), Ok("m: {a: 1, # of a\n   # of b\n  }\n")),
        case("m: {a: 'x, y', \"b\": [1, 2]}\n", &["m"], Remove("a"), Ok("m: {\"b\": [1, 2]}\n")),
        // Replacing.
        case("a: 1\nb:\n  c: 2 # x\n  # y\n# z\n", &[], ReplaceEntry("b", "d: 3"), Ok("a: 1\nd: 3\n# z\n")),
        case("m: {a: {x: 1}, b: 2}\n", &["m"], ReplaceEntry("a", "c: 3"), Ok("m: {c: 3, b: 2}\n")),
        case("b:\n  c: 2", &[], ReplaceEntry("b", "d: 3"), Ok("d: 3")),
        // Inserting.
        case("m:\n   a: 1 # c\nn: 2\n", &["m"], Insert("b: 2"), Ok("m:\n   a: 1 # c\n   b: 2\nn: 2\n")),
        case("m:\r\n  a: 1", &["m"], Insert("b: 2"), Ok("m:\r\n  a: 1\r\n  b: 2")),
        case(
            "m:\n  a:\n    x: 1\n    # in a\n  # out\n",
            &["m"],
            Insert("b: 2"),
            Ok("m:\n  a:\n    x: 1\n    # in a\n  b: 2\n  # out\n"),
        ),
        case("m: {a: 1}\n", &["m"], Insert("b: 2"), Ok("m: {a: 1, b: 2}\n")),
        case("m: {a: 1,}\n", &["m"], Insert("b: 2"), Ok("m: {a: 1, b: 2,}\n")),
        case("m: {}\n", &["m"], Insert("b: 2"), Ok("m: {b: 2}\n")),
        case("m: {\n  a: 1 # c\n}\n", &["m"], Insert("b: 2"), Ok("m: {\n  a: 1, b: 2 # c\n}\n")),
        case("a: 1\n", &["a"], Insert("b: 2"), Err(Missing)),
        // Setting.
        case("m:\n  a: 1\n", &["m"], Set("a", "2"), Ok("m:\n  a: 2\n")),
        case("m:\n  a: 1\n", &["m"], Set("b", "2"), Ok("m:\n  a: 1\n  b: 2\n")),
        case("m:\n  a:\n    x: 1\n  b: 2\n", &["m"], Set("a", "3"), Ok("m:\n  a: 3\n  b: 2\n")),
        case("x: &k {a: 1}\nm:\n  <<: *k\n", &["m"], Set("a", "2"), Ok("x: &k {a: 1}\nm:\n  <<: *k\n  a: 2\n")),
        case("x: &k {a: 1}\nm: *k\n", &["m"], Set("a", "2"), Err(Alias)),
        case("m:\n", &[], Set("m", "{a: 1}"), Ok("m: {a: 1}\n")),
    ];
    let mut wrong = Vec::new();
    for Case { text, path, action, expected } in cases {
        let found = edit(text, path, &action).map_err(|error| error.kind);
        if found.as_deref().map_err(|kind| *kind) != expected {
            wrong.push(format!("{text:?} {action:?}\n  expected {expected:?}\n  found    {found:?}"));
        }
        if let Ok(text) = found {
            assert!(parse(&Source::new("card.yaml", text.clone())).is_ok(), "{text:?} is no YAML");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_edits_are_made_at_once_unless_they_overlap() {
    let edits = [Edit::new((4..5).into(), "x"), Edit::new((0..1).into(), ""), Edit::new((5..5).into(), "y")];
    assert_eq!(apply("abcdef", &edits).as_deref(), Ok("bcdxyf"));
    for wrong in [[(0..3), (2..4)], [(0..1), (9..9)]] {
        let edits = wrong.map(|span| Edit::new(span.into(), ""));
        assert_eq!(apply("abcdef", &edits).map_err(|error| error.kind), Err(EditErrorKind::Layout));
    }
    assert!(apply("ä", &[Edit::new((1..2).into(), "")]).is_err());
}

#[test]
fn an_anchor_may_go_when_all_its_users_go() {
    let source = Source::new("card.yaml", "m: {c: &k {x: 1}}\nn: {c: *k}\n");
    let editor = Editor::new(&source).expect("YAML");
    let of = |name| editor.remove(editor.root().get(name).expect("there"), "c").expect("an edit");
    assert!(editor.apply(&[of("m")]).is_err());
    assert_eq!(editor.apply(&[of("m"), of("n")]).as_deref(), Ok("m: {}\nn: {}\n"));
    let copy = editor.root().get("n").and_then(|n| n.get("c")).expect("there");
    assert!(editor.is_copy(copy));
    assert_eq!(
        editor.original(copy).map(|node| node.span),
        editor.root().get("m").and_then(|m| m.get("c")).map(|c| c.span)
    );
}

#[test]
fn a_text_becomes_a_scalar_that_reads_back() {
    for text in [
        "x.toml",
        "../configs/a b.toml",
        "yes",
        "1.0",
        "it's",
        "a\nb",
        "\"\\\u{7}",
        "",
        "ü",
        "# x",
        "{{x}}",
        "...",
        "1_000",
        "a: b",
    ] {
        for line in [format!("k: {}\n", scalar_text(text)), format!("{{k: {}}}\n", scalar_text(text))] {
            let node = parse(&Source::new("card.yaml", line.clone())).unwrap_or_else(|error| panic!("{error}: {line}"));
            let scalar = node.get("k").and_then(Node::as_scalar).expect("a scalar");
            assert_eq!(scalar.text, text, "{line}");
        }
    }
    assert_eq!(scalar_text("../configs/x.toml"), "../configs/x.toml");
}

/// A tree to write: what a mapping holds.
#[derive(Debug, Clone)]
enum Tree {
    Scalar(u8),
    Mapping { flow: bool, entries: Vec<Tree> },
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = (0_u8..7).prop_map(Tree::Scalar);
    leaf.prop_recursive(4, 24, 4, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 1..4)).prop_map(|(flow, entries)| Tree::Mapping { flow, entries })
    })
}

const SCALARS: [&str; 7] = ["1", "x y", "'a # b'", "\"q\\\"}\"", "[1, {k: 2}]", "", "{{mark}}"];
const KEYS: [&str; 4] = ["a", "'b c'", "d", "\"e\""];
/// The texts of [`KEYS`].
const NAMES: [&str; 4] = ["a", "b c", "d", "e"];

/// Writes a mapping; `seed` strews comments and blank lines.
fn write(out: &mut String, tree: &Tree, indentation: usize, flow: bool, seed: u64, nl: &str) {
    match tree {
        Tree::Scalar(index) => out.push_str(SCALARS[usize::from(*index)]),
        Tree::Mapping { entries, flow: own } if flow || *own => {
            out.push('{');
            for (place, (key, entry)) in KEYS.iter().zip(entries).enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                out.push_str(key);
                out.push_str(": ");
                write(out, entry, indentation, true, seed, nl);
            }
            out.push_str(if seed.is_multiple_of(3) { ",}" } else { "}" });
        }
        Tree::Mapping { entries, .. } => {
            for (place, (key, entry)) in KEYS.iter().zip(entries).enumerate() {
                let mut roll = seed.wrapping_mul(31).wrapping_add(place as u64 * 7 + indentation as u64);
                roll ^= roll >> 3;
                out.push_str(nl);
                if roll % 4 == 1 {
                    let _ = write!(out, "{}# above {key}{nl}", " ".repeat(indentation));
                }
                let _ = write!(out, "{}{key}: ", " ".repeat(indentation));
                write(out, entry, indentation + 2, false, seed.wrapping_add(roll), nl);
                if roll % 5 == 2 && matches!(entry, Tree::Scalar(_)) {
                    out.push_str(" # behind");
                }
                if roll % 6 == 3 {
                    let _ = write!(out, "{nl}{nl}{}\t# below", " ".repeat(indentation + 1));
                }
            }
        }
    }
}

/// A random mapping below `node`, by a path of choices.
fn pick<'n>(node: &'n Node, path: &[u8]) -> (&'n Node, Vec<String>) {
    let (mut node, mut keys) = (node, Vec::new());
    for choice in path {
        let inner: Vec<_> = node.entries().iter().filter(|(_, value)| value.is_mapping()).collect();
        let Some((key, value)) = inner.get(usize::from(*choice) % inner.len().max(1)) else { break };
        keys.push(key.as_text().unwrap_or_default().to_owned());
        node = value;
    }
    (node, keys)
}

/// Whether nothing of `before` is missing in `after`: one piece was put in.
fn is_whole(before: &str, after: &str) -> bool {
    let front = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let back = before.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
    front + back >= before.len()
}

/// The comments that stand above entries.
fn comments_above(text: &str) -> usize {
    text.matches("# above").count()
}

proptest! {
    #[test]
    fn random_edits_change_one_entry(
        entries in prop::collection::vec(tree(), 1..4),
        path in prop::collection::vec(any::<u8>(), 0..3),
        choice in any::<u8>(),
        kind in 0_u8..4,
        seed in any::<u64>(),
        crlf in any::<bool>(),
        ending in any::<bool>(),
    ) {
        let nl = if crlf { "\r\n" } else { "\n" };
        let mut text = String::from("# a card");
        write(&mut text, &Tree::Mapping { flow: false, entries }, 0, false, seed, nl);
        if ending {
            text.push_str(nl);
        }
        let source = Source::new("card.yaml", text.clone());
        let editor = Editor::new(&source).expect("the text is YAML");
        let (mapping, keys) = pick(editor.root(), &path);
        let names: Vec<&str> = mapping.entries().iter().filter_map(|(key, _)| key.as_text()).collect();
        let name = names[usize::from(choice) % names.len()];
        prop_assert!(NAMES.contains(&name));
        let edit = match kind {
            0 => editor.remove(mapping, name),
            1 => editor.set(mapping, name, "77"),
            2 => editor.insert(mapping, "new: 78"),
            _ => editor.replace_entry(mapping, name, "other: 79"),
        };
        let edit = edit.expect("an edit");
        let after = editor.apply(&[edit]).expect("applied");
        let found = parse(&Source::new("card.yaml", after.clone())).expect("still YAML").to_json();
        let mut expected = editor.root().to_json();
        let target = keys.iter().fold(&mut expected, |value, key| &mut value[key.as_str()]);
        let object = target.as_object_mut().expect("a mapping");
        match kind {
            0 => { object.remove(name); }
            1 => { object.insert(name.to_owned(), 77.into()); }
            2 => { object.insert("new".to_owned(), 78.into()); }
            _ => { object.remove(name); object.insert("other".to_owned(), 79.into()); }
        }
        prop_assert_eq!(&found, &expected, "{:?} became {:?}", text, after);
        if kind == 2 {
            prop_assert!(is_whole(&text, &after), "{:?} became {:?}", text, after);
        }
        let inner = mapping.entry(name).map_or("", |(key, value)| &text[key.span.end..value.span.end]);
        let inner = comments_above(inner);
        prop_assert!(comments_above(&after) + inner >= comments_above(&text), "{:?} became {:?}", text, after);
    }
}
