//! Where configurations come from and what is said about bad ones: variables, flags, installed SDKs, boards.

use std::fs;
use std::io::Read;
use std::process::Command;

use serde_json::Value;

use crate::space::{Run, Space};

const MODELS: &str = "axelera/compiler/config/models";

/// A card whose one model has these `extra_kwargs`, indented by six.
fn card(name: &str, extra_kwargs: &str) -> String {
    format!(
        "axelera-model-format: 1.0.0\nname: {name}\ndescription: a network\npipeline:\n  - read:\n      model_name: m\n      \
         input: {{type: image}}\n      preprocess: [torch-totensor: ]\nmodels:\n  m:\n    class: AxONNXModel\n    \
         class_path: m.py\n    weight_path: m.onnx\n    input_tensor_shape: [1, 1, 16, 16]\n    \
         input_color_format: GRAY\n    dataset: d\n    extra_kwargs:\n{extra_kwargs}datasets:\n  d: {{class: D, \
         data_dir_name: d}}\n"
    )
}

fn run(command: &mut Command) -> Run {
    Run::from(command.env_remove("VIRTUAL_ENV").output().expect("the program runs"))
}

/// `value` and `file` of a property of the network `net`.
fn shown(run: Run, property: &str) -> (Value, Value) {
    let run = run.expect_code(0);
    let shown: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let traced = &shown["config"][property];
    (traced["value"].clone(), traced["file"].clone())
}

/// A tree that looks like an installed SDK, and how a user points at it.
struct Installed {
    what: &'static str,
    /// Files that are there; each says its place in this list as `tiling_depth`, counted from 10.
    files: &'static [&'static str],
    /// Folders that cannot be listed as such: a file stands where each should be.
    blocked: &'static [&'static str],
    /// Variables, `{}` being the zoo's folder.
    variables: &'static [(&'static str, &'static str)],
    flags: &'static str,
    /// The file that counts; empty for none.
    expected: &'static str,
}

const INSTALLED: &[Installed] = &[
    Installed {
        what: "a virtual environment that is active",
        files: &["env/lib/python3.11/site-packages/{models}/a.toml"],
        blocked: &[],
        variables: &[("VIRTUAL_ENV", "{}/env")],
        flags: "",
        expected: "env/lib/python3.11/site-packages/{models}/a.toml",
    },
    Installed {
        what: "a checkout with an environment in `venv`",
        files: &["sdk/venv/lib/python3.10/site-packages/{models}/a.toml"],
        blocked: &[],
        variables: &[("AXELERA_FRAMEWORK", "{}/sdk")],
        flags: "",
        expected: "sdk/venv/lib/python3.10/site-packages/{models}/a.toml",
    },
    Installed {
        what: "a checkout with an environment in `.venv`",
        files: &["sdk/.venv/lib/python3.12/site-packages/{models}/a.toml"],
        blocked: &[],
        variables: &[("AXZOO_SDK", "{}/sdk")],
        flags: "",
        expected: "sdk/.venv/lib/python3.12/site-packages/{models}/a.toml",
    },
    Installed {
        what: "within one root the package itself, then the environments in order",
        files: &[
            "sdk/.venv/lib/python3.11/site-packages/{models}/a.toml",
            "sdk/venv/lib/python3.11/site-packages/{models}/a.toml",
            "sdk/lib/python3.11/site-packages/{models}/a.toml",
            "sdk/{models}/a.toml",
        ],
        blocked: &[],
        variables: &[],
        flags: "--sdk sdk",
        expected: "sdk/{models}/a.toml",
    },
    Installed {
        what: "the flag goes before the variable, which goes before the environment and the framework",
        files: &[
            "flag/{models}/a.toml",
            "variable/{models}/a.toml",
            "env/{models}/a.toml",
            "framework/{models}/a.toml",
        ],
        blocked: &[],
        variables: &[("AXZOO_SDK", "{}/variable"), ("VIRTUAL_ENV", "{}/env"), ("AXELERA_FRAMEWORK", "{}/framework")],
        flags: "--sdk flag",
        expected: "flag/{models}/a.toml",
    },
    Installed {
        what: "a variable of axzoo goes before the environment",
        files: &["env/{models}/a.toml", "variable/{models}/a.toml", "framework/{models}/a.toml"],
        blocked: &[],
        variables: &[("AXZOO_SDK", "{}/variable"), ("VIRTUAL_ENV", "{}/env"), ("AXELERA_FRAMEWORK", "{}/framework")],
        flags: "",
        expected: "variable/{models}/a.toml",
    },
    Installed {
        what: "the environment goes before the framework; a root without the file is passed over",
        files: &["framework/{models}/a.toml", "env/{models}/a.toml", "variable/{models}/other.toml"],
        blocked: &[],
        variables: &[("AXZOO_SDK", "{}/variable"), ("VIRTUAL_ENV", "{}/env"), ("AXELERA_FRAMEWORK", "{}/framework")],
        flags: "",
        expected: "env/{models}/a.toml",
    },
    Installed {
        what: "the zoo's own configs go before every SDK",
        files: &["configs/a.toml", "sdk/{models}/a.toml"],
        blocked: &[],
        variables: &[("VIRTUAL_ENV", "{}/sdk")],
        flags: "--sdk sdk",
        expected: "configs/a.toml",
    },
    Installed {
        what: "an SDK that cannot be read is no harm where the zoo has the file",
        files: &["configs/a.toml"],
        blocked: &["sdk"],
        variables: &[("VIRTUAL_ENV", "{}/not-there")],
        flags: "--sdk sdk",
        expected: "configs/a.toml",
    },
    Installed {
        what: "nor where another SDK has it",
        files: &["env/{models}/a.toml"],
        blocked: &["sdk"],
        variables: &[("VIRTUAL_ENV", "{}/env"), ("AXELERA_FRAMEWORK", "{}/not-there")],
        flags: "--sdk sdk",
        expected: "env/{models}/a.toml",
    },
    Installed {
        what: "nowhere",
        files: &["sdk/{models}/b.toml"],
        blocked: &[],
        variables: &[("VIRTUAL_ENV", "{}/env")],
        flags: "--sdk sdk",
        expected: "",
    },
];

#[test]
fn a_bare_name_is_found_in_whatever_sdk_is_installed() {
    for case in INSTALLED {
        let space = Space::empty();
        space.write("model_cards/net.yaml", card("net", "      compiler_config_file: a.toml\n"));
        let files: Vec<String> = case.files.iter().map(|file| file.replace("{models}", MODELS)).collect();
        for (index, file) in files.iter().enumerate() {
            space.write(file, format!("tiling_depth = {}\n", index + 10));
        }
        for folder in case.blocked {
            space.write(folder, "a file");
        }
        let mut command = space.command(&format!("config show net --format json {}", case.flags));
        command.env_remove("VIRTUAL_ENV");
        let root = space.path("").display().to_string();
        for (name, value) in case.variables {
            command.env(name, value.replace("{}", root.trim_end_matches('/')));
        }
        let run = Run::from(command.output().expect("the program runs"));
        if case.expected.is_empty() {
            run.expect_code(1).says("there is no config file `a.toml`").says(&format!("sdk/{MODELS}")).says("env (no");
            continue;
        }
        let expected = case.expected.replace("{models}", MODELS);
        let index = files.iter().position(|file| *file == expected).expect("a file of the case");
        let (value, file) = shown(run, "tiling_depth");
        assert_eq!(
            (value.as_u64(), file.as_str()),
            (Some(index as u64 + 10), Some(expected.as_str())),
            "{}",
            case.what
        );
    }
}

#[test]
fn a_path_that_is_typed_is_meant_from_where_the_user_stands() {
    let space = Space::empty();
    space.write("axzoo.toml", "[zoo]\nconfigs = [\"of-file\"]\n");
    space.write("model_cards/net.yaml", card("net", "      compiler_config_file: a.toml\n"));
    for (index, folder) in ["of-file", "sub/here", "here"].iter().enumerate() {
        space.write(&format!("{folder}/a.toml"), format!("tiling_depth = {}\n", index + 10));
    }
    let show = "config show net --format json";
    let depth = |command: &mut Command| shown(run(command), "tiling_depth").1.as_str().map(ToOwned::to_owned);
    let inside = |arguments: &str| {
        let mut command = space.command(arguments);
        command.current_dir(space.path("sub"));
        command
    };
    assert_eq!(depth(&mut inside(show)).as_deref(), Some("of-file/a.toml"));
    assert_eq!(depth(&mut inside(&format!("{show} --configs here"))).as_deref(), Some("sub/here/a.toml"));
    assert_eq!(depth(&mut inside(&format!("{show} --configs ../here"))).as_deref(), Some("here/a.toml"));
    assert_eq!(depth(inside(show).env("AXZOO_CONFIGS", "here")).as_deref(), Some("sub/here/a.toml"));
    // As with `make -C`, what is typed is meant from there.
    assert_eq!(depth(&mut inside(&format!("-C .. {show} --configs here"))).as_deref(), Some("here/a.toml"));
}

#[test]
fn the_sdks_variable_for_cores_is_heeded_or_refused() {
    let space = Space::empty();
    space.write("model_cards/net.yaml", card("net", "      aipu_cores: 3\n"));
    let cores =
        |text: &str| run(space.command("config show net --format json").env("AXELERA_MAX_COMPILER_CORES", text));
    assert_eq!(shown(cores(""), "aipu_cores_used").0, 1);
    assert_eq!(shown(cores("2"), "aipu_cores_used").0, 2);
    assert_eq!(shown(cores("2"), "resources_used").0, 0.5);
    cores("two").expect_code(2).says("`AXELERA_MAX_COMPILER_CORES` takes a whole number from 1, found `two`");
}

#[test]
fn results_and_store_go_where_the_user_stands() {
    let space = Space::only("digits");
    space.write("sub/empty", "");
    let mut command = space.command("build digits --quantize-only --build-root out --cache store");
    run(command.current_dir(space.path("sub"))).expect_code(0);
    assert!(space.path("sub/out/digits/digits/quantized/report.json").exists());
    assert!(space.path("sub/store").is_dir() && !space.path("store").exists() && !space.path("cache/journal").exists());
}

#[test]
fn what_a_board_says_of_the_clock_goes_to_the_runtime_and_not_into_the_config() {
    let space = Space::only("digits");
    let extra = "    extra_kwargs:\n      clock_profile: 800\n      pcie: {note: plain}\n      \
                 m2: {clock_profile: 600, mvm_limitation: 57, aipu_cores: 2, compilation_config: {tiling_depth: 2}}\n";
    space.edit(&space.cards()["digits"], "    extra_kwargs:\n", extra);
    let read = |board: &str| {
        space.axzoo(&format!("build --board {board}")).expect_code(0);
        let info: Value = serde_json::from_str(&space.read("build/digits/digits/model_info.json")).expect("JSON");
        let file = fs::File::open(space.path("build/digits/digits.zip")).expect("there");
        let mut archive = zip::ZipArchive::new(file).expect("a ZIP file");
        let mut text = String::new();
        archive.by_name("network.json").expect("there").read_to_string(&mut text).expect("read");
        let network: Value = serde_json::from_str(&text).expect("JSON");
        let config = space.read("build/digits/digits/compile_config.json");
        assert!(!config.contains("clock_profile") && !config.contains("mvm_limitation"), "{config}");
        (info["extra_kwargs"].clone(), network["models"][0].clone())
    };
    let (info, network) = read("m2");
    assert_eq!((&info["clock_profile"], &info["mvm_limitation"]), (&Value::from(600), &Value::from(57)), "{info}");
    assert_eq!((&network["clock_profile"], &network["mvm_limitation"]), (&Value::from(600), &Value::from(57)));
    assert_eq!(info["m2"], Value::Null, "what holds stands once: {info}");
    assert_eq!(info["compilation_config"], Value::Null, "{info}");
    assert_eq!((&info["aipu_cores"], &info["pcie"]["note"]), (&network["execution_cores"], &Value::from("plain")));
    let (info, network) = read("pcie");
    assert_eq!((&info["clock_profile"], &info["mvm_limitation"]), (&Value::from(800), &Value::Null), "{info}");
    assert_eq!((&network["clock_profile"], &network["mvm_limitation"]), (&Value::from(800), &Value::Null));
    // Another board's limits stay, for whoever runs the package there.
    assert_eq!((&info["m2"]["mvm_limitation"], &info["note"]), (&Value::from(57), &Value::from("plain")));
    assert_eq!(info["m2"]["compilation_config"], Value::Null, "{info}");
}

#[test]
fn strict_makes_errors_of_warnings_for_every_command() {
    let space = Space::only("digits");
    let extra = "    extra_kwargs:\n      compilation_config: {frobnicate: 1}\n";
    space.edit(&space.cards()["digits"], "    extra_kwargs:\n", extra);
    for command in ["check", "config show digits", "build -n"] {
        space.axzoo(command).expect_code(0).says("warning[config/unknown-key]");
        space.axzoo(&format!("{command} --strict")).expect_code(1).says("error[config/unknown-key]");
        run(space.command(command).env("AXZOO_STRICT", "1")).expect_code(1).says("error[config/unknown-key]");
    }
    // What was typed is a mistake of typing, however it is graded.
    space.axzoo("build -n --set frobnicate=1 --strict").expect_code(2).says("error[config/unknown-key]");
    space.write("axzoo.toml", "[zoo]\nstrict = true\n");
    space.axzoo("check").expect_code(1);
}

#[test]
fn a_warning_of_the_plan_is_an_error_where_the_settings_are_strict() {
    let space = Space::only("digits");
    fs::remove_file(space.images("data/digits", "calibration").remove(0)).expect("removed");
    for command in ["build -n", "why digits"] {
        space.axzoo(command).expect_code(0).says("warning[build/too-few-images]");
        let run = space.axzoo(&format!("{command} --strict")).expect_code(1).says("error[build/too-few-images]");
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    }
    let run = space.axzoo("build -n --strict --format json").expect_code(1);
    let told = run.stdout.lines().find(|line| line.contains("build/too-few-images")).expect("it is told");
    let told: Value = serde_json::from_str(told).expect("JSON");
    assert_eq!(told["severity"], "error", "{told}");
}

/// `extra_kwargs` that are wrong, the TOML file `{name}.toml` beside them, and what is said.
const BROKEN: &[(&str, &str, &[u8], &[&str])] = &[
    ("near", "compilation_config: {tiling_dpeth: 6}", b"", &["config/unknown-key"]),
    ("type", "compilation_config: {tiling_depth: deep, use_sysdma: 1}", b"", &["config/type", "config/type"]),
    ("odd", "compilation_config: {tiling_depth: {a: 1}}", b"", &["config/type"]),
    ("range", "compilation_config: {frequency: 1000}", b"", &["config/range"]),
    ("enum", "compilation_config: {quantization_scheme: best}", b"", &["config/choice"]),
    ("share", "compilation_config: {resources_used: 0.3}", b"", &["config/share"]),
    ("twice", "compilation_config: {aipu_cores: 1, aipu_cores_used: 2}", b"", &["config/said-twice"]),
    ("table", "compiler_config_file: table.toml", b"[compiler]\ntiling_depth = 6\n", &["config/table"]),
    (
        "syntax",
        "compiler_config_file: syntax.toml",
        b"tiling_depth: 6\nuse_sysdma = True\n",
        &["config/syntax", "config/syntax"],
    ),
    ("latin", "compiler_config_file: latin.toml", b"model_name = \"\xe4\"\n", &["config/not-utf8"]),
    ("folder", "compiler_config_file: ../folder.toml", b"", &["config/not-a-file"]),
    ("missing", "compiler_config_file: tabel.toml", b"", &["config/missing-file"]),
    ("good", "compilation_config: {tiling_depth: 6}", b"", &[]),
];

#[test]
fn everything_wrong_with_the_configs_of_a_zoo_is_said_in_one_run_with_its_place_and_a_hint() {
    let space = Space::empty();
    space.write("folder.toml/inside", "");
    for (name, extra, toml, _) in BROKEN {
        space.write(&format!("model_cards/{name}.yaml"), card(name, &format!("      {extra}\n")));
        if !toml.is_empty() {
            space.write(&format!("model_cards/{name}.toml"), toml);
        }
    }
    let run = space.axzoo("check --format json").expect_code(1);
    assert!(!run.stdout.contains("/../"), "a path is not tidy: {}", run.stdout);
    let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let of_configs: Vec<&Value> = found["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|problem| {
            problem["severity"] == "error" && problem["code"].as_str().is_some_and(|code| code.starts_with("config/"))
        })
        .collect();
    for (name, _, _, expected) in BROKEN {
        let of_network: Vec<&&Value> = of_configs.iter().filter(|problem| problem["network"] == *name).collect();
        let codes: Vec<&str> = of_network.iter().filter_map(|problem| problem["code"].as_str()).collect();
        assert_eq!(codes, *expected, "{name}: {of_network:#?}");
        for problem in of_network {
            let placed = problem["line"].as_u64().is_some_and(|line| line > 0) && problem["column"].is_u64();
            assert!(placed && problem["hint"].is_string() && problem["file"].is_string(), "{name}: {problem:#}");
        }
    }
    let text = space.axzoo("check near").expect_code(1).says("checked 1 network with 1 model: 1 error, ");
    assert!(
        text.stderr.contains("tiling_dpeth: 6}\n   |                            ^^^^^^^^^^^^\n"),
        "{}",
        text.stderr
    );
    assert!(!text.stderr.contains("cascade/idle"), "sums over what cannot be read: {}", text.stderr);
}

#[test]
fn a_zoo_without_cards_says_so() {
    let space = Space::empty();
    fs::create_dir(space.path("model_cards")).expect("created");
    for command in ["check", "build", "list"] {
        space.axzoo(command).expect_code(0).says("warning[card/none]: there is no card in `model_cards`");
    }
    space.axzoo("check --strict").expect_code(1);
    space.write("model_cards/list.yaml", "models: [\n");
    space.axzoo("check").expect_code(1).says("model_cards/list.yaml:1:9").says("`[` is not closed").says("hint:");
}
