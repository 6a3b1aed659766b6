//! How networks share the device, the best split, and that split in the card.

use serde_json::Value;

use crate::shared::shared;
use crate::space::Space;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// A card of two models without files: what each says under its name, and more tasks.
fn card(first: &str, second: &str, tasks: &str) -> String {
    let model = |name: &str, body: &str| {
        format!(
            "  {name}:\n    class: AxONNXModel\n    class_path: model.py\n    weight_path: {name}.onnx\n    \
             task_category: Classification\n    input_tensor_layout: NCHW\n    input_tensor_shape: [1, 3, 8, 8] # small\n    \
             input_color_format: RGB\n    num_classes: 10\n{body}"
        )
    };
    format!(
        "axelera-model-format: 1.0.0\nname: pair\ndescription: two models\n\npipeline:\n  - find:\n      model_name: first\n  \
         - read:\n      model_name: second\n      input: {{source: roi, where: find, top_k: 3}}\n{tasks}\nmodels:\n{}{}\n\
         datasets: {{}}\n",
        model("first", first),
        model("second", second),
    )
}

const CARD: &str = "model_cards/pair.yaml";

fn pair(first: &str, second: &str) -> Space {
    let space = Space::empty();
    space.write(CARD, card(first, second, ""));
    space
}

/// The lines that differ: `- old` and `+ new`, where nothing else does.
fn changed_lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let mut lines = Vec::new();
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < new.len() {
        match (old.get(left), new.get(right)) {
            (Some(a), Some(b)) if a == b => (left, right) = (left + 1, right + 1),
            (Some(a), _) if !new[right..].contains(a) => {
                lines.push(format!("- {}", a.trim()));
                left += 1;
            }
            (_, Some(b)) => {
                lines.push(format!("+ {}", b.trim()));
                right += 1;
            }
            (Some(a), None) => {
                lines.push(format!("- {}", a.trim()));
                left += 1;
            }
            (None, None) => break,
        }
    }
    lines
}

/// Others use it too.
const SHARED: &str = "aipu_cores_used = 2 # of several models\nresources_used = 0.5\n";

/// What is written, the two models' settings, and the lines that change. With `top_k: 3` and equal costs the second model
/// is best on three cores.
const WRITTEN: &[(&str, &str, &str, &[&str])] = &[
    (
        "values in block style keep their comments",
        "    extra_kwargs:\n      aipu_cores: 3 # three\n",
        "    extra_kwargs:\n      aipu_cores: 1   # one\n",
        &["- aipu_cores: 3 # three", "+ aipu_cores: 1 # three", "- aipu_cores: 1   # one", "+ aipu_cores: 3   # one"],
    ),
    (
        "flow style",
        "    extra_kwargs: {aipu_cores: 2, other: x}\n",
        "    extra_kwargs: {other: y, aipu_cores: 2}\n",
        &[
            "- extra_kwargs: {aipu_cores: 2, other: x}",
            "+ extra_kwargs: {aipu_cores: 1, other: x}",
            "- extra_kwargs: {other: y, aipu_cores: 2}",
            "+ extra_kwargs: {other: y, aipu_cores: 3}",
        ],
    ),
    (
        "nothing was said",
        "",
        "    extra_kwargs:\n      other: y\n",
        &["+ extra_kwargs: {aipu_cores: 1}", "+ aipu_cores: 3"],
    ),
    (
        "the form that the card asks for",
        "    extra_kwargs: {aipu_cores: 1}\n",
        "    extra_kwargs:\n      aipu_cores: 1\n      max_compiler_cores: 4\n",
        &["- aipu_cores: 1", "+ aipu_cores: 3"],
    ),
    (
        "inline values, today's and those of SDK 1.2",
        "    extra_kwargs:\n      compilation_config:\n        aipu_cores_used: 2\n        resources_used: 0.5\n",
        "    extra_kwargs:\n      compilation_config:\n        backend_config:\n          aipu_cores: 2\n          resources: 0.5\n",
        &[
            "- aipu_cores_used: 2",
            "- resources_used: 0.5",
            "+ aipu_cores_used: 1",
            "+ resources_used: 0.25",
            "+ aipu_cores: 1",
            "- aipu_cores: 2",
            "- resources: 0.5",
            "+ aipu_cores: 1",
            "+ resources: 0.25",
            "+ aipu_cores: 3",
        ],
    ),
    (
        "a file that others use too is overruled",
        "    extra_kwargs:\n      compiler_config_file: shared.toml\n",
        "    extra_kwargs:\n      aipu_cores: 2\n      compiler_config_file: shared.toml\n",
        &[
            "+ aipu_cores: 1",
            "+ compilation_config: {aipu_cores_used: 1, resources_used: 0.25}",
            "- aipu_cores: 2",
            "+ aipu_cores: 3",
            "+ compilation_config: {aipu_cores_used: 1, resources_used: 0.25}",
        ],
    ),
    (
        "the board's block is what holds",
        "    extra_kwargs:\n      aipu_cores: 1\n      pcie: {aipu_cores: 3}\n",
        "    extra_kwargs:\n      aipu_cores: 1\n",
        &["- pcie: {aipu_cores: 3}", "+ pcie: {aipu_cores: 1}", "- aipu_cores: 1", "+ aipu_cores: 3"],
    ),
];

#[test]
fn the_best_split_is_written_and_nothing_else() {
    for (what, first, second, expected) in WRITTEN {
        for line_end in ["\n", "\r\n"] {
            let space = pair(first, second);
            let old = space.read(CARD).replace('\n', line_end);
            space.write(CARD, &old);
            space.write("configs/shared.toml", SHARED);
            let suggested = json(&space.axzoo("cascade pair --suggest --format json").stdout);
            assert_eq!(space.read(CARD), old, "{what}: a suggestion changes nothing");
            let applied = json(&space.axzoo("cascade pair --apply --format json").expect_code(0).stdout);
            let new = space.read(CARD);
            assert_eq!(changed_lines(&old, &new), *expected, "{what}:\n{new}");
            assert_eq!(new.matches(line_end).count(), new.matches('\n').count(), "{what}:\n{new:?}");
            assert_eq!(space.read("configs/shared.toml"), SHARED, "{what}");
            // What was suggested is what now holds, and it is the best.
            let network = &applied["networks"][0];
            let best = &suggested["networks"][0]["suggestion"]["splits"][0]["models"];
            for (model, placed) in
                network["models"].as_array().into_iter().flatten().zip(best.as_array().into_iter().flatten())
            {
                for key in ["model", "cores", "execution_cores", "instances", "resources"] {
                    assert_eq!(model[key], placed[key], "{what}: {key}");
                }
            }
            assert_eq!(network["ok"], true, "{what}");
            assert!(network["applied"].as_array().is_some_and(|changes| !changes.is_empty()), "{what}");
            let check = space.axzoo("cascade pair").expect_code(0);
            assert!(!check.stderr.contains("cascade/"), "{what}: the SDK agrees\n{}", check.stderr);
            let again = space.axzoo("cascade pair --apply").expect_code(0).says("the present split is the best");
            assert!(!again.stdout.contains("written"), "{what}");
            assert_eq!(space.read(CARD), new, "{what}: the second time changes nothing");
        }
    }
}

#[test]
fn a_split_for_one_board_leaves_the_others_as_they_were() {
    let first = "    extra_kwargs:\n      aipu_cores: 3\n      m2: {aipu_cores: 1}\n";
    let space = pair(first, "    extra_kwargs:\n      aipu_cores: 1\n");
    let old = space.read(CARD);
    space.axzoo("cascade pair --apply --board m2").expect_code(0).says("in `models.second.extra_kwargs.m2`");
    assert_eq!(changed_lines(&old, &space.read(CARD)), ["+ m2: {aipu_cores: 3}"]);
    for board in ["pcie", "m2"] {
        space.axzoo(&format!("cascade pair --board {board}")).expect_code(0).says("4 of 4");
    }

    // A block of the configuration would take the place of the general one, other settings included.
    let second =
        "    extra_kwargs:\n      aipu_cores: 1\n      compilation_config: {resources_used: 0.5, tiling_depth: 2}\n";
    let space = pair(&first.replace("aipu_cores: 3", "aipu_cores: 2"), second);
    let old = space.read(CARD);
    let refused = space.axzoo("cascade pair --apply --board m2").expect_code(1).says("cascade/not-applied");
    refused.says("would no longer fit `pcie`: cores 2 + 3 = 5 of 4").says("blocks `m2:`");
    assert_eq!(space.read(CARD), old);
}

#[test]
fn a_guess_is_not_written_without_a_word() {
    let space = pair("    extra_kwargs: {aipu_cores: 2}\n", "    extra_kwargs: {aipu_cores: 2}\n");
    let old = space.read(CARD);
    let run = space.axzoo("cascade pair --apply --strict").expect_code(1);
    run.says("error[cascade/guess]: the split is a guess").says("`first.onnx` is not there");
    assert_eq!(space.read(CARD), old);
    space.axzoo("cascade pair --apply").expect_code(0).says("warning[cascade/guess]");
    assert_ne!(space.read(CARD), old);
    // Nothing is written, so that nothing is guessed.
    let again = space.axzoo("cascade pair --apply --strict").expect_code(0);
    assert!(!again.stderr.contains("guess"), "{}", again.stderr);
}

#[test]
fn networks_together_say_once_what_is_idle() {
    let space = Space::empty();
    for name in ["one", "two"] {
        let extra = "    extra_kwargs: {aipu_cores: 1}\n";
        space.write(
            &format!("model_cards/{name}.yaml"),
            card(extra, "", "").replace("name: pair", &format!("name: {name}")),
        );
        let classical = space.read(&format!("model_cards/{name}.yaml")).replacen(
            "  second:\n",
            "  second:\n    model_type: CLASSICAL_CV\n",
            1,
        );
        space.write(&format!("model_cards/{name}.yaml"), classical);
    }
    let run = space.axzoo("cascade one two").expect_code(0);
    let run = run.says("2 cores and 0.5 of the memory are idle").says("model_cards/one.yaml").says("hint: raise");
    assert_eq!(run.stderr.matches("cascade/idle").count(), 1, "{}", run.stderr);
    let text = space.read("model_cards/two.yaml").replace("aipu_cores: 1", "aipu_cores: 4");
    space.write("model_cards/two.yaml", text);
    let run = space.axzoo("cascade one two").expect_code(1).says("`aipu_cores: 3` for `two/first`").says("two.yaml");
    assert!(!run.stderr.contains("idle"), "{}", run.stderr);
}

#[test]
fn low_latency_is_one_core() {
    let space =
        pair("    extra_kwargs: {low_latency: true, max_compiler_cores: 4}\n", "    extra_kwargs: {aipu_cores: 4}\n");
    let shown = json(&space.axzoo("cascade pair --board europa --format json").stdout);
    assert_eq!(shown["networks"][0]["models"][0]["cores"], 1);
    let run = space.axzoo("cascade pair --board europa --apply").expect_code(0);
    assert!(!run.stderr.contains("no-aipu-cores"), "{}", run.stderr);
    let shown = json(&space.axzoo("cascade pair --board europa --format json").expect_code(0).stdout);
    assert_eq!(shown["networks"][0]["models"][0]["cores"], 1);
    assert_eq!(shown["networks"][0]["total_cores"], 8);
}

#[test]
fn regions_that_are_no_count_are_refused() {
    for (value, found) in [("many", "the text `many`"), ("-3", "the integer -3")] {
        let space = pair("    extra_kwargs: {aipu_cores: 2}\n", "    extra_kwargs: {aipu_cores: 2}\n");
        space.write(CARD, space.read(CARD).replace("top_k: 3", &format!("top_k: {value}")));
        let run = space.axzoo("cascade pair --suggest").expect_code(1);
        let run = run.says(&format!("`top_k`: expected a whole number of at least 0, found {found}"));
        assert!(!run.stdout.contains("says no `top_k`"), "{}", run.stdout);
    }
    let space = pair("    extra_kwargs: {aipu_cores: 2}\n", "    extra_kwargs: {aipu_cores: 2}\n");
    space.write(CARD, space.read(CARD).replace("source: roi", "source: rois"));
    space.axzoo("check pair").says("warning[pipeline/source]").says("did you mean `roi`?");
}

#[test]
fn a_card_that_cannot_be_edited_is_left_alone() {
    let space = pair("    extra_kwargs: &both {aipu_cores: 2}\n", "    extra_kwargs: *both\n");
    let old = space.read(CARD);
    let run = space.axzoo("cascade pair --apply").expect_code(1).says("cascade/not-applied");
    run.says("aipu_cores: 3 (was 2) in `models.second.extra_kwargs`");
    assert_eq!(space.read(CARD), old);
    // A card with errors of other kinds is not split at all.
    let space = pair(
        "    extra_kwargs: {aipu_cores: 3, compilation_config: {tilin_depth: 1}}\n",
        "    extra_kwargs: {aipu_cores: 1}\n",
    );
    let old = space.read(CARD);
    space.axzoo("cascade pair --apply").expect_code(1).says("did you mean `tiling_depth`");
    assert_eq!(space.read(CARD), old);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let space = Space::sample();
    let cases = [
        ("digits digit-cascade --suggest", "name one network, a glob or `all`"),
        ("digits digit-cascade --apply", "hint: name one network\n"),
        ("--apply", "4 networks are meant"),
        ("digit-cascade/digit-reader --apply", "`digit-reader` is one model of it"),
        ("digit-cascade --apply --set resources_used=0.5", "hold for one run"),
        ("digits --apply --aipu-cores 2", "hold for one run"),
    ];
    let before = space.tree("model_cards");
    for (arguments, says) in cases {
        space.axzoo(&format!("cascade {arguments}")).expect_code(2).says(says);
    }
    assert_eq!(space.tree("model_cards"), before);
}

#[test]
fn a_suggestion_says_what_it_counts() {
    let space = Space::sample();
    let shown = json(&space.axzoo("cascade digit-cascade --suggest --format json").expect_code(0).stdout);
    let suggestion = &shown["networks"][0]["suggestion"];
    assert_eq!((&suggestion["cost"], &suggestion["cost_reason"]), (&Value::from("cycles"), &Value::Null));
    assert_eq!(suggestion["present_is_best"], false);
    assert_eq!(suggestion["splits"][0]["bottleneck"], "digit-finder");
    assert_eq!(suggestion["present"]["relative_rate"], 1.0);
    // The estimate is that of the compiled model on one core; a run of a batch has them all.
    space.axzoo("build digit-cascade --set multicore_mode=multiprocess").expect_code(0);
    for (place, (model, cores)) in [("digit-finder", 3), ("digit-reader", 1)].into_iter().enumerate() {
        let report = json(&space.read(&format!("build/digit-cascade/{model}/{cores}/report.json")));
        assert_eq!(suggestion["models"][place]["cost"], report["estimate"]["one_run"]["cycles"], "{model}");
    }
    let text = space.axzoo("cascade digit-cascade --suggest").expect_code(0);
    let text = text
        .says("estimated cycles of one run")
        .says("`top_k: 1` of the task `reading`")
        .says("N frames in the time of one");
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 80), "{}", text.stdout);

    std::fs::remove_file(space.path("weights/digit-reader.onnx")).expect("removed");
    let shown = json(&space.axzoo("cascade digit-cascade --suggest --format json").expect_code(0).stdout);
    let suggestion = &shown["networks"][0]["suggestion"];
    assert_eq!(suggestion["cost"], "equal");
    let reason = suggestion["cost_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("`digit-reader`") && reason.contains("is not there"), "{reason}");
}

#[test]
fn one_model_by_itself_is_suggested_every_form() {
    let space = Space::sample();
    let shown = json(&space.axzoo("cascade digits --suggest --format json").expect_code(0).stdout);
    let splits = shown["networks"][0]["suggestion"]["splits"].as_array().cloned().unwrap_or_default();
    let forms: Vec<String> = splits
        .iter()
        .map(|split| format!("{}x{}", split["models"][0]["cores"], split["models"][0]["instances"]))
        .collect();
    assert_eq!(forms, ["1x4", "2x2", "4x1"]);
    // A plain card leaves three cores idle; one setting gives them work.
    let card = space.cards()["digits"].clone();
    space.edit(&card, "compiler_config_file: digits.toml", "max_execution_cores: 4");
    let run = space.axzoo("cascade digits --apply").expect_code(0);
    run.says("the best split is 4.00 times as fast").says("aipu_cores: 4 in `models.digits.extra_kwargs`");
}

#[test]
fn one_model_in_two_tasks_counts_once_and_runs_twice() {
    let space = Space::empty();
    let again = "  - again:\n      model_name: second\n";
    let extra = "    extra_kwargs: {aipu_cores: 2}\n";
    space.write(CARD, card(extra, extra, again));
    let shown = json(&space.axzoo("cascade pair --suggest --format json").expect_code(0).stdout);
    let network = &shown["networks"][0];
    assert_eq!(network["models"].as_array().map(Vec::len), Some(2));
    assert_eq!((&network["total_cores"], &network["ok"]), (&Value::from(4), &Value::from(true)));
    assert_eq!(network["suggestion"]["models"][1]["runs_per_frame"], 4);
}

#[test]
fn the_device_and_the_environment_bound_the_cores() {
    let space = pair("    extra_kwargs: {aipu_cores: 2}\n", "    extra_kwargs: {aipu_cores: 2}\n");
    space.axzoo("cascade pair --device-cores 3").expect_code(1).says("4 of 3").says("`aipu_cores: 1` for `first`");
    space
        .axzoo("cascade pair --board europa")
        .expect_code(0)
        .says("2 × 0.125 = 0.25")
        .says("4 cores and 0.5 of the memory are idle");
    let with = |value: &str| {
        let mut command = space.command("cascade pair --format json");
        command.env("AXELERA_MAX_COMPILER_CORES", value).output().expect("the program runs")
    };
    let shown = json(&String::from_utf8_lossy(&with("2").stdout));
    let model = &shown["networks"][0]["models"][0];
    assert_eq!((&model["cores"], &model["instances"]), (&Value::from(2), &Value::from(1)));
    for wrong in ["0", "many"] {
        let output = with(wrong);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("`AXELERA_MAX_COMPILER_CORES`") && text.contains("a whole number from 1"), "{text}");
    }
    let one = Space::only("digits");
    let shown = json(&one.axzoo("cascade digits --aipu-cores 2 --format json").expect_code(0).stdout);
    assert_eq!(shown["networks"][0]["models"][0]["execution_cores"], 2);
}

#[test]
fn a_real_cascade_is_split_by_two_numbers() {
    let Some(shared) = shared() else { return };
    let space = Space::empty();
    let name = "ax_models/reference/cascade/ces2025-ln.yaml";
    let old = std::fs::read_to_string(shared.join("cards/voyager-1.2.5").join(name)).expect("readable");
    space.write(name, &old);
    // Ten regions a frame: the model that takes them needs the core that the first one can spare.
    space.axzoo("cascade ces2025-ln --apply --cards ax_models").expect_code(0).says("2.00 times as fast");
    let freed = old.replacen("      aipu_cores: 2\n", "      aipu_cores: 1\n", 1);
    let last = freed.rfind("      aipu_cores: 1\n").expect("the last model says it");
    let expected = format!("{}{}", &freed[..last], freed[last..].replacen("aipu_cores: 1", "aipu_cores: 2", 1));
    assert_eq!(space.read(name), expected);
}
