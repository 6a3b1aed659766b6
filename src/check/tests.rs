//! What `check` finds in small zoos, and in the real cards where they are.

use super::check_card;
use crate::cards::select;
use crate::cards::tests::GOOD;
use crate::cards::tests::Zoo;
use crate::cards::tests::lines;
use crate::cards::tests::real;
use crate::cards::tests::shared;
use crate::diag::Diagnostic;
use crate::diag::Severity;

#[test]
fn files_are_looked_at_with_the_right_severity() {
    let md5 = "    weight_md5: 098f6bcd4621d373cade4e832627b4f6\n    class: AxONNXModel";
    let cases: &[(&str, &str, &[&str])] = &[
        ("", "", &["warning file/missing:17", "warning file/missing:26"]),
        ("weights", "", &["warning file/missing:26"]),
        ("weights data", "", &[]),
        ("weights data", md5, &[]),
        ("weights data", "    weight_md5: 00000000000000000000000000000000", &["file/md5:16"]),
        ("data", "    weight_url: https://example.com/m.onnx", &["note file/missing:17"]),
        ("weights data", "    class_path: $SDK/x.py", &["warning card/undefined-variable:16"]),
        ("weights data", "    class_path: x.py", &["warning file/missing:16"]),
        ("weights data", "    precompiled_path: x.zip", &["warning file/missing:16"]),
        ("weights data", "    prequantized_path: weights", &["warning file/kind:16"]),
    ];
    let mut wrong = Vec::new();
    for (files, line, expected) in cases {
        let text = if line.is_empty() { GOOD.to_owned() } else { GOOD.replace("    class: AxONNXModel", line) };
        let zoo = Zoo::new(&[("model_cards/net.yaml", &text)]);
        if files.contains("weights") {
            zoo.write("model_cards/weights/m.onnx", b"test");
        }
        if files.contains("data") {
            zoo.write("data/digits/0.png", b"");
        }
        let mut expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
        if line.lines().count() > 1 {
            expected.clear();
        }
        let found: Vec<String> = lines(&check_card(&zoo.card(), None))
            .iter()
            .map(|line| line.replace(" model_cards/net.yaml", ""))
            .collect();
        if found != expected {
            wrong.push(format!("{files:?} {line:?}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pipeline_is_looked_at() {
    let other = GOOD.replace(
        "datasets:\n",
        "  other:\n    precompiled_url: https://example.com/x.zip\n    dataset: digits\ndatasets:\n",
    );
    let zoo =
        Zoo::new(&[("model_cards/net.yaml", &other), ("model_cards/weights/m.onnx", ""), ("data/digits/0.png", "")]);
    assert_eq!(
        lines(&check_card(&zoo.card(), None)),
        ["note build/not-supported model_cards/net.yaml:23", "warning pipeline/unused-model model_cards/net.yaml:23"]
    );
    assert!(check_card(&zoo.card(), Some("reader")).is_empty());
    let twice = GOOD.replace("models:\n", "  - again:\n      model_name: reader\n      preprocess: [resize: {width: 16, height: 8, interpolation: nearest}, torch-totensor: ]\nmodels:\n");
    zoo.write("model_cards/net.yaml", twice.as_bytes());
    assert_eq!(lines(&check_card(&zoo.card(), None)), ["warning pipeline/preprocess model_cards/net.yaml:14"]);
    let marks = GOOD.replace(
        "        - torch-totensor:\n",
        "        - torch-totensor:\n      postprocess:\n        - topk: {k: {{k}}}\n",
    );
    zoo.write("model_cards/net.yaml", marks.as_bytes());
    assert_eq!(lines(&check_card(&zoo.card(), None)), ["card/substitution model_cards/net.yaml:15"]);
    let python = GOOD.replace("        - resize:\n            width: {{input_width}}\n            height: {{input_height}}\n        - torch-totensor:\n", "");
    zoo.write("model_cards/net.yaml", python.replace("      preprocess:\n", "").as_bytes());
    assert_eq!(lines(&check_card(&zoo.card(), None)), ["warning card/no-preprocess model_cards/net.yaml:10"]);
}

#[test]
fn the_cards_of_the_sdk_have_no_errors() {
    let Some(shared) = shared() else { return };
    for framework in [true, false] {
        for version in ["voyager-1.2.5", "voyager-1.6"] {
            let catalog = crate::cards::read_catalog(&real(&shared, version, framework));
            let selected = select(&catalog, &[], &shared).expect("no targets mean all");
            let problems: Vec<Diagnostic> = selected.iter().flat_map(|one| check_card(one.card, one.model)).collect();
            let errors: Vec<_> =
                problems.iter().filter(|problem| problem.severity == Severity::Error).cloned().collect();
            // The one card of 1.6 whose template is not among the files.
            let expected = if framework && version == "voyager-1.6" {
                vec!["card/template ax_models/reference/cascade/fruit-demo.yaml:30".to_owned()]
            } else {
                Vec::new()
            };
            assert_eq!(lines(&errors), expected, "{version}");
            assert!(problems.iter().all(|problem| problem.network.is_some() && problem.place.is_some()));
            let unset = problems.iter().filter(|problem| problem.code == "card/undefined-variable").count();
            // Every card but one tutorial has paths below `AXELERA_FRAMEWORK`; it says so once.
            assert_eq!(unset, if framework { 0 } else { catalog.cards.len() }, "{version}");
        }
    }
}
