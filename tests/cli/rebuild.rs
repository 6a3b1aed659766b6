//! What runs again after a change (SPEC 6), seen in the summary of the real program.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use crate::space::{Space, steps_with};

const CARD: &str = "model_cards/digits.yaml";

fn built(network: &str) -> Space {
    let space = Space::only(network);
    space.axzoo("build").expect_code(0);
    space
}

fn all_up_to_date(outcomes: &std::collections::BTreeMap<String, String>) -> bool {
    outcomes.values().all(|outcome| outcome == "up_to_date")
}

#[test]
fn a_second_build_runs_nothing() {
    let space = built("digits");
    assert!(all_up_to_date(&space.build("all")));
}

#[test]
fn touching_every_file_runs_nothing() {
    let space = built("digits");
    for (name, bytes) in space.tree("") {
        if !name.starts_with("cache/") && !name.starts_with("build/") {
            fs::write(space.path(&name), bytes).expect("rewritten");
        }
    }
    assert!(all_up_to_date(&space.build("all")));
}

#[test]
fn a_comment_the_order_of_keys_or_a_moved_value_runs_nothing() {
    let space = built("digits");
    let card = space.path(CARD);
    let text = fs::read_to_string(&card).expect("readable");
    fs::write(&card, format!("# a comment\n{text}\n# another\n")).expect("written");
    let config = space.path("configs/digits.toml");
    let lines = fs::read_to_string(&config).expect("readable");
    let reversed: Vec<&str> = lines.lines().rev().filter(|line| !line.starts_with('#')).collect();
    fs::write(&config, format!("# turned round\n{}\n", reversed.join("\n"))).expect("written");
    assert!(all_up_to_date(&space.build("all")), "a comment or another order ran something");

    // The same value, said by the card instead of the TOML.
    let moved = "resources_used = 0.25";
    let text = fs::read_to_string(&config).expect("readable");
    assert!(text.contains(moved), "{text}");
    fs::write(&config, text.replace(moved, "")).expect("written");
    space.edit(&card, "    extra_kwargs:\n", "    extra_kwargs:\n      compilation_config: {resources_used: 0.25}\n");
    assert!(all_up_to_date(&space.build("all")), "a value moved from TOML to inline ran something");
}

#[test]
fn what_only_lowering_reads_never_quantizes() {
    for set in ["resources_used=0.5", "tiling_depth=6", "l2_size_used=16777216", "enable_buffer_promotion=false"] {
        let space = built("digits");
        let outcomes = space.build(&format!("all --set {set}"));
        // Lowering may well write the same bytes, and then what follows it is up to date: that is early cut-off.
        let ran = steps_with(&outcomes, "ran");
        assert!(ran.contains(&"digits/digits/lower".to_owned()), "{set}: {outcomes:?}");
        for step in ["fetch", "clean", "quantize"] {
            assert_eq!(outcomes[&format!("digits/digits/{step}")], "up_to_date", "{set}");
        }
    }
}

#[test]
fn what_calibration_reads_quantizes_again() {
    struct Case {
        what: &'static str,
        arguments: &'static str,
        change: fn(&Space),
    }
    let nothing: fn(&Space) = |_| {};
    let cases = [
        Case { what: "scheme", arguments: "--set quantization_scheme=per_tensor_min_max", change: nothing },
        Case { what: "number of images", arguments: "--num-cal-images 5", change: nothing },
        Case {
            what: "an image",
            arguments: "",
            change: |space| {
                let calibration = space.images("data/digits", "calibration");
                fs::copy(&calibration[1], &calibration[0]).expect("copied");
            },
        },
        Case {
            what: "preprocess in the template",
            arguments: "",
            change: |space| {
                let template = space.path("pipeline-template/grey-digits.yaml");
                space.edit(&template, "mean: 0.305", "mean: 0.31");
            },
        },
    ];
    for case in cases {
        let space = built("digits");
        (case.change)(&space);
        let outcomes = space.build(&format!("all {}", case.arguments));
        assert_eq!(outcomes["digits/digits/clean"], "up_to_date", "{}", case.what);
        assert_eq!(outcomes["digits/digits/quantize"], "ran", "{}", case.what);
    }
}

#[test]
fn other_weights_are_noticed_although_size_and_date_are_put_back() {
    let space = built("digits");
    let weights = space.path("weights/digits.onnx");
    let before = fs::metadata(&weights).expect("there");
    let mut bytes = fs::read(&weights).expect("readable");
    // One bit of one weight: find a raw tensor by its being the largest run of bytes, near the end of the file.
    let place = bytes.len() - 200;
    bytes[place] ^= 1;
    fs::write(&weights, &bytes).expect("written");
    let file = fs::File::options().write(true).open(&weights).expect("opened");
    file.set_modified(before.modified().expect("dated")).expect("dated back");
    drop(file);
    let card = space.path(CARD);
    let text = fs::read_to_string(&card).expect("readable");
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("weight_md5")).collect();
    fs::write(&card, without.join("\n") + "\n").expect("written");
    let outcomes = space.build("all");
    assert_eq!(outcomes["digits/digits/clean"], "ran", "{outcomes:?}");
}

#[test]
fn a_damaged_or_missing_result_is_restored_and_nothing_compiled() {
    let space = built("digits");
    let good = space.tree("build");
    fs::remove_file(space.path("build/digits/digits.zip")).expect("removed");
    fs::write(space.path("build/digits/digits/1/program.json"), "damaged").expect("damaged");
    let outcomes = space.build("all");
    assert!(steps_with(&outcomes, "ran").is_empty(), "{outcomes:?}");
    assert_eq!(steps_with(&outcomes, "restored"), ["digits/-/bundle", "digits/digits/lower"]);
    assert_eq!(space.tree("build"), good);
}

#[test]
fn going_back_is_restored_from_the_store() {
    let space = built("digits");
    let good = space.tree("build");
    space.axzoo("build all --set quantization_scheme=per_tensor_min_max").expect_code(0);
    assert_ne!(space.tree("build"), good);
    assert!(steps_with(&space.build("all"), "ran").is_empty());
    assert_eq!(space.tree("build"), good);
}

#[test]
fn the_same_model_and_config_in_two_cards_is_compiled_once() {
    let space = built("digits");
    let text = space.read(CARD).replacen("name: digits", "name: twin", 1);
    space.write("model_cards/twin.yaml", text);
    let outcomes = space.build("all");
    assert_eq!(steps_with(&outcomes, "ran"), ["twin/-/bundle"], "{outcomes:?}");
}

#[test]
fn jobs_and_folders_change_no_byte() {
    let (one, two) = (Space::sample(), Space::sample());
    one.axzoo("build all -j1").expect_code(0);
    two.axzoo("build all -j2").expect_code(0);
    let (one_tree, two_tree) = (one.tree("build"), two.tree("build"));
    assert!(one_tree.len() > 50);
    assert_eq!(one_tree.keys().collect::<Vec<_>>(), two_tree.keys().collect::<Vec<_>>());
    for (name, bytes) in &one_tree {
        assert!(bytes == &two_tree[name], "{name} differs between -j1 and -j2");
        let here = one.path("").display().to_string();
        let holds = bytes.windows(here.len()).any(|window| window == here.as_bytes());
        assert!(!holds, "{name} holds the path of its folder");
    }
}

#[test]
fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let space = Space::only("digits");
    let outcomes = space.build("all -n");
    assert_eq!(outcomes["digits/digits/fetch"], "will_run");
    assert!(!space.path("build").exists());
    space.axzoo("build").expect_code(0);
    let outcomes = space.build("all -n --set resources_used=0.5");
    assert_eq!(outcomes["digits/digits/lower"], "will_run");
    assert_eq!(outcomes["digits/digits/quantize"], "up_to_date");
}

#[test]
fn why_names_every_difference_with_its_place() {
    let space = built("digits");
    space.axzoo("why digits").expect_code(0).says("quantize: up to date");
    let config = space.path("configs/digits.toml");
    space.edit(&config, "per_tensor_histogram\"", "per_tensor_min_max\"\ntiling_depth = 6");
    space
        .axzoo("why digits")
        .expect_code(0)
        .says("quantization_scheme: per_tensor_histogram → per_tensor_min_max, configs/digits.toml:4")
        .says("tiling_depth: 1 → 6, configs/digits.toml:5");

    let space = built("digits");
    space.edit(&space.path("pipeline-template/grey-digits.yaml"), "mean: 0.305", "mean: 0.5");
    let card = space.path("model_cards/digits.yaml");
    space.edit(&card, "  input_tensor_layout: NCHW", "  input_tensor_layout: NHWC");
    space.edit(&card, "[1, 1, 16, 16]", "[1, 16, 16, 1]");
    let told = space
        .axzoo("why digits")
        .expect_code(0)
        .says("0.305 → 0.5, pipeline-template/grey-digits.yaml:11")
        .says("preprocess.layout: NCHW → NHWC, model_cards/digits.yaml:22")
        .stdout;
    let is_placed = |line: &&str| line.rsplit_once(':').is_some_and(|(_, line)| line.parse::<usize>().is_ok());
    let settings = told.lines().filter(|line| line.contains(" → ") && !line.contains("input "));
    assert!(settings.clone().all(|line| is_placed(&line)), "{told}");
}

#[test]
fn killed_at_any_moment_the_next_build_is_right() {
    let clean = built("digits");
    let good = clean.tree("build");
    let space = Space::only("digits");
    for delay in [1, 3, 8, 15, 30, 60, 90, 130, 200] {
        let mut child = space
            .command("build all -j2")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(delay));
        // Killed, or already done: both are fine.
        let _ = child.kill();
        let status = child.wait().expect("it ends");
        assert!(status.signal() == Some(9) || status.code() == Some(0), "{status}");
        for (name, bytes) in space.tree("build") {
            assert!(bytes == good[&name], "after {delay} ms a wrong {name} lies in build/");
        }
    }
    let run = space.axzoo("build all --format json").expect_code(0);
    assert_eq!(run.summary()["failed"], 0);
    assert_eq!(space.tree("build"), good);
    assert!(all_up_to_date(&space.build("all")));
}
