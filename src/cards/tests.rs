//! Small zoos on disk, and the real cards where they are.

use std::path::Path;
use std::path::PathBuf;

use super::*;
use crate::base::fs;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::imaging::Preprocess;
use crate::imaging::PreprocessOperator;

/// A card without problems, for cases that change one thing of it.
pub(crate) const GOOD: &str = "\
axelera-model-format: 1.0.0
name: net
description: a network
pipeline:
  - read:
      model_name: reader
      input:
        type: image
      preprocess:
        - resize:
            width: {{input_width}}
            height: {{input_height}}
        - torch-totensor:
models:
  reader:
    class: AxONNXModel
    weight_path: weights/m.onnx
    input_tensor_layout: NCHW
    input_tensor_shape: [1, 3, 8, 16]
    input_color_format: RGB
    num_classes: 10
    dataset: digits
datasets:
  digits:
    class: DataAdapter
    data_dir_name: digits
";

/// A zoo in a temporary folder.
pub(crate) struct Zoo {
    folder: tempfile::TempDir,
    pub(crate) options: CatalogOptions,
}

impl Zoo {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = CatalogOptions {
            root: folder.path().to_owned(),
            card_roots: vec!["model_cards".into()],
            data_root: "data".into(),
            variables: [("HOME".to_owned(), folder.path().join("home").to_string_lossy().into_owned())].into(),
            ..CatalogOptions::default()
        };
        fs::create_folders(&folder.path().join("model_cards")).expect("created");
        let zoo = Self { folder, options };
        for (path, text) in files {
            zoo.write(path, text.as_bytes());
        }
        zoo
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        fs::write_atomic(&self.folder.path().join(path), bytes).expect("written");
    }

    pub(crate) fn catalog(&self) -> Catalog {
        read_catalog(&self.options)
    }

    /// The one card of the zoo.
    pub(crate) fn card(&self) -> Card {
        let catalog = self.catalog();
        let problems = lines(&catalog.problems);
        catalog.cards.into_iter().next().unwrap_or_else(|| panic!("the card is broken: {problems:?}"))
    }

    fn preprocess(&self) -> Result<Preprocess, Vec<String>> {
        let card = self.card();
        card.preprocess_of(&card.models[0]).map_err(|problems| lines(&problems))
    }
}

/// `code file:line` of each, warnings and notes marked.
pub(crate) fn lines(problems: &[Diagnostic]) -> Vec<String> {
    let line = |problem: &Diagnostic| {
        let line = problem.place.as_ref().map(|place| format!(":{}", place.position().line)).unwrap_or_default();
        let mark = if problem.severity == Severity::Error { "" } else { problem.severity.word() };
        format!("{mark} {} {}{line}", problem.code, problem.file_name().unwrap_or("")).trim().to_owned()
    };
    problems.iter().map(line).collect()
}

#[test]
fn a_good_card_becomes_types() {
    let zoo = Zoo::new(&[("model_cards/a/net.yaml", GOOD)]);
    let card = zoo.card();
    assert_eq!((card.file.as_str(), card.name.value.as_str()), ("model_cards/a/net.yaml", "net"));
    let model = card.model("reader").expect("the model is there");
    assert_eq!((model.input_shape, model.input_size()), (Some([1, 3, 8, 16]), Some([16, 8, 3])));
    assert_eq!((model.kind, model.num_classes), (ModelKind::DeepLearning, 10));
    let weights = model.weights.as_ref().and_then(PathValue::path).expect("the path needs no variable");
    assert_eq!(card.shown(weights), "model_cards/a/weights/m.onnx");
    let images = card.calibration(model).expect("the dataset has a folder");
    assert_eq!((card.shown(&images.folder).as_str(), images.key), ("data/digits", "data_dir_name"));
    assert_eq!(card.evaluation(model), Ok(None));
}

#[test]
fn every_problem_of_a_card_has_a_code_and_a_line() {
    // (what is replaced, by what, the problems: code and line)
    let cases: &[(&str, &str, &[&str])] = &[
        ("name: net", "nmae: net", &["card/missing-key:1", "card/unknown-key:2"]),
        ("name: net", "name: ../net", &["card/name:2"]),
        ("name: net", "name:", &["card/missing-key:2"]),
        ("name: net", "name: [a]", &["card/type:2"]),
        ("name: net", "name: 010", &[]),
        ("name: net", "name: net\nnew-sdk-section: {a: 1}", &[]),
        ("axelera-model-format: 1.0.0", "axelera-model-format: 3.0.0", &["card/format:1"]),
        ("axelera-model-format: 1.0.0\n", "", &["note card/format:1"]),
        ("description: a network\n", "", &["warning card/missing-key:1"]),
        ("model_name: reader", "model_nam: reader", &["pipeline/unknown-model:5", "card/unknown-key:6"]),
        ("model_name: reader", "model_name: raeder", &["pipeline/unknown-model:6"]),
        ("      model_name: reader\n", "", &["pipeline/unknown-model:5"]),
        ("  - read:\n      model_name: reader", "  - read:\n    model_name: reader", &["yaml/syntax:7"]),
        ("pipeline:\n  - read:", "pipeline:\n    read:", &["card/type:5"]),
        ("      input:\n        type: image", "      input:\n        source: roi", &["pipeline/where:8"]),
        ("        type: image", "        where: read", &["pipeline/where:8"]),
        ("        type: image", "        where: nothing", &["pipeline/where:8"]),
        ("        type: image", "        color_format: RBG", &["card/value:8"]),
        ("        - torch-totensor:", "        - {a: 1, b: 2}", &["card/operator:13"]),
        ("        - torch-totensor:", "        - torch-totensor", &[]),
        ("weight_path:", "weigth_path:", &["card/unknown-key:17"]),
        ("    class: AxONNXModel", "    weight_md5: 348e95", &["card/md5:16"]),
        ("    class: AxONNXModel", "    weight_md5: 00000000000000000000000000348e95", &[]),
        ("    class: AxONNXModel", "    model_type: CLASSIC", &["card/value:16"]),
        ("[1, 3, 8, 16]", "[3, 8, 16]", &[]),
        ("[1, 3, 8, 16]", "[8, 16]", &["card/input-shape:19"]),
        ("[1, 3, 8, 16]", "[1, 3, 8, -1]", &["card/input-shape:19"]),
        ("[1, 3, 8, 16]", "1x3x8x16", &["card/input-shape:19"]),
        ("    input_tensor_shape: [1, 3, 8, 16]\n", "", &["card/missing-key:15"]),
        ("layout: NCHW", "layout: NCWH", &["card/value:18"]),
        ("num_classes: 10", "num_classes: ten", &["card/type:21"]),
        ("num_classes: 10", "num_classes: 012", &["warning card/yaml-versions:21"]),
        ("dataset: digits", "dataset: digit", &["card/dataset-undefined:22"]),
        ("dataset: digits", "dataset: digits\n    extra_kwargs: [a]", &["card/type:23"]),
        ("dataset: digits", "dataset: digits\n    extra_kwargs: {aipu_cores: many}", &["card/type:23"]),
        ("dataset: digits", "dataset: digits\n    extra_kwargs: {aipu_coers: 1}", &[]),
        ("dataset: digits", "dataset: digits\n    extra_kwargs: {m2: {aipu_cores: 0}}", &["card/type:23"]),
        ("dataset: digits", "dataset: digits\n    extra_kwargs: {axzoo: {min_top1_agreement: 99}}", &["card/value:23"]),
        ("  reader:\n    class", "  re/ader:\n    class", &["pipeline/unknown-model:6", "card/name:15"]),
        ("data_dir_name: digits", "repr_imgs_md5: xyz", &["card/md5:26"]),
        ("class: DataAdapter", "clas: DataAdapter", &[]),
        ("width: {{input_width}}", "width: 010", &["warning card/yaml-versions:11"]),
        ("name: net", "name: net\nname: other", &["yaml/duplicate-key:3"]),
        ("class: AxONNXModel", "class: !!python/name:os.system x", &["yaml/unsupported:16"]),
    ];
    let mut wrong = Vec::new();
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "the card has no {from:?}");
        let zoo = Zoo::new(&[("model_cards/net.yaml", &GOOD.replacen(from, to, 1))]);
        let catalog = zoo.catalog();
        let found: Vec<String> =
            lines(&catalog.problems).iter().map(|line| line.replace(" model_cards/net.yaml", "")).collect();
        let usable = expected.iter().all(|line| line.contains(' '));
        if found != *expected || catalog.cards.len() != usize::from(usable) {
            wrong.push(format!("{to:?}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_are_reported_with_network_and_model() {
    let text = GOOD.replace("num_classes: 10", "num_classes: x").replace("name: net", "name: net\nmodles: 1");
    let catalog = Zoo::new(&[("model_cards/net.yaml", &text)]).catalog();
    assert_eq!(
        lines(&catalog.problems),
        ["card/unknown-key model_cards/net.yaml:3", "card/type model_cards/net.yaml:22"]
    );
    assert_eq!(catalog.problems[0].hint.as_deref().map(|hint| hint.starts_with("did you mean `models`?")), Some(true));
    assert_eq!(catalog.problems[1].network.as_deref(), Some("net"));
    assert_eq!(catalog.problems[1].model.as_deref(), Some("reader"));
}

#[test]
fn an_allowed_key_passes_the_near_miss_rule() {
    let text = GOOD.replace("    class: DataAdapter", "    clas: DataAdapter");
    let mut zoo = Zoo::new(&[("model_cards/net.yaml", &text)]);
    assert_eq!(lines(&zoo.catalog().problems), Vec::<String>::new());
    let text = GOOD.replace("num_classes: 10", "num_classe: 10");
    zoo.write("model_cards/net.yaml", text.as_bytes());
    assert_eq!(lines(&zoo.catalog().problems), ["card/unknown-key model_cards/net.yaml:21"]);
    zoo.options.allow_keys = vec!["num_classe".to_owned()];
    assert_eq!(lines(&zoo.catalog().problems), Vec::<String>::new());
}

#[test]
fn a_card_that_cannot_be_read_hides_no_other() {
    let mut zoo = Zoo::new(&[
        ("model_cards/good.yaml", GOOD),
        ("model_cards/syntax.yaml", "name: broken # x\nmodels: [\n"),
        ("model_cards/twin-a.yaml", &GOOD.replace("name: net", "name: twin")),
        ("model_cards/twin-b.yml", &GOOD.replace("name: net", "name: twin")),
        ("model_cards/template.yaml", "input: {type: image}\npreprocess: []\n"),
        ("model_cards/empty.yaml", ""),
        ("model_cards/notes.txt", "not looked at"),
        ("model_cards/training_yamls/x.yaml", "["),
    ]);
    zoo.write("model_cards/latin.yaml", b"name: \xe9\n");
    zoo.write("model_cards/utf16.yaml", b"\xff\xfen\0");
    zoo.options.exclude = vec!["**/training_yamls/**".to_owned(), "[".to_owned()];
    zoo.options.card_roots.push("elsewhere".into());
    let catalog = zoo.catalog();
    assert_eq!(catalog.cards.iter().map(|card| card.file.as_str()).collect::<Vec<_>>(), ["model_cards/good.yaml"]);
    assert_eq!(
        lines(&catalog.problems),
        [
            "card/exclude",
            "card/root-missing elsewhere",
            "warning card/not-a-card model_cards/empty.yaml",
            "card/unreadable model_cards/latin.yaml",
            "yaml/syntax model_cards/syntax.yaml:2",
            "warning card/not-a-card model_cards/template.yaml",
            "card/unreadable model_cards/utf16.yaml",
            "card/duplicate-name model_cards/twin-a.yaml:2",
            "card/duplicate-name model_cards/twin-b.yml:2",
        ]
    );
    let twin = catalog.problems.last().expect("there are problems");
    assert_eq!(twin.message, "two cards are named `twin`: `model_cards/twin-b.yml` and `model_cards/twin-a.yaml:2`");
    let broken: Vec<_> = catalog.broken.iter().map(|card| (card.file.as_str(), card.name.as_deref())).collect();
    assert_eq!(
        broken,
        [
            ("model_cards/latin.yaml", None),
            ("model_cards/syntax.yaml", Some("broken")),
            ("model_cards/twin-a.yaml", Some("twin")),
            ("model_cards/twin-b.yml", Some("twin")),
            ("model_cards/utf16.yaml", None),
        ]
    );
}

#[test]
fn marks_become_values() {
    let operator = "            width: {{input_width}}\n            height: {{input_height}}";
    // (the size as written, settings in extra_kwargs, the width or the problems)
    let cases: &[(&str, &str, Result<usize, &str>)] = &[
        ("{{input_width}}", "{}", Ok(16)),
        ("${{input_width}}", "{}", Ok(16)),
        ("{{side:32}}", "{}", Ok(32)),
        ("{{side:32}}", "{side: 48}", Ok(48)),
        ("{{num_classes}}{{input_channel}}", "{}", Ok(103)),
        ("{{input_width}}", "{input_width: 20}", Ok(20)),
        ("{{side}}", "{}", Err("card/substitution model_cards/net.yaml:11")),
        ("{{ input_width }}", "{}", Err("card/substitution model_cards/net.yaml:11")),
        ("{{inputwidth}}", "{}", Err("card/substitution model_cards/net.yaml:11")),
        ("${input_width * 2}", "{}", Err("card/expression model_cards/net.yaml:11")),
        ("wide", "{}", Err("card/operator model_cards/net.yaml:11")),
    ];
    let mut wrong = Vec::new();
    for (written, settings, expected) in cases {
        let text = GOOD
            .replace(operator, &format!("            width: {written}\n            height: 8"))
            .replace("dataset: digits\n", &format!("dataset: digits\n    extra_kwargs: {settings}\n"))
            .replace(
                "        - torch-totensor:",
                "        - centercrop: {width: 16, height: 8}\n        - torch-totensor:",
            );
        let found = Zoo::new(&[("model_cards/net.yaml", &text)]).preprocess();
        let fits = match (&found, expected) {
            (Ok(preprocess), Ok(width)) => {
                let expected = crate::imaging::ResizeTarget::Exactly { width: *width, height: 8 };
                matches!(&preprocess.operators[0], PreprocessOperator::Resize { target, .. } if *target == expected)
            }
            (Err(found), Err(expected)) => found == &[*expected],
            _ => false,
        };
        if !fits {
            wrong.push(format!("{written} with {settings}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The card without its own preprocess, with a template.
fn with_template(task: &str) -> String {
    let start = GOOD.find("      input:").unwrap_or_default();
    let end = GOOD.find("models:").unwrap_or_default();
    format!("{}      template_path: ../templates/t.yaml\n{task}{}", &GOOD[..start], &GOOD[end..])
}

const TEMPLATE: &str = "\
# a '#' in \"quotes # here\" ends nothing
input: {type: image, color_format: BGR}
preprocess:
  - resize:
      width: {{input_width}}
      height: {{input_height}}
      interpolation: bicubic
  - torch-totensor:
  - normalize:
      mean: [0.5, 0.5, 0.5]
postprocess:
  - top-k:
      k: 5
      labels: {{labels}}
  - sort:
";

#[test]
fn a_template_is_merged_with_the_card() {
    let zoo = Zoo::new(&[
        ("templates/t.yaml", TEMPLATE),
        (
            "model_cards/net.yaml",
            &with_template(
                "      input: {source: full}\n      preprocess:\n        - torch_totensor:\n            scale: False\n      postprocess:\n        - topk: {k: 3}\n        - sort:\n        - mine:\n",
            ),
        ),
    ]);
    let preprocess = zoo.preprocess().expect("the template fits");
    let names: Vec<_> = preprocess.operators.iter().map(PreprocessOperator::name).collect();
    assert_eq!(names, ["resize", "torch-totensor", "normalize"]);
    assert_eq!(preprocess.operators[1], PreprocessOperator::TorchToTensor { scale: false });
    assert_eq!(preprocess.input_color.word(), "BGR");
    let card = zoo.card();
    let task = card.resolve_task(&card.tasks[0]).expect("the task resolves");
    let post: Vec<_> = task.postprocess.iter().map(|operator| operator.name.value.as_str()).collect();
    assert_eq!(post, ["topk", "sort", "mine"]);
    let argument = |key| task.postprocess[0].arguments.get(key).and_then(crate::yaml::Node::as_text);
    assert_eq!((argument("k"), argument("labels")), (Some("3"), Some("{{labels}}")));
    assert_eq!(task.input.get("source").and_then(crate::yaml::Node::as_text), Some("full"));
    assert_eq!(task.input.get("type").and_then(crate::yaml::Node::as_text), Some("image"));
}

#[test]
fn what_is_wrong_with_a_template_is_said_where_it_stands() {
    let cases: &[(&str, &str, &[&str])] = &[
        (TEMPLATE, "      preprocess:\n        - letterbox:\n", &["card/template-merge model_cards/net.yaml:9"]),
        (
            TEMPLATE,
            "      preprocess:\n        - normalize:\n        - resize:\n",
            &["card/template-merge model_cards/net.yaml:10"],
        ),
        (TEMPLATE, "      postprocess:\n        - sort:\n", &["card/template-merge model_cards/net.yaml:9"]),
        (TEMPLATE, "      postprocess:\n        - mine:\n", &[]),
        ("preprocess:\n  - resize: {size: {{nothing}}}\n", "", &["card/substitution templates/t.yaml:2"]),
        ("preprocess:\n  - resize: {size: wide}\n  - torch-totensor:\n", "", &["card/operator templates/t.yaml:2"]),
        ("preproces:\n  - torch-totensor:\n", "", &["card/unknown-key templates/t.yaml:1"]),
        ("preprocess: [\n", "", &["yaml/syntax templates/t.yaml:1"]),
        ("- a\n", "", &["card/template templates/t.yaml:1"]),
        ("input: {}\n", "", &["card/no-preprocess model_cards/net.yaml:9"]),
    ];
    let mut wrong = Vec::new();
    for (template, task, expected) in cases {
        let zoo = Zoo::new(&[("templates/t.yaml", template), ("model_cards/net.yaml", &with_template(task))]);
        let found = zoo.preprocess().err().unwrap_or_default();
        if found != *expected {
            wrong.push(format!("{template:?} {task:?}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    let zoo = Zoo::new(&[("model_cards/net.yaml", &with_template(""))]);
    let found = zoo.preprocess().err().unwrap_or_default();
    if found != ["card/template model_cards/net.yaml:7"] {
        wrong.push(format!("no template: {found:?}"));
    }
    let unset = with_template("").replace("../templates", "$SDK");
    let found = Zoo::new(&[("model_cards/net.yaml", &unset)]).preprocess().err().unwrap_or_default();
    if found != ["card/undefined-variable model_cards/net.yaml:7"] {
        wrong.push(format!("an unset variable: {found:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_card_without_a_pipeline_takes_the_preprocess_from_its_settings() {
    let start = GOOD.find("pipeline:").unwrap_or_default();
    let end = GOOD.find("models:").unwrap_or_default();
    let text = format!("{}pipeline: null\n{}", &GOOD[..start], &GOOD[end..]);
    let zoo = Zoo::new(&[("model_cards/net.yaml", &text)]);
    assert_eq!(zoo.preprocess().err().unwrap_or_default(), ["card/no-preprocess model_cards/net.yaml:6"]);
    let own =
        "dataset: digits\n    extra_kwargs:\n      axzoo:\n        preprocess: [torch-totensor: {scale: False}]\n";
    let text = text
        .replace("dataset: digits\n", own)
        .replace("data_dir_name: digits", "repr_imgs_dataloader_color_format: BGR");
    let preprocess = Zoo::new(&[("model_cards/net.yaml", &text)]).preprocess().expect("the settings have operators");
    assert_eq!(preprocess.operators, [PreprocessOperator::TorchToTensor { scale: false }]);
    assert_eq!(preprocess.input_color.word(), "BGR");
}

#[test]
fn large_settings_and_sections_are_bounded() {
    let large = format!("dataset: digits\n    extra_kwargs: {{big: {}}}\n", "x".repeat(1 << 20));
    let sizes = vec!["{{big}}"; 1000].join(", ");
    let text =
        GOOD.replace("dataset: digits\n", &large).replace("width: {{input_width}}", &format!("width: [{sizes}]"));
    let found = Zoo::new(&[("model_cards/net.yaml", &text)]).preprocess();
    assert_eq!(found.err().unwrap_or_default(), ["card/substitution model_cards/net.yaml:11"]);
    let tasks = vec!["  - t:\n      model_name: nobody\n"; 20_000].concat();
    let text = GOOD.replace("pipeline:\n", &format!("pipeline:\n{tasks}"));
    let catalog = Zoo::new(&[("model_cards/net.yaml", &text)]).catalog();
    assert!(catalog.problems.iter().any(|problem| problem.code == "card/too-many"));
    let long = "y".repeat(1 << 20);
    let text = GOOD
        .replace("model_name: reader", &format!("model_name: {long}"))
        .replace("  reader:\n", &format!("  ? {long}z\n  :\n"));
    assert!(Zoo::new(&[("model_cards/net.yaml", &text)]).catalog().cards.is_empty());
}

#[test]
fn images_for_calibration_are_chosen_in_order() {
    let cases = [
        ("data_dir_name: d", "data/d", "data_dir_name"),
        ("data_dir_name: d\n    cal_data: train", "data/d/train", "cal_data"),
        ("cal_data: beside", "model_cards/beside", "cal_data"),
        ("cal_data: c\n    repr_imgs_dir_path: ../images", "images", "repr_imgs_dir_path"),
    ];
    for (written, folder, key) in cases {
        let text = GOOD.replace("data_dir_name: digits", written);
        let zoo = Zoo::new(&[("model_cards/net.yaml", &text), ("model_cards/beside/x.png", "")]);
        let card = zoo.card();
        let images = card.calibration(&card.models[0]).expect("a folder is named");
        assert_eq!((card.shown(&images.folder).as_str(), images.key), (folder, key), "{written}");
    }
    let cases = [("labels: x", "card/no-images"), ("repr_imgs_dir_path: $SDK/x", "card/undefined-variable")];
    for (written, code) in cases {
        let text = GOOD.replace("data_dir_name: digits", written);
        let card = Zoo::new(&[("model_cards/net.yaml", &text)]).card();
        assert_eq!(card.calibration(&card.models[0]).map_err(|problem| problem.code), Err(code), "{written}");
    }
}

/// What targets select, or what the error says.
type Expected<'a> = Result<&'a [&'a str], &'a str>;

#[test]
fn targets_name_networks_models_cards_and_globs() {
    let second = GOOD
        .replace("name: net", "name: net2")
        .replace("datasets:", "  other:\n    model_type: CLASSICAL_CV\ndatasets:");
    let zoo = Zoo::new(&[
        ("model_cards/a.yaml", GOOD),
        ("model_cards/b.yaml", &second),
        ("model_cards/broken.yaml", "name: broken\nmodels: [\n"),
    ]);
    let catalog = zoo.catalog();
    let root = zoo.options.root.clone();
    let absolute = root.join("model_cards/b.yaml").to_string_lossy().into_owned();
    let cases: &[(&[&str], Expected<'_>)] = &[
        (&[], Ok(&["net", "net2"])),
        (&["all"], Ok(&["net", "net2"])),
        (&["net2", "net"], Ok(&["net", "net2"])),
        (&["net2/other"], Ok(&["net2/other"])),
        (&["net2/other", "net2"], Ok(&["net2"])),
        (&["net2", "net2/other"], Ok(&["net2"])),
        (&["net?"], Ok(&["net2"])),
        (&["n*"], Ok(&["net", "net2"])),
        (&["model_cards/a.yaml"], Ok(&["net"])),
        (&["./model_cards/a.yaml"], Ok(&["net"])),
        (&[&absolute], Ok(&["net2"])),
        (&["broken"], Ok(&[])),
        (&["model_cards/broken.yaml"], Ok(&[])),
        (&["nett"], Err("there is no network `nett`; did you mean `net` or `net2`?")),
        (&["net2/othr"], Err("there is no network `net2/othr`; did you mean `net2/other`?")),
        (&["x*", "net", "zzz"], Err("there is no network `x*`\nthere is no network `zzz`")),
        (
            &["model_cards/c.yaml"],
            Err("there is no network `model_cards/c.yaml`; did you mean `model_cards/a.yaml` or `model_cards/b.yaml`?"),
        ),
    ];
    let mut wrong = Vec::new();
    for (targets, expected) in cases {
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        let found = select(&catalog, &targets, &root).map_err(|error| error.to_string()).map(|selected| {
            let name = |one: &Selected<'_>| {
                one.model.map_or(one.card.name.value.clone(), |model| format!("{}/{model}", one.card.name.value))
            };
            selected.iter().map(name).collect::<Vec<_>>()
        });
        let fits = match (&found, expected) {
            (Ok(found), Ok(expected)) => found == expected,
            (Err(found), Err(expected)) => found == expected,
            _ => false,
        };
        if !fits {
            wrong.push(format!("{targets:?}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The cards of the SDK, when they are there: `AXZOO_SHARED`, or `../shared`.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
pub(crate) fn shared() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let named = std::env::var("AXZOO_SHARED").map(PathBuf::from);
    let folder = named.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("cards");
    if !fs::is_folder(&folder) {
        eprintln!("skipped: the SDK's cards are not here");
        return None;
    }
    Some(folder)
}

/// One tree of the SDK's cards, with `AXELERA_FRAMEWORK` set to it or not.
pub(crate) fn real(shared: &Path, version: &str, framework: bool) -> CatalogOptions {
    let root = shared.join(version);
    let mut variables: Variables = [("HOME".to_owned(), "/nowhere".to_owned())].into();
    if framework {
        variables.insert("AXELERA_FRAMEWORK".to_owned(), root.to_string_lossy().into_owned());
    }
    CatalogOptions {
        root,
        card_roots: vec!["ax_models".into()],
        data_root: "data".into(),
        variables,
        ..CatalogOptions::default()
    }
}

#[test]
fn the_cards_of_the_sdk_are_read_without_complaint() {
    let Some(shared) = shared() else { return };
    // Two tutorials preprocess in Python; one card's template is not among the files.
    let cases = [("voyager-1.2.5", 70, 2), ("voyager-1.6", 2, 1)];
    for (version, count, without) in cases {
        let catalog = read_catalog(&real(&shared, version, true));
        assert_eq!(lines(&catalog.problems), Vec::<String>::new(), "{version}");
        assert_eq!(catalog.cards.len(), count, "{version}");
        let mut missing = 0;
        for card in &catalog.cards {
            let spanned = |span: crate::diag::Span| card.source.text().get(span.start..span.end).unwrap_or_default();
            assert_eq!(spanned(card.name.span), card.name.value, "{}", card.file);
            for model in &card.models {
                assert_eq!(spanned(model.name.span), model.name.value, "{}", card.file);
                missing += usize::from(card.preprocess_of(model).is_err());
                assert!(card.calibration(model).is_ok_and(|images| images.folder.is_absolute()), "{}", card.file);
            }
        }
        assert_eq!(missing, without, "{version}: models without a preprocess");
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let files: Vec<(String, String)> = (0..40)
        .map(|index| {
            let text = GOOD.replace("name: net", &format!("name: net{}", index % 30));
            let text = if index % 7 == 0 { text.replace("num_classes: 10", "num_classes: x") } else { text };
            (format!("model_cards/{index}.yaml"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let zoo = Zoo::new(&files);
    let read = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
        let catalog = pool.install(|| zoo.catalog());
        let names: Vec<String> = catalog.cards.iter().map(|card| card.file.clone()).collect();
        (names, catalog.broken, lines(&catalog.problems))
    };
    assert_eq!(read(1), read(4));
}

#[test]
fn what_the_sdk_cuts_from_a_template_is_warned_of() {
    let cases: &[(&str, &[&str])] = &[
        ("input: {type: \"a#b\"}\n", &["warning card/template templates/t.yaml:1"]),
        ("input: {type: 'a#b'} # a comment\n", &[]),
        ("input: {type: image} # it's \"no # quote\"\n", &[]),
        (
            "postprocess:\n  - x:\n      a: \"#1\"\n      b: '#2'\n",
            &["warning card/template templates/t.yaml:3", "warning card/template templates/t.yaml:4"],
        ),
    ];
    for (template, expected) in cases {
        let zoo = Zoo::new(&[("templates/t.yaml", template), ("model_cards/net.yaml", &with_template(""))]);
        let card = zoo.card();
        assert_eq!(lines(&card.template_warnings(&card.tasks[0])), *expected, "{template}");
    }
}
