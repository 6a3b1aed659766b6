//! What `build` and `why` tell of a change: the toolchain, the place of each difference, the time that went.

use crate::scripted::{card, zoo};

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
    let line_of = |part: &str| 1 + text.lines().position(|line| line.contains(part)).expect("a line of the card");
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
                // In the changed card it is the line behind.
                ("preprocess.operators[", "models:"),
                ("description.pipeline[0].preprocess[2].normalize.mean", "models:"),
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
        ("class: Net", "class: Other", vec![("model_info.class_name: Net → Other", "   class: Net")]),
    ];
    let space = zoo(&["a"]);
    space.write("data/pictures/two.png", "another picture");
    space.write("model_cards/a.yaml", &text);
    space.axzoo("build").expect_code(0);
    for (from, to, differences) in cases {
        assert!(text.contains(from), "{from}");
        space.write("model_cards/a.yaml", text.replace(from, to));
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
fn the_time_of_a_step_that_failed_is_told() {
    let space = zoo(&["a"]);
    space.edit(&space.path("axzoo.toml"), "} > model.onnx", "; sleep 0.3; } > model.onnx; exit 3");
    let run = space.axzoo("build").expect_code(1);
    let row = run.stdout.lines().find(|line| line.starts_with("a ")).expect("a row");
    assert!(row.ends_with("ms") || row.ends_with(" s"), "{row}");
}
