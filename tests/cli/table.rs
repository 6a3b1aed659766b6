//! The table of SPEC 6, row by row: one change to a zoo that is built, and every step that then does not say `up_to_date`.

use std::fs;

use crate::scripted::{card, zoo};
use crate::space::{Space, steps_with};

/// One change, and what comes of it.
struct Row {
    change: &'static str,
    make: fn(&Space),
    arguments: &'static str,
    ran: &'static [&'static str],
    restored: &'static [&'static str],
}

const NOTHING: fn(&Space) = |_| {};

fn settings(space: &Space, text: &str) {
    space.write("model_cards/a.yaml", card("a", text));
}

/// Other contents, with the size and the date that the file had.
fn other_contents(space: &Space, name: &str) {
    let path = space.path(name);
    let before = fs::metadata(&path).expect("there");
    let mut bytes = fs::read(&path).expect("readable");
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    fs::write(&path, bytes).expect("written");
    let file = fs::File::options().write(true).open(&path).expect("opened");
    file.set_modified(before.modified().expect("dated")).expect("dated back");
}

/// A built zoo of networks `a` and `b`, moved to another folder: another checkout.
fn elsewhere(space: &Space) {
    let other = space.path("elsewhere");
    for name in ["axzoo.toml", "model_cards", "weights", "data"] {
        fs::create_dir_all(&other).expect("created");
        fs::rename(space.path(name), other.join(name)).expect("moved");
    }
}

const ALL_OF_A: [&str; 6] = ["a/-/bundle", "a/a/clean", "a/a/fetch", "a/a/lower", "a/a/pack", "a/a/quantize"];

const ROWS: &[Row] = &[
    Row { change: "nothing", make: NOTHING, arguments: "", ran: &[], restored: &[] },
    Row {
        change: "touch on every file",
        make: |space| {
            for folder in ["model_cards", "weights", "data", "build"] {
                for (name, bytes) in space.tree(folder) {
                    space.write(&format!("{folder}/{name}"), bytes);
                }
            }
        },
        arguments: "",
        ran: &[],
        restored: &[],
    },
    Row {
        change: "a comment in a card",
        make: |space| space.write("model_cards/a.yaml", format!("# a comment\n{}", card("a", ""))),
        arguments: "",
        ran: &[],
        restored: &[],
    },
    Row {
        change: "the order of keys in a card",
        make: |space| {
            let text = card("a", "");
            let (head, rest) = text.split_once("name: a\n").expect("a name");
            space.write("model_cards/a.yaml", format!("name: a\n{head}{rest}"));
        },
        arguments: "",
        ran: &[],
        restored: &[],
    },
    Row {
        change: "a value moved from inline to TOML",
        make: |space| {
            settings(space, "      compilation_config: {tiling_depth: 6}\n");
            space.axzoo("build").expect_code(0);
            space.write("configs/a.toml", "# the same\ntiling_depth = 6\n");
            settings(space, "      compiler_config_file: a.toml\n");
        },
        arguments: "",
        ran: &[],
        restored: &[],
    },
    Row {
        change: "a setting of lowering",
        make: |space| settings(space, "      compilation_config: {resources_used: 0.5}\n"),
        arguments: "",
        ran: &["a/-/bundle", "a/a/lower", "a/a/pack"],
        restored: &[],
    },
    Row {
        change: "the quantization scheme",
        make: |space| settings(space, "      compilation_config: {quantization_scheme: per_tensor_min_max}\n"),
        arguments: "",
        ran: &["a/-/bundle", "a/a/lower", "a/a/pack", "a/a/quantize"],
        restored: &[],
    },
    Row {
        change: "a calibration image, for both networks",
        make: |space| space.write("data/pictures/one.png", "another picture"),
        arguments: "",
        ran: &[
            "a/-/bundle",
            "a/a/lower",
            "a/a/pack",
            "a/a/quantize",
            "b/-/bundle",
            "b/b/lower",
            "b/b/pack",
            "b/b/quantize",
        ],
        restored: &[],
    },
    Row {
        change: "preprocess in the card",
        make: |space| {
            let more = "torch-totensor:\n        - normalize:\n            mean: 0.5, 0.5, 0.5\n            std: 0.2, 0.2, 0.2\n";
            let text = card("a", "").replace("torch-totensor:\n", more);
            space.write("model_cards/a.yaml", text);
        },
        arguments: "",
        ran: &["a/-/bundle", "a/a/lower", "a/a/pack", "a/a/quantize"],
        restored: &[],
    },
    Row {
        change: "weights",
        make: |space| space.write("weights/a.onnx", "quite other weights"),
        arguments: "",
        ran: &ALL_OF_A,
        restored: &[],
    },
    Row {
        change: "weights changed, old date and size put back",
        make: |space| other_contents(space, "weights/a.onnx"),
        arguments: "",
        ran: &ALL_OF_A,
        restored: &[],
    },
    Row {
        change: "an output removed",
        make: |space| fs::remove_file(space.path("build/a/a/a.axm")).expect("removed"),
        arguments: "",
        ran: &[],
        restored: &["a/a/pack"],
    },
    Row {
        change: "an output damaged, old date and size put back",
        make: |space| other_contents(space, "build/b/b/quantized/quantized_model.json"),
        arguments: "",
        ran: &[],
        restored: &["b/b/quantize"],
    },
    Row {
        change: "a step that writes the same bytes again",
        make: |space| space.edit(&space.path("axzoo.toml"), "clean = '{", "clean = 'true; {"),
        arguments: "",
        ran: &["a/a/clean", "b/b/clean"],
        restored: &[],
    },
    Row {
        change: "going back to an older state",
        make: |space| {
            settings(space, "      compilation_config: {tiling_depth: 6}\n");
            space.axzoo("build").expect_code(0);
            settings(space, "");
        },
        arguments: "",
        ran: &[],
        restored: &["a/-/bundle", "a/a/lower", "a/a/pack"],
    },
    Row {
        change: "the same model and config in another card",
        make: |space| {
            space.write("model_cards/c.yaml", card("c", ""));
            space.write("weights/c.onnx", "weights of a");
        },
        arguments: "",
        ran: &["c/-/bundle", "c/c/pack"],
        restored: &["c/c/clean", "c/c/fetch", "c/c/lower", "c/c/quantize"],
    },
    Row {
        change: "another checkout with the same store",
        make: elsewhere,
        arguments: "-C elsewhere --cache ../cache",
        ran: &[],
        restored: &[
            "a/-/bundle",
            "a/a/clean",
            "a/a/fetch",
            "a/a/lower",
            "a/a/pack",
            "a/a/quantize",
            "b/-/bundle",
            "b/b/clean",
            "b/b/fetch",
            "b/b/lower",
            "b/b/pack",
            "b/b/quantize",
        ],
    },
    Row {
        change: "a new version of what quantizes, with other results",
        make: |space| space.edit(&space.path("axzoo.toml"), "\\\"image\\\":", "\\\"picture\\\":"),
        arguments: "",
        ran: &[
            "a/-/bundle",
            "a/a/lower",
            "a/a/pack",
            "a/a/quantize",
            "b/-/bundle",
            "b/b/lower",
            "b/b/pack",
            "b/b/quantize",
        ],
        restored: &[],
    },
];

#[test]
fn every_change_runs_what_the_table_says_and_ends_as_a_clean_build_does() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let space = zoo(&["a", "b"]);
        space.axzoo("build").expect_code(0);
        (row.make)(&space);
        let outcomes = space.build(&format!("all {}", row.arguments));
        let found = (steps_with(&outcomes, "ran"), steps_with(&outcomes, "restored"));
        let own = |steps: &[&str]| steps.iter().map(|&step| step.to_owned()).collect::<Vec<_>>();
        if found != (own(row.ran), own(row.restored)) {
            wrong.push(format!("{}: ran {:?}, restored {:?}", row.change, found.0, found.1));
        }
        let build = if row.arguments.is_empty() { "build" } else { "elsewhere/build" };
        let results = space.tree(build);
        let again = space.build(&format!("all {}", row.arguments));
        if again.values().any(|outcome| outcome != "up_to_date") {
            wrong.push(format!("{}: the build after that has something to do", row.change));
        }
        let cache = space.tree("cache/builds");
        if !cache.keys().any(|name| name.ends_with("/fresh-2")) {
            wrong.push(format!("{}: nothing is remembered of it", row.change));
        }
        for folder in [build, "cache"] {
            fs::remove_dir_all(space.path(folder)).expect("removed");
        }
        space.axzoo(&format!("build {}", row.arguments)).expect_code(0);
        if space.tree(build) != results {
            wrong.push(format!("{}: the results are not those of a clean build", row.change));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_new_version_of_a_toolchain_is_named_as_the_reason() {
    let space = zoo(&["a"]);
    space.axzoo("build").expect_code(0);
    space.edit(&space.path("axzoo.toml"), "clean = '{", "clean = 'true; {");
    space
        .axzoo("why a")
        .expect_code(0)
        .says("toolchain: scripted/clean/1 { echo")
        .says("→ scripted/clean/1 true; { echo");
}

#[test]
fn warnings_of_cards_that_are_remembered_are_told_again() {
    let space = zoo(&["a", "b", "c"]);
    let few = |name: &str| {
        space.edit(&space.path(&format!("model_cards/{name}.yaml")), "num_cal_images: 1", "num_cal_images: 2");
    };
    few("a");
    few("c");
    space.edit(
        &space.path("model_cards/c.yaml"),
        "num_cal_images: 2\n",
        "num_cal_images: 2\n      compilation_config: {no_such_thing: 1}\n",
    );
    let told = || {
        let human = space.axzoo("build").expect_code(0).stderr;
        // Without the steps that ran.
        let human: Vec<&str> = human.lines().filter(|line| !line.starts_with('[')).collect();
        let human = human.join("\n");
        let json = space.axzoo("build --format json").expect_code(0).stdout;
        let events: Vec<String> = json.lines().filter(|line| line.contains("diagnostic")).map(str::to_owned).collect();
        (human, events)
    };
    let whole = || {
        for (name, _) in space.tree("cache/builds").iter().filter(|(name, _)| name.ends_with("/fresh-2")) {
            fs::remove_file(space.path("cache/builds").join(name)).expect("removed");
        }
        told()
    };
    space.axzoo("build").expect_code(0);
    // From here on what was written is older than the clock's granularity.
    std::thread::sleep(std::time::Duration::from_millis(100));
    let expected = whole();
    assert_eq!(expected.0.matches("has 1 image for calibration, 2 are wanted").count(), 2, "{}", expected.0);
    assert!(expected.0.contains("no_such_thing") && expected.1.len() == 3, "{expected:?}");
    let is_kept = |text: &str| {
        let kept = space.tree("cache/builds").into_iter().filter(|(name, _)| name.ends_with("/fresh-2"));
        kept.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).any(|kept| kept.contains(text))
    };
    assert!(is_kept("too-few-images") && is_kept("no_such_thing"), "a card with a warning is read every time");
    assert_eq!(told(), expected);
    // One card is read, the others are remembered.
    space.edit(&space.path("model_cards/b.yaml"), "name: b", "# a comment\nname: b");
    assert_eq!(told(), expected);
    few("b");
    let more = told();
    assert_eq!(more, whole());
    assert_ne!(more, expected);
    // What is mended is told no more.
    space.edit(&space.path("model_cards/a.yaml"), "num_cal_images: 2", "num_cal_images: 1");
    assert!(!told().0.contains("a.yaml"), "{}", told().0);
}
