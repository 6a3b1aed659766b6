//! The examples of the vendor's page on compiler configuration, and the cases that its tool tests TOML files with.

use super::super::Device;
use super::Zoo;
use super::lines;
use super::traced;

/// Where the compiler's own configs lie in these zoos' SDK.
const MODELS: &str = "sdk/axelera/compiler/config/models";

/// One example: what a card's `extra_kwargs` say, and what comes of it.
struct Example {
    what: &'static str,
    card: &'static str,
    /// Property, and its value with layers.
    expected: &'static [(&'static str, &'static str)],
    /// Errors and warnings, where there are any.
    says: &'static [&'static str],
}

const CUSTOM: &str = "quantization_scheme = \"per_tensor_min_max\"\nignore_weight_buffers = false\n\
                      aipu_cores_used = 1\nresources_used = 0.25\n";
const OF_SDK: &str = "tiling_depth = 6\nquantization_scheme = \"per_tensor_min_max\"\n";

const EXAMPLES: &[Example] = &[
    Example {
        what: "settings inline",
        card: "compilation_config:\n  aipu_cores_used: 4\n  resources_used: 1.0\n",
        expected: &[("aipu_cores_used", "4 inline > 1 default"), ("resources_used", "1.0 inline > 1.0 default")],
        says: &[],
    },
    Example {
        what: "a config of the SDK for a model of one's own",
        card: "compiler_config_file: yolo11n.toml\n",
        expected: &[
            ("tiling_depth", "6 toml > 1 default"),
            ("quantization_scheme", "per_tensor_min_max toml > per_tensor_histogram default"),
        ],
        says: &[],
    },
    Example {
        what: "a config of one's own beside the card goes before the SDK's",
        card: "compiler_config_file: my-config.toml\n",
        expected: &[
            ("quantization_scheme", "per_tensor_min_max toml > per_tensor_histogram default"),
            ("ignore_weight_buffers", "false toml > true default"),
            ("aipu_cores_used", "1 toml > 1 default"),
            ("resources_used", "0.25 toml > 1.0 default"),
            ("tiling_depth", "1 default"),
        ],
        says: &[],
    },
    Example {
        what: "inline always wins over the TOML, also with the value that is the default",
        card: "compiler_config_file: my-config.toml\ncompilation_config:\n  quantization_scheme: per_tensor_histogram\n",
        expected: &[
            (
                "quantization_scheme",
                "per_tensor_histogram inline > per_tensor_min_max toml > per_tensor_histogram default",
            ),
            ("ignore_weight_buffers", "false toml > true default"),
        ],
        says: &[],
    },
    Example {
        what: "one core with a quarter of the memory, to be run four times",
        card: "compilation_config:\n  aipu_cores_used: 1\n  resources_used: 0.25  # = 1/4\n",
        expected: &[("aipu_cores_used", "1 inline > 1 default"), ("resources_used", "0.25 inline > 1.0 default")],
        says: &[],
    },
    Example {
        what: "three cores of a cascade",
        card: "compilation_config:\n  aipu_cores_used: 3\n  resources_used: 0.75\n",
        expected: &[("aipu_cores_used", "3 inline > 1 default"), ("resources_used", "0.75 inline > 1.0 default")],
        says: &[],
    },
    Example {
        what: "a share is a multiple of 0.25",
        card: "compilation_config:\n  resources_used: 0.3\n",
        expected: &[("resources_used", "1.0 default")],
        says: &["error config/share 2:19: *"],
    },
    Example {
        what: "a model is compiled for one core where nothing is said",
        card: "{}",
        expected: &[
            ("aipu_cores_used", "1 default"),
            ("resources_used", "1.0 default"),
            ("multicore_mode", "multiprocess default"),
        ],
        says: &[],
    },
    Example {
        what: "names of the Python interface: one core",
        card: "compilation_config:\n  aipu_cores: 1\n  resources: 0.25\n  ptq_scheme: per_tensor_min_max\n  save_error_artifact: True\n",
        expected: &[
            ("aipu_cores_used", "1 inline > 1 default"),
            ("resources_used", "0.25 inline > 1.0 default"),
            ("quantization_scheme", "per_tensor_min_max inline > per_tensor_histogram default"),
            ("save_error_artifact", "true inline > false default"),
        ],
        says: &[],
    },
    Example {
        what: "names of the Python interface: four cores",
        card: "compilation_config: {aipu_cores: 4, resources: 1.0}\n",
        expected: &[("aipu_cores_used", "4 inline > 1 default"), ("resources_used", "1.0 inline > 1.0 default")],
        says: &[],
    },
];

/// The cases of the vendor's tests: how a TOML file is found and applied.
const CASES: &[Example] = &[
    Example {
        what: "an absolute path",
        card: "compiler_config_file: {root}/cards/my-config.toml\n",
        expected: &[("resources_used", "0.25 toml > 1.0 default")],
        says: &[],
    },
    Example {
        what: "a relative path",
        card: "compiler_config_file: sub/relative.toml\n",
        expected: &[("tiling_depth", "3 toml > 1 default")],
        says: &[],
    },
    Example {
        what: "a bare name",
        card: "compiler_config_file: yolo11n.toml\n",
        expected: &[("tiling_depth", "6 toml > 1 default")],
        says: &[],
    },
    Example {
        what: "not found, with what is near",
        card: "compiler_config_file: yolo11m.toml\n",
        expected: &[("tiling_depth", "1 default")],
        says: &[
            "error config/missing-file 1:23: there is no config file `yolo11m.toml` (did you mean `yolo11n.toml`?*",
        ],
    },
    Example {
        what: "not TOML",
        card: "compiler_config_file: broken.toml\n",
        expected: &[("tiling_depth", "1 default")],
        says: &["error config/syntax 1:16: *"],
    },
    Example {
        what: "the TOML is applied",
        card: "compiler_config_file: my-config.toml\ncompilation_config: {}\n",
        expected: &[("ignore_weight_buffers", "false toml > true default")],
        says: &[],
    },
    Example {
        what: "inline overrides the TOML",
        card: "compiler_config_file: my-config.toml\ncompilation_config:\n  resources_used: 0.5\n",
        expected: &[
            ("resources_used", "0.5 inline > 0.25 toml > 1.0 default"),
            ("ignore_weight_buffers", "false toml > true default"),
        ],
        says: &[],
    },
    Example {
        what: "no TOML",
        card: "compilation_config:\n  resources_used: 0.5\n",
        expected: &[("resources_used", "0.5 inline > 1.0 default"), ("ignore_weight_buffers", "true default")],
        says: &[],
    },
];

#[test]
fn examples_and_cases_of_the_vendor_hold() {
    let of_sdk = format!("{MODELS}/yolo11n.toml");
    let hidden = format!("{MODELS}/my-config.toml");
    let zoo = Zoo::new(
        Device::default(),
        &[
            ("cards/my-config.toml", CUSTOM),
            ("cards/sub/relative.toml", "tiling_depth = 3\n"),
            ("cards/broken.toml", "tiling_depth = \n"),
            (&of_sdk, OF_SDK),
            (&hidden, OF_SDK),
        ],
    );
    let root = zoo.folder.path().display().to_string();
    let mut failures = Vec::new();
    for Example { what, card, expected, says } in EXAMPLES.iter().chain(CASES) {
        let resolution = zoo.resolve(&card.replace("{root}", &root), &[]);
        for (property, expected) in *expected {
            let found = traced(&resolution.config, property);
            if found != *expected {
                failures.push(format!("{what}: {property}: expected {expected}, found {found}"));
            }
        }
        let mut problems = resolution.diagnostics;
        problems.retain(|problem| problem.severity > crate::diag::Severity::Note);
        let hints = problems.iter().map(|problem| problem.hint.clone().unwrap_or_default());
        let found: Vec<String> =
            lines(&problems).iter().zip(hints).map(|(line, hint)| format!("{line} ({hint})")).collect();
        let same = found.len() == says.len()
            && found.iter().zip(*says).all(|(found, says)| found.starts_with(says.trim_end_matches('*')));
        if !same {
            failures.push(format!("{what}: expected {says:#?}, found {found:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_configs_of_the_sdk_can_be_listed() {
    let of_sdk = format!("{MODELS}/yolo11n.toml");
    let zoo = Zoo::new(Device::default(), &[(&of_sdk, OF_SDK)]);
    let names: Vec<String> = zoo.resolver.search.list_configs(None).into_iter().map(|config| config.name).collect();
    assert_eq!(names, ["yolo11n.toml"]);
}
