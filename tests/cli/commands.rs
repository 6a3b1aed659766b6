//! What the commands say of the sample zoo.

use serde_json::Value;

use crate::space::Space;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

#[test]
fn check_finds_nothing_wrong_with_the_sample_zoo() {
    let space = Space::sample();
    let run = space.axzoo("check --format json").expect_code(0);
    let found = json(&run.stdout);
    assert_eq!(found["summary"]["errors"], 0, "{}", run.stdout);
    assert_eq!(found["summary"]["warnings"], 0, "{}", run.stdout);
    assert_eq!(found["summary"]["networks"], 4);
    assert_eq!(found["summary"]["models"], 5);
}

#[test]
fn check_reports_the_problems_of_all_cards_in_one_run() {
    let space = Space::sample();
    for (name, card) in space.cards() {
        if name != "digit-cascade" {
            space.edit(&card, "input_color_format:", "input_colour_format:");
        }
    }
    let found = json(&space.axzoo("check --format json").expect_code(1).stdout);
    let problems = found["diagnostics"].as_array().expect("a list");
    let errors: Vec<&Value> = problems.iter().filter(|problem| problem["severity"] == "error").collect();
    assert!(errors.len() >= 3, "{found:#}");
    for error in errors {
        assert!(error["line"].as_u64().is_some_and(|line| line > 0) && error["file"].is_string(), "{error}");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("input_color_format")), "{error}");
    }
}

#[test]
fn config_show_says_who_said_what_and_what_that_hid() {
    let space = Space::sample();
    let run = space.axzoo("config show digits-minmax --format json").expect_code(0);
    let shown = json(&run.stdout);
    let config = shown["config"].as_object().expect("an object");
    assert_eq!(config.len(), 93, "every property is shown");
    let scheme = &config["quantization_scheme"];
    assert_eq!(scheme["value"], "per_tensor_min_max");
    assert_eq!(scheme["layer"], "inline");
    assert!(scheme["file"].as_str().is_some_and(|file| file.ends_with("digits-minmax.yaml")), "{scheme}");
    let resources = &config["resources_used"];
    assert_eq!((resources["value"].as_f64(), resources["layer"].as_str()), (Some(0.25), Some("toml")));
    space.axzoo("config show digits-minmax --set resources_used=0.5").expect_code(0).says("--set");
}

#[test]
fn the_cascade_is_three_cores_and_one() {
    let space = Space::sample();
    let shown = json(&space.axzoo("cascade digit-cascade --format json").expect_code(0).stdout);
    let network = &shown["networks"][0];
    assert_eq!(network["ok"], true);
    assert_eq!(network["total_cores"], 4);
    assert_eq!(network["total_resources"], 1.0);
    assert_eq!(network["models"][0]["execution_cores"], 3);
    assert_eq!(network["models"][1]["execution_cores"], 1);
    space.axzoo("cascade digit-cascade digits").expect_code(1);
}

#[test]
fn list_follows_a_network_from_missing_to_fresh_to_stale() {
    let space = Space::only("digits");
    let state = |arguments: &str| {
        let found = json(&space.axzoo(&format!("list --format json {arguments}")).expect_code(0).stdout);
        found["networks"][0]["state"].as_str().map(ToOwned::to_owned)
    };
    assert_eq!(state("").as_deref(), Some("missing"));
    space.axzoo("build").expect_code(0);
    assert_eq!(state("").as_deref(), Some("fresh"));
    assert_eq!(state("--set resources_used=0.5").as_deref(), Some("stale"));
    // A quality that the model does not have: the step fails, and stays failed until something changes.
    let card = space.path("model_cards/digits.yaml");
    let floor = "num_cal_images: 40\n      axzoo: {min_sqnr_db: 200}\n";
    space.edit(&card, "num_cal_images: 40\n", floor);
    assert_eq!(state("").as_deref(), Some("stale"));
    space.axzoo("build").expect_code(1);
    assert_eq!(state("").as_deref(), Some("failed"));
    space.edit(&card, "min_sqnr_db: 200", "min_sqnr_db: 20");
    assert_eq!(state("").as_deref(), Some("stale"));
    space.axzoo("build").expect_code(0);
    assert_eq!(state("").as_deref(), Some("fresh"));
    let found = json(&space.axzoo("list --format json").expect_code(0).stdout);
    assert!(found["networks"][0]["age_seconds"].as_u64().is_some_and(|age| age < 3_600), "{found}");
}

#[test]
fn one_model_of_a_cascade_can_be_built_alone() {
    let space = Space::only("digit-cascade");
    let outcomes = space.build("digit-cascade/digit-reader");
    assert_eq!(outcomes.len(), 5, "{outcomes:?}");
    assert!(space.path("build/digit-cascade/digit-reader/digit-reader.axm").exists());
    assert!(!space.path("build/digit-cascade/digit-finder").exists());
}

#[test]
fn quantize_only_stops_after_quantize() {
    let space = Space::only("digits");
    let outcomes = space.build("all --quantize-only");
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    assert!(space.path("build/digits/digits/quantized/quantized_model.onnx").exists());
}

#[test]
fn the_packages_hold_what_the_runtime_opens() {
    let space = Space::only("digit-cascade");
    space.axzoo("build").expect_code(0);
    let names = |path: &str| -> Vec<String> {
        let file = std::fs::File::open(space.path(path)).expect("there");
        let archive = zip::ZipArchive::new(file).expect("a ZIP file");
        archive.file_names().map(|name| name.expect("UTF-8").into_owned()).collect()
    };
    let package = names("build/digit-cascade/digit-reader/digit-reader.axm");
    assert!(package.iter().any(|name| name == "manifest.json") && package.iter().any(|name| name == "model.json"));
    let mut bundle = names("build/digit-cascade/digit-cascade.zip");
    bundle.sort();
    assert_eq!(bundle, ["digit-finder.axm", "digit-reader.axm", "network.json"]);
    let file = std::fs::File::open(space.path("build/digit-cascade/digit-cascade.zip")).expect("there");
    let mut archive = zip::ZipArchive::new(file).expect("a ZIP file");
    let network: Value = serde_json::from_reader(archive.by_name("network.json").expect("there")).expect("JSON");
    let finder = &network["pipeline"][0];
    assert_eq!(finder["model"], "digit-finder");
    // The finder's operators stand in a template, with marks that the card's values replace.
    assert!(finder["preprocess"].as_array().is_some_and(|operators| operators.len() >= 2), "{finder:#}");
    assert!(finder["postprocess"][0]["decode-cell"].is_object(), "{finder:#}");
    assert!(!finder.to_string().contains("{{"), "{finder:#}");
    assert_eq!(network["pipeline"][1]["input"]["where"], finder["task"]);
    let info = json(&space.read("build/digit-cascade/digit-reader/model_info.json"));
    assert_eq!(info["name"], "digit-reader");
    assert_eq!(info["labels"].as_array().map(Vec::len), Some(10));
    let config = space.read("build/digit-cascade/digit-finder/compiler_config.toml");
    assert!(config.contains("aipu_cores_used = 3"), "{config}");
}

#[test]
fn data_that_cannot_be_written_is_a_failure_and_a_closed_pipe_is_not() {
    let space = Space::only("digits");
    let full = std::fs::File::options().write(true).open("/dev/full");
    if let Ok(full) = full {
        let run = space.command("list").stdout(full).output().expect("the program runs");
        assert_eq!(run.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&run.stderr).contains("standard output could not be written"));
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = space.command("list").stdout(writer).status().expect("the program runs");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_model_that_a_network_has_not_is_named() {
    let space = Space::only("digits");
    space.axzoo("build digits/reader").expect_code(2).says("`digits` has no model `reader`").says("it has `digits`");
}

#[test]
fn a_card_is_a_target_by_its_path_and_networks_by_a_glob() {
    let space = Space::sample();
    assert!(space.build("model_cards/digits.yaml -n").keys().all(|step| step.starts_with("digits/")));
    let outcomes = space.build("digits-* -n");
    assert!(outcomes.keys().all(|step| step.starts_with("digits-inline/") || step.starts_with("digits-minmax/")));
    assert_eq!(outcomes.len(), 12);
}

#[test]
fn int8_stays_within_a_point_of_float_on_the_whole_sample_zoo() {
    let space = Space::whole();
    space.axzoo("build all").expect_code(0).says("int8 against float");
    for (network, model) in [
        ("digits", "digits"),
        ("digits-inline", "digits-inline"),
        ("digits-minmax", "digits-minmax"),
        ("digit-cascade", "digit-finder"),
        ("digit-cascade", "digit-reader"),
    ] {
        let report = json(&space.read(&format!("build/{network}/{model}/quantized/report.json")));
        let classes = &report["evaluation"]["classification"];
        let share = |name: &str| classes[name].as_f64().expect("measured");
        assert!(share("float_top1") >= 0.97, "{network}/{model}: {classes}");
        assert!(share("float_top1") - share("int8_top1") <= 0.01, "{network}/{model}: {classes}");
    }
}

#[test]
fn check_looks_into_the_weights() {
    let space = Space::only("digits");
    let codes = || -> Vec<(String, u64)> {
        let found = json(&space.axzoo("check --format json").stdout);
        let all = found["diagnostics"].as_array().expect("a list").iter();
        let onnx = all.filter(|problem| problem["code"].as_str().is_some_and(|code| code.starts_with("onnx/")));
        let text = |problem: &Value| {
            assert_eq!((problem["network"].as_str(), problem["model"].as_str()), (Some("digits"), Some("digits")));
            let word = |key: &str| problem[key].as_str().unwrap_or_default();
            (format!("{} {}", word("severity"), word("code")), problem["line"].as_u64().unwrap_or_default())
        };
        onnx.map(text).collect()
    };
    assert_eq!(codes(), []);
    let card = space.path("model_cards/digits.yaml");
    space.edit(&card, "input_tensor_shape: [1, 1, 16, 16]", "input_tensor_shape: [1, 1, 16, 18]");
    assert_eq!(codes(), [("error onnx/input-shape".to_owned(), 23)]);
    space
        .axzoo("check")
        .expect_code(1)
        .says("the input `image` is [1, 1, 16, 16] in the model")
        .says("onnx/input-shape");
    space.edit(&card, "[1, 1, 16, 18]", "[1, 16, 16, 1]");
    assert_eq!(codes(), [("error onnx/layout".to_owned(), 23)]);
    space.edit(&card, "[1, 16, 16, 1]", "[1, 1, 16, 16]");
    space.edit(&card, "input_color_format: GRAY", "input_color_format: RGB");
    assert_eq!(codes(), [("warning onnx/channels".to_owned(), 23)]);
    space.edit(&card, "input_color_format: RGB", "input_color_format: GRAY");
    space.write("weights/digits.onnx", "an error page");
    assert_eq!(codes(), [("error onnx/unreadable".to_owned(), 19)]);
}
