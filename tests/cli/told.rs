//! What `build` and `why` tell of a change: the toolchain, the place of each difference, the time that went.

use crate::scripted::{card, zoo};
use crate::space::Space;

#[test]
fn a_build_says_which_toolchain_is_another() {
    let space = zoo(&["a", "b"]);
    space.axzoo("build").expect_code(0);
    space.edit(&space.path("axzoo.toml"), "clean $AXZOO", "cleaned $AXZOO");
    space.axzoo("build -n").expect_code(0).says("toolchain: scripted/clean/").says(", 2 steps");
    let run = space.axzoo("build").expect_code(0);
    let line = run.stderr.lines().find(|line| line.starts_with("toolchain: ")).expect("it is told");
    assert!(line.contains(" → scripted/clean/") && line.ends_with(", 2 steps"), "{line}");
    assert_eq!(run.stderr.matches("toolchain: ").count(), 1, "{}", run.stderr);
    assert!(!space.axzoo("build --force").expect_code(0).stderr.contains("toolchain"), "nothing changed since");
    space.edit(&space.path("axzoo.toml"), "cleaned $AXZOO", "clean at last $AXZOO");
    space.axzoo("build --format json").expect_code(0).says("\"event\":\"toolchain_changed\"").says("\"steps\":2");
}

#[test]
fn a_difference_is_told_with_the_line_that_said_it() {
    let text = card("a", "      compilation_config: {resources_used: 0.25}\n");
    let cases = [
        (
            "num_cal_images: 1",
            "num_cal_images: 2",
            vec![
                ("calibration_images: 1 → 2", "num_cal_images"),
                ("model_info.extra_kwargs.num_cal_images: 1 → 2", "num_cal_images"),
            ],
        ),
        (
            "- torch-totensor:",
            "- torch-totensor:\n        - normalize: {mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}",
            vec![
                ("preprocess.operators[", "- normalize"),
                ("description.pipeline[0].preprocess[2].normalize.mean", "- normalize"),
            ],
        ),
        (
            "resources_used: 0.25",
            "resources_used: 0.5",
            vec![
                ("resources_used: 0.25 → 0.5", "resources_used"),
                ("description.models[0].resources: 0.25 → 0.5", "resources_used"),
            ],
        ),
        (
            "num_classes: 10",
            "num_classes: 11",
            vec![("class_count: 10 → 11", "num_classes"), ("model_info.num_classes: 10 → 11", "num_classes")],
        ),
        ("class: Net", "class: Other", vec![("model_info.class_name: Net → Other", "   class: Other")]),
    ];
    let space = zoo(&["a"]);
    space.write("data/pictures/two.png", "another picture");
    space.write("model_cards/a.yaml", &text);
    space.axzoo("build").expect_code(0);
    for (from, to, differences) in cases {
        assert!(text.contains(from), "{from}");
        let text = text.replace(from, to);
        space.write("model_cards/a.yaml", &text);
        let line_of = |part: &str| 1 + text.lines().position(|line| line.contains(part)).expect("a line of the card");
        let why = space.axzoo("why a").expect_code(0);
        for (difference, place) in differences {
            let found = why.stdout.lines().find(|line| line.trim_start().starts_with(difference));
            let Some(found) = found else { panic!("{from}: `{difference}` is not in\n{}", why.stdout) };
            let place = if place.is_empty() {
                "model_cards/a.yaml:".to_owned()
            } else {
                format!("model_cards/a.yaml:{}", line_of(place))
            };
            assert!(found.contains(&place), "{found}: expected {place}");
        }
    }
}

#[test]
fn many_other_classes_are_one_line() {
    let space = Space::sample();
    let card = space.cards().remove("digits").expect("a card");
    space.axzoo("build digits").expect_code(0);
    let held_out = |why: &str| {
        let lines: Vec<String> = why.lines().map(|line| line.trim().to_owned()).collect();
        lines.into_iter().filter(|line| line.starts_with("labels")).collect::<Vec<_>>()
    };
    // Without its classes no image has one.
    space.edit(&card, "num_classes: 10", "num_classes: 11");
    let why = space.axzoo("why digits").expect_code(0);
    let lines = held_out(&why.stdout);
    assert_eq!(lines.len(), 1, "{}", why.stdout);
    assert!(lines[0].contains(" differ, the first is labels[0]: 0 → (nothing)"), "{}", why.stdout);
    let json = space.axzoo("why digits --format json").expect_code(0).stdout;
    assert!(json.matches("\"labels[").count() > 10 && !json.contains("\"labels\""), "{json}");
}

#[test]
fn the_time_of_a_step_that_failed_is_told() {
    let space = zoo(&["a"]);
    space.edit(&space.path("axzoo.toml"), "} > model.onnx", "; sleep 0.3; } > model.onnx; exit 3");
    let run = space.axzoo("build").expect_code(1);
    let row = run.stdout.lines().find(|line| line.starts_with("a ")).expect("a row");
    assert!(row.ends_with("ms") || row.ends_with(" s"), "{row}");
}
