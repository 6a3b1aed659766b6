//! Bad input: a clear error with place and hint, the right exit code, nothing lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::space::{Run, Space};

const CARD: &str = "model_cards/digits.yaml";

/// Whether permissions mean anything to whoever runs the tests.
fn is_root(space: &Space) -> bool {
    let file = space.path("probe");
    fs::write(&file, "x").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("permitted");
    let readable = fs::read(&file).is_ok();
    fs::remove_file(&file).expect("removed");
    readable
}

#[test]
fn a_broken_card_is_named_and_the_others_build() {
    let space = Space::sample();
    space.write("model_cards/broken.yaml", "axelera-model-format: 1.0.0\nname: broken\nmodels: [\n");
    for command in ["check", "check broken", "check model_cards/broken.yaml", "build broken", "config show broken"] {
        space.axzoo(command).expect_code(1).says("model_cards/broken.yaml:").says("error[");
    }
    space.axzoo("check digits").expect_code(0);
    space.axzoo("cascade").expect_code(1).says("model_cards/broken.yaml:");
    let run = space.axzoo("build all").expect_code(1).says("model_cards/broken.yaml:").says("error[");
    assert!(space.path("build/digits/digits.zip").exists(), "{}", run.stderr);
}

/// One thing that can be wrong, and what the user is to read.
struct Case {
    what: &'static str,
    change: fn(&Space),
    arguments: &'static str,
    code: i32,
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        what: "missing weights",
        change: |space| fs::remove_file(space.path("weights/digits.onnx")).expect("removed"),
        arguments: "build all",
        code: 1,
        says: &["weights/digits.onnx", "model_cards/digits.yaml:", "hint:"],
    },
    Case {
        what: "md5 mismatch",
        change: |space| {
            let path = space.path("weights/digits.onnx");
            let mut bytes = fs::read(&path).expect("readable");
            bytes.push(0);
            fs::write(path, bytes).expect("written");
        },
        arguments: "build all",
        code: 1,
        says: &["md5", "model_cards/digits.yaml:", "hint:", "again: axzoo build digits/digits"],
    },
    Case {
        what: "truncated ONNX",
        change: |space| {
            let path = space.path("weights/digits.onnx");
            let bytes = fs::read(&path).expect("readable");
            fs::write(path, &bytes[..bytes.len() / 2]).expect("written");
            without_md5(space);
        },
        arguments: "build all",
        code: 1,
        says: &["error:", "clean", "digits"],
    },
    Case {
        what: "missing TOML",
        change: |space| fs::remove_file(space.path("configs/digits.toml")).expect("removed"),
        arguments: "build all",
        code: 1,
        says: &["digits.toml", "model_cards/digits.yaml:", "config/missing-file"],
    },
    Case {
        what: "unknown target",
        change: |_| {},
        arguments: "build digts",
        code: 2,
        says: &["no network `digts`", "did you mean `digits`"],
    },
    Case {
        what: "no images",
        change: |space| {
            for image in space.images("data/digits", "calibration") {
                fs::remove_file(image).expect("removed");
            }
        },
        arguments: "build all",
        code: 1,
        says: &["no calibration images", "model_cards/digits.yaml:", "--allow-random"],
    },
    Case {
        what: "too few images asked for by hand",
        change: |_| {},
        arguments: "build all --num-cal-images 999",
        code: 1,
        says: &["999 are wanted", "hint:"],
    },
    Case {
        what: "a value that is no share",
        change: |_| {},
        arguments: "build all --set resources_used=0.3",
        code: 2,
        says: &["resources_used", "0.3"],
    },
    Case {
        what: "a corrupt image",
        change: |space| {
            let image = space.images("data/digits", "calibration").swap_remove(0);
            fs::write(image, b"\x89PNG\r\n\x1a\nnot a picture").expect("written");
        },
        arguments: "build all",
        code: 1,
        says: &["calibration image", "quantize"],
    },
    Case {
        what: "no such setting",
        change: |_| {},
        arguments: "build all --set tilin_depth=3",
        code: 2,
        says: &["did you mean `tiling_depth`"],
    },
    Case {
        what: "a toolchain that is not there",
        change: |_| {},
        arguments: "build all --toolchain axcompile",
        code: 2,
        says: &["axcompile", "`host`"],
    },
    Case {
        what: "a flag for one model on a cascade",
        change: |_| {},
        arguments: "build all --aipu-cores 9",
        code: 2,
        says: &["--aipu-cores", "1..=8"],
    },
];

#[test]
fn what_is_wrong_with_the_files_of_a_model_is_said_at_its_line() {
    for case in CASES {
        let space = Space::only("digits");
        (case.change)(&space);
        let run = space.axzoo(case.arguments);
        let text = format!("{}\n{}", run.stdout, run.stderr);
        assert_eq!(run.code, case.code, "{}:\n{text}", case.what);
        for says in case.says {
            assert!(text.contains(says), "{}: `{says}` is not in\n{text}", case.what);
        }
        assert!(!text.contains("panicked"), "{}:\n{text}", case.what);
    }
}

fn without_md5(space: &Space) {
    let card = space.path(CARD);
    let text = fs::read_to_string(&card).expect("readable");
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("weight_md5")).collect();
    fs::write(card, without.join("\n") + "\n").expect("written");
}

#[test]
fn a_failed_build_leaves_the_last_good_results() {
    let space = Space::only("digits");
    space.axzoo("build").expect_code(0);
    let good = space.tree("build");
    let path = space.path("weights/digits.onnx");
    let bytes = fs::read(&path).expect("readable");
    let card = space.read(CARD);
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
    without_md5(&space);
    space.axzoo("build").expect_code(1);
    assert_eq!(space.tree("build"), good);
    fs::write(&path, bytes).expect("written");
    space.write(CARD, card);
    assert_eq!(space.axzoo("build --format json").expect_code(0).summary()["ran"], 0);
}

#[test]
fn a_cascade_over_budget_is_refused_before_any_work() {
    let space = Space::only("digit-cascade");
    let card = space.path("configs/digit-reader.toml");
    space.edit(&card, "resources_used = 0.25", "resources_used = 0.5");
    let run = space.axzoo("build all").expect_code(1).says("1.25").says("cascade/over-budget");
    assert!(!space.path("build").exists(), "{}", run.stderr);
    space.axzoo("check").expect_code(1).says("1.25");
    space.axzoo("cascade").expect_code(1).says("1.25");
}

#[test]
fn a_flag_for_one_model_is_refused_for_a_cascade() {
    let space = Space::only("digit-cascade");
    space.axzoo("build all --aipu-cores 2").expect_code(2).says("networks of one model").says("`digit-cascade` has 2");
}

#[test]
fn random_calibration_needs_consent_and_is_said_loudly() {
    let space = Space::only("digits");
    for image in space.images("data/digits", "calibration") {
        fs::remove_file(image).expect("removed");
    }
    space.axzoo("build").expect_code(1);
    space.axzoo("build --allow-random").expect_code(0).says("build/random-calibration").says("RANDOM DATA");
    assert!(space.read("build/digits/digits/quantized/report.txt").contains("RANDOM DATA"));
    space.axzoo("build --allow-random --strict").expect_code(1);
}

#[test]
fn no_absolute_directory_reaches_a_package() {
    let space = Space::only("digits");
    space.axzoo("build --set output_dir=/somewhere/of/mine --set model_debug_save_dir=/there").expect_code(0);
    for (name, bytes) in space.tree("build") {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("/somewhere/of/mine") && !text.contains("/there"), "{name}");
    }
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let space = Space::only("digits");
    if is_root(&space) {
        // Nothing is forbidden to root, so a file stands where a folder is needed.
        space.write("blocked", "a file");
        space.axzoo("build --cache blocked/cache").expect_code(1).says("blocked");
        space.axzoo("build --build-root blocked/build").expect_code(1).says("blocked");
        return;
    }
    fs::create_dir(space.path("locked")).expect("created");
    fs::set_permissions(space.path("locked"), fs::Permissions::from_mode(0o555)).expect("permitted");
    space.axzoo("build --cache locked/cache").expect_code(1).says("locked").says("permission denied");
    fs::set_permissions(space.path("data/digits"), fs::Permissions::from_mode(0o000)).expect("permitted");
    let run = space.axzoo("build");
    fs::set_permissions(space.path("data/digits"), fs::Permissions::from_mode(0o755)).expect("permitted");
    run.expect_code(1).says("permission denied");
}

#[test]
fn outside_a_zoo_it_says_what_a_zoo_is() {
    let space = Space::empty();
    space.axzoo("build").expect_code(2).says("there is no zoo").says("-C DIR");
    space.axzoo("build -C nowhere").expect_code(2).says("nowhere");
}

#[test]
fn commands_and_settings_that_do_not_exist_yet_are_errors() {
    let space = Space::only("digits");
    for arguments in ["gc", "build --offline"] {
        space.axzoo(arguments).expect_code(2);
    }
    space.write("axzoo.toml", "[jobs]\nretries = 1\n");
    space.axzoo("build").expect_code(2).says("axzoo.toml:2:1").says("unknown setting");
}

#[test]
fn an_operator_that_cannot_be_done_is_named() {
    let space = Space::only("digits");
    // The same file with another operator's name: `Conv` and `Conw` have the same length.
    let path = space.path("weights/digits.onnx");
    let mut bytes = fs::read(&path).expect("readable");
    let place = bytes.windows(6).position(|window| window == b"\x22\x04Conv").expect("the model has a convolution");
    bytes[place + 5] = b'w';
    fs::write(&path, bytes).expect("written");
    without_md5(&space);
    let run: Run = space.axzoo("build all");
    run.expect_code(1).says("Conw").says("clean");
}

#[test]
fn an_error_in_a_card_hides_nothing_that_is_wrong_beside_it() {
    let space = Space::only("digits");
    let card = space.path("model_cards/digits.yaml");
    space.edit(&card, "input_color_format:", "input_colour_format:");
    space.edit(&card, "compiler_config_file: digits.toml", "compiler_config_file: nope.toml");
    space.edit(&card, "weight_path: ../weights/digits.onnx", "weight_path: ../weights/nothing.onnx");
    for target in ["", "digits", "model_cards/digits.yaml"] {
        let run = space.axzoo(&format!("check {target}")).expect_code(1);
        run.says("card/unknown-key").says("config/missing-file").says("file/missing");
    }
}

#[test]
fn of_two_cards_with_one_name_each_is_told_of_the_other() {
    let space = Space::only("digits");
    space.write("model_cards/other.yaml", space.read("model_cards/digits.yaml"));
    for (one, other) in [("digits", "other"), ("other", "digits")] {
        let run = space.axzoo(&format!("check model_cards/{one}.yaml")).expect_code(1);
        run.says(&format!("model_cards/{one}.yaml:")).says(&format!("model_cards/{other}.yaml"));
    }
}
