//! The parser's behaviour on cards, on hostile texts, and the bytes of its nodes.

use super::*;
use crate::diag::Source;

fn read(text: &str) -> Result<Node, YamlError> {
    parse(&Source::new("card.yaml", text))
}

fn tree(text: &str) -> Node {
    read(text).expect("the text is YAML")
}

/// The node as one line: texts in quotes, everything else as `PyYAML` would mean it.
fn flat(node: &Node) -> String {
    match &node.kind {
        Kind::Sequence(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Kind::Mapping(entries) => {
            let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{}: {}", flat(k), flat(v))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Kind::Scalar(scalar) => match scalar.meaning() {
            Meaning::Null => "null".to_owned(),
            Meaning::Bool(value) => value.to_string(),
            Meaning::Int(value) => value.to_string(),
            Meaning::Float(value) => format!("{value:?}"),
            Meaning::Text => format!("{:?}", scalar.text),
        },
    }
}

#[test]
fn texts_become_trees() {
    let cases = [
        ("", "null"),
        ("# only a comment\n", "null"),
        ("\u{feff}a: 1\n", r#"{"a": 1}"#),
        ("a: {{input_width}}\nb: {{k:7}}\n", r#"{"a": "{{input_width}}", "b": "{{k:7}}"}"#),
        ("a: ${{k}}\nb: [{{x}}, ${y}, $$labels$$]\n", r#"{"a": "${{k}}", "b": ["{{x}}", "${y}", "$$labels$$"]}"#),
        ("a: {b: {{c}}}\n", r#"{"a": {"b": "{{c}}"}}"#),
        ("a: {{k: x, y}} # c\nb: pre{{n}}post\n", r#"{"a": "{{k: x, y}}", "b": "pre{{n}}post"}"#),
        ("a: {b: {c: {d: 1}}}\n", r#"{"a": {"b": {"c": {"d": 1}}}}"#),
        ("a: \"{{x}} # y\"\n", r#"{"a": "{{x}} # y"}"#),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", r#"{"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}"#),
        ("a: {<<: [{x: 1}, {x: 2, y: 3}]}\n", r#"{"a": {"x": 1, "y": 3}}"#),
        ("1: a\nyes: b\n[x]: c\n", r#"{1: "a", true: "b", ["x"]: "c"}"#),
        ("a: !!str 5\nb: ! 6\nc: |\n  x\n  y\n", r#"{"a": "5", "b": "6", "c": "x\ny\n"}"#),
        ("- \n- b\n-\n", r#"[null, "b", null]"#),
        ("a:\nb: 1\n", r#"{"a": null, "b": 1}"#),
        ("%YAML 1.1\n---\na: 1\n...\n", r#"{"a": 1}"#),
        ("a: 1\r\nb: x\r\n", r#"{"a": 1, "b": "x"}"#),
    ];
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let found = read(text).map_or_else(|error| format!("error: {error}"), |node| flat(&node));
        if found != expected {
            wrong.push(format!("{text:?}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every node's bytes, in document order.
fn marked<'a>(node: &Node, text: &'a str, found: &mut Vec<&'a str>) {
    found.push(text.get(node.span.start..node.span.end).unwrap_or("outside"));
    for item in node.items() {
        marked(item, text, found);
    }
    for (key, value) in node.entries() {
        marked(key, text, found);
        marked(value, text, found);
    }
}

#[test]
fn spans_are_exact() {
    let cases: [(&str, &[&str]); 12] = [
        ("a: {b: 1,  # c\n }\n", &["a: {b: 1,  # c\n }", "a", "{b: 1,  # c\n }", "b", "1"]),
        ("a: 'b'  # c\n", &["a: 'b'", "a", "'b'"]),
        ("ä: [ü, {{ö}}]\nk:   ${é} # x\n", &["ä: [ü, {{ö}}]\nk:   ${é}", "ä", "[ü, {{ö}}]", "ü", "{{ö}}", "k", "${é}"]),
        ("a:\n  b: 1\n  # trailing\n\nc: 2\n", &["a:\n  b: 1\n  # trailing\n\nc: 2", "a", "b: 1", "b", "1", "c", "2"]),
        ("a: |\n  x\n  y\n\nb: 1\n", &["a: |\n  x\n  y\n\nb: 1", "a", "x\n  y", "b", "1"]),
        ("a: \"b\\\"}\" # c\nd: 'e''f' # g\n", &["a: \"b\\\"}\" # c\nd: 'e''f'", "a", "\"b\\\"}\"", "d", "'e''f'"]),
        ("a: {b: 1} # c\n", &["a: {b: 1}", "a", "{b: 1}", "b", "1"]),
        ("\u{feff}a: 1\r\nb: x\r\n", &["a: 1\r\nb: x", "a", "1", "b", "x"]),
        ("a: &x v\nb: *x\n", &["a: &x v\nb: *x", "a", "v", "b", "*x"]),
        ("a: &x {b: 1}\n", &["a: &x {b: 1}", "a", "{b: 1}", "b", "1"]),
        ("a: &x\n  b: !!str 1\n", &["a: &x\n  b: !!str 1", "a", "b: !!str 1", "b", "1"]),
        ("a :\nb:\n  - c\n", &["a :\nb:\n  - c", "a", "", "b", "- c", "c"]),
    ];
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let mut found = Vec::new();
        marked(&tree(text), text, &mut found);
        if found != expected {
            wrong.push(format!("{text:?}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_missing_value_stands_behind_its_colon() {
    let node = tree("extra_kwargs:   # none\nb: 1\n");
    assert_eq!(node.get("extra_kwargs").map(|value| value.span.start), Some("extra_kwargs:".len()));
}

#[test]
fn what_cannot_be_read_is_refused_at_its_place() {
    let cases = [
        ("a: 1\nb: [1, 2\nc: 3\n", "yaml/syntax", 2),
        ("a:\n  models: [\n\n", "yaml/syntax", 2),
        ("a: '['\nm: {b: [1, \"]\"], c: 1 # {\n", "yaml/syntax", 2),
        ("a: x [\nb: {{k}}\nc: [{{k}},\n  {d: 1}\n", "yaml/syntax", 3),
        ("a: 1\n\tb: 2\n", "yaml/syntax", 2),
        ("a: b: c\n", "yaml/syntax", 1),
        ("a: 1\n b: 2\n", "yaml/syntax", 2),
        ("a: \"x\n", "yaml/syntax", 1),
        ("a:\n  b: 1\n  c: \"x\n  d: 2\ne: 3\n", "yaml/syntax", 3),
        ("a:\n  b: 'x/y\n  d: 2\n", "yaml/syntax", 2),
        ("a: it's\nb: \"x\nc: 3\n", "yaml/syntax", 2),
        ("a:\n  b:x\n  # a comment\n  c: 1\n", "yaml/syntax", 2),
        ("a:\n  - b\n    c: 1\n", "yaml/syntax", 2),
        ("a: some text\n  b: 1\n", "yaml/syntax", 2),
        ("a:\n  - b: 1\n  c: 2\n", "yaml/syntax", 3),
        ("a: *nothing\n", "yaml/syntax", 1),
        ("a: 1\nb: 2\na: 3\n", "yaml/duplicate-key", 3),
        ("m: {x: 1,\n    x: 2}\n", "yaml/duplicate-key", 2),
        ("a: 1\n---\nb: 2\n", "yaml/unsupported", 2),
        ("a: !!python/object/apply:os.system ['x']\n", "yaml/unsupported", 1),
        ("a: !Custom {x: 1}\n", "yaml/unsupported", 1),
        ("a: x\0y\n", "yaml/unsupported", 1),
        ("a: &x [1, *x]\n", "yaml/unsupported", 1),
        ("a: {<<: 5}\n", "yaml/unsupported", 1),
        ("a: \u{F_FE7B}\n", "yaml/unsupported", 1),
    ];
    let mut wrong = Vec::new();
    for (text, code, line) in cases {
        let source = Source::new("card.yaml", text);
        match parse(&source) {
            Ok(node) => wrong.push(format!("{text:?}: read as {}", flat(&node))),
            Err(error) => {
                let found = source.position(error.span.start).line;
                if (error.code(), found) != (code, line) {
                    wrong.push(format!("{text:?}: {} in line {found}: {error}", error.code()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn both_places_of_a_duplicate_key_are_named() {
    let error = read("name: a\nx: 1\nname: b\n").expect_err("a key is given twice");
    assert_eq!(error.message, "duplicate key `name`, first given in line 1");
    assert_eq!(error.span.start, 13);
}

fn joined(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().concat()
}

#[test]
fn hostile_texts_end_in_an_error_or_a_tree() {
    let bomb =
        joined(29, |level| format!("a{}: &a{} [{}]\n", level + 1, level + 1, vec![format!("*a{level}"); 9].join(",")));
    let long = "x".repeat(1 << 20);
    let texts = [
        ("flow sequences", "[".repeat(10_000), false),
        ("flow mappings", "{a: ".repeat(10_000), false),
        ("block sequences", "- ".repeat(10_000), false),
        ("block mappings", joined(2_000, |depth| format!("{}a:\n", " ".repeat(depth))), false),
        ("complex keys", "? ".repeat(10_000), false),
        ("brackets on lines", "[\n".repeat(100_000), false),
        ("alias bomb", format!("a0: &a0 [x,x]\n{bomb}"), false),
        ("text bomb", format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 1000].join(",")), false),
        ("a line of a megabyte", format!("a: {long}\n"), true),
        ("a quoted line of a megabyte", format!("a: \"{long}\"\n"), true),
        ("a key of a megabyte", format!("{long}: 1\n"), false),
        ("many items", format!("[[{}", "a,".repeat(1 << 20)), false),
        ("many commas", format!("[[{}", ",".repeat(1 << 20)), false),
        ("many nodes", "- a\n".repeat(250_000), false),
        ("many keys", joined(90_000, |key| format!("k{key}: 1\n")), true),
        ("many marks", "{{".repeat(1 << 20), false),
        ("many open marks", "{{a".repeat(1 << 20), false),
        ("many variables", format!("a: {}", "${".repeat(1 << 20)), false),
        ("colons", ": ".repeat(1 << 20), false),
        ("questions", "?\n".repeat(1 << 20), false),
        ("quotes", "'".repeat(1 << 20), true),
        ("ampersands", "&a ".repeat(1 << 20), false),
        ("bangs", "!".repeat(1 << 20), false),
        ("percents", "%\n".repeat(1 << 20), false),
        ("blanks", " ".repeat(1 << 21), true),
        ("tabs", "\t".repeat(1 << 21), true),
        ("line ends", "\n".repeat(1 << 21), true),
        ("comments", "#\n".repeat(1 << 20), true),
        ("block scalar", format!("a: |\n{}", " x\n".repeat(1 << 20)), true),
        ("block scalar of line ends", format!("a: >\n{}", "\n".repeat(1 << 21)), true),
        ("anchors", joined(40_000, |n| format!("- &a{n} x\n")), true),
        ("too large", "#".repeat(TEXT_LIMIT + 1), false),
        ("non-ASCII keys", joined(50_000, |key| format!("ü{key}: ä\n")), true),
    ];
    let mut wrong = Vec::new();
    for (name, text, readable) in texts {
        let result = read(&text);
        if result.is_ok() != readable {
            wrong.push(format!("{name}: {:?}", result.map(|_| "read")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest::proptest! {
    /// Nothing panics, and every span lies in the text on character boundaries.
    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\\n\\tä{}$:&*\\[\\]\"'|>-]{0,80}") {
        let source = Source::new("card.yaml", text.clone());
        match parse(&source) {
            Ok(node) => {
                let mut found = Vec::new();
                marked(&node, &text, &mut found);
                proptest::prop_assert!(!found.contains(&"outside"), "{text:?}: {node:?}");
            }
            Err(error) => proptest::prop_assert!(text.get(error.span.start..error.span.end).is_some()),
        }
    }
}
