//! What is said about wrong and odd settings, at which line.

use super::super::Board;
use super::super::Device;
use super::Zoo;
use super::lines;

struct Case {
    /// The card's `compilation_config`, indented; empty for none.
    inline: &'static str,
    /// The TOML file that the card names; empty for none.
    toml: &'static str,
    expected: &'static [&'static str],
}

const INLINE: &str = "compilation_config:\n";

const CASES: &[Case] = &[
    Case {
        inline: "  tiling_dpeth: 6\n",
        toml: "",
        expected: &["error config/unknown-key 2:3: there is no property `tiling_dpeth`"],
    },
    Case {
        inline: "  frobnicate: 6\n",
        toml: "",
        expected: &[
            "warning config/unknown-key 2:3: there is no property `frobnicate`; it is kept for toolchains that may know it",
        ],
    },
    Case {
        inline: "  resources_used: 0.3\n  aipu_cores_used: 8\n  max_memplan_attempts: 0\n",
        toml: "",
        expected: &[
            "error config/share 2:19: `resources_used` is a multiple of 0.25 greater than 0 and at most 1.0, found 0.3",
            "error config/range 3:20: `aipu_cores_used` is an integer from 1 to 4, the cores of the board, found 8",
            "error config/range 4:25: `max_memplan_attempts` is an integer of at least 1, found 0",
        ],
    },
    Case {
        inline: "  quantization_scheme: per_tensor_histogramm\n  use_sysdma: 1\n  tiling_depth: {a: 1}\n",
        toml: "",
        expected: &[
            "error config/choice 2:24: `quantization_scheme` is one of `per_tensor_histogram`, `per_tensor_min_max`, `hybrid_per_tensor_per_channel`, found `per_tensor_histogramm`",
            "error config/type 3:15: `use_sysdma` takes `true` or `false`, found integer `1`",
            "error config/type 4:17: `tiling_depth` takes an integer of at least 1, found a table",
        ],
    },
    Case {
        inline: "  ptq_scheme: per_tensor_min_max\n",
        toml: "",
        expected: &["note config/old-name 2:3: `ptq_scheme` is another name of `quantization_scheme`"],
    },
    Case {
        inline: "  ptq_scheme: per_tensor_min_max\n  quantization_scheme: per_tensor_histogram\n",
        toml: "",
        expected: &[
            "note config/old-name 2:3: `ptq_scheme` is another name of `quantization_scheme`",
            "error config/said-twice 3:24: `quantization_scheme` is said twice: per_tensor_min_max as `ptq_scheme` in line 2, per_tensor_histogram as `quantization_scheme` here",
        ],
    },
    Case {
        inline: "  backend_config:\n    in_core_replication: False\n    io_pool: ddr\n    subdevices: [0, 1]\n    tiling_depth: 6\n",
        toml: "",
        expected: &[
            "warning config/no-successor 5:5: `subdevices` of SDK 1.2 has no successor; it is kept for toolchains that know it",
            "note config/old-section 2:3: `backend_config` is a section of SDK 1.2; its settings are read as today's: `in_core_replication` as `enable_icr`, `io_pool` as `io_memory_pool`",
        ],
    },
    Case {
        inline: "  profiling_levels: [B, \"[T]\"]\n",
        toml: "",
        expected: &[
            "warning config/profiling-levels 2:21: `profiling_levels` asks for 2 levels at once, which makes times less exact",
        ],
    },
    Case {
        inline: "  use_sysdma: yes\n  tiling_depth: 010\n  model_name: 348e95\n",
        toml: "",
        expected: &[
            "warning config/yaml-versions 2:15: `yes` is the boolean true in YAML 1.1, which the SDK reads, and text in YAML 1.2",
            "warning config/yaml-versions 3:17: `010` is the integer 8 in YAML 1.1, which the SDK reads, and the integer 10 in YAML 1.2",
        ],
    },
    Case {
        inline: "",
        toml: "# settings\n[compiler]\ntiling_depth = 6\nptq_scheme = \"per_tensor_min_max\"\n[compiler.more]\nuse_sysdma = true\n",
        expected: &[
            "error config/table 2:2: the settings `tiling_depth`, `ptq_scheme`, `more.use_sysdma` stand in the table `compiler`, where the compiler does not look",
        ],
    },
    Case {
        inline: "",
        toml: "tiling_depth = 6\n[notes]\nauthor = \"me\"\n",
        expected: &[
            "warning config/unknown-key 2:2: there is no property `notes`; it is kept for toolchains that may know it",
        ],
    },
    Case {
        inline: "",
        toml: "tiling_depth = six\nuse_sysdma = True\n",
        expected: &["error config/syntax 1:16: *", "error config/syntax 2:14: *"],
    },
    Case {
        inline: "",
        toml: "tiling_depth: 6\n  io_pool: ddr # x\nuse_sysdma = True\nmodel_name = abc\n",
        expected: &[
            "error config/syntax 1:1: not TOML: expected `tiling_depth = …`, found `tiling_depth: …`",
            "error config/syntax 2:3: not TOML: expected `io_pool = …`, found `io_pool: …`",
            "error config/syntax 3:14: *",
            "error config/syntax 4:14: *",
        ],
    },
    Case {
        inline: "",
        toml: "tiling_depth = 6\ntiling_depth = 7\n",
        expected: &["error config/syntax 2:1: not TOML: duplicate key"],
    },
    Case {
        inline: "",
        toml: "\u{feff}tiling_depth = 0\n",
        expected: &["error config/range 1:16: `tiling_depth` is an integer of at least 1, found 0"],
    },
    Case {
        inline: "",
        toml: "l1_constraint = 99999999999999999999\nfrequency = 2024-01-01\n",
        expected: &[
            "error config/type 1:17: `l1_constraint` takes an integer of at least 0 or null, found a number too large for 64 bits",
            "error config/type 2:13: `frequency` takes an integer from 20000000 to 800000000, found a date or time",
        ],
    },
    Case {
        inline: "  l1_constraint: 99999999999999999999\n  frobnicate: -99999999999999999999\n",
        toml: "",
        expected: &[
            "error config/type 2:18: `l1_constraint` takes an integer of at least 0 or null, found a number too large for 64 bits",
            "warning config/unknown-key 3:3: there is no property `frobnicate`; it is kept for toolchains that may know it",
            "warning config/unknown-key 3:15: `frobnicate` cannot be kept: found a number too large for 64 bits",
        ],
    },
    Case {
        inline: "  max_compiler_cores: 4\n",
        toml: "",
        expected: &[
            "warning config/unknown-key 2:3: there is no property `max_compiler_cores`; it is kept for toolchains that may know it",
        ],
    },
];

#[test]
fn problems_are_reported_at_their_line() {
    let mut failures = Vec::new();
    for case in CASES {
        let zoo = Zoo::new(Device::default(), &[("cards/a.toml", case.toml)]);
        let file = if case.toml.is_empty() { "" } else { "compiler_config_file: a.toml\n" };
        let inline = if case.inline.is_empty() { String::new() } else { format!("{INLINE}{}", case.inline) };
        let found = lines(&zoo.resolve(&format!("{inline}{file}"), &[]).diagnostics);
        let same = found.len() == case.expected.len()
            && found.iter().zip(case.expected).all(|(found, expected)| match expected.strip_suffix('*') {
                Some(start) => found.starts_with(start),
                None => found == expected,
            });
        if !same {
            failures.push(format!("{}{}\n  expected {:#?}\n  found {found:#?}", case.inline, case.toml, case.expected));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_is_refused_is_not_in_the_configuration_and_the_rest_is() {
    let zoo = Zoo::new(Device::default(), &[]);
    let resolution = zoo.resolve("compilation_config:\n  tiling_depth: none\n  use_sysdma: true\n", &[]);
    assert_eq!(super::traced(&resolution.config, "tiling_depth"), "1 default");
    assert_eq!(super::traced(&resolution.config, "use_sysdma"), "true inline > false default");
}

#[test]
fn unknown_keys_are_kept_and_enter_the_keys_of_both_steps() {
    use crate::properties::Influence;
    let zoo = Zoo::new(Device::default(), &[]);
    let card = "compilation_config:\n  new_thing: 3\n  backend_config:\n    subdevices: [0]\n    nested: {a: 0.5}\n";
    let config = zoo.resolve(card, &[]).config;
    let kept: Vec<&str> = config.extra().keys().map(String::as_str).collect();
    assert_eq!(kept, ["backend_config.nested.a", "backend_config.subdevices", "new_thing"]);
    let quantize = config.influences(Influence::Quantize);
    let lower = config.influences(Influence::Lower);
    assert_eq!(quantize.get("new_thing").map(String::as_str), Some("3"));
    assert_eq!(lower.get("backend_config.nested.a").map(String::as_str), Some("f64:3fe0000000000000"));
    assert!(!quantize.contains_key("backend_config.subdevices"));
}

#[test]
fn hostile_files_are_refused_in_bounded_time() {
    let deep = format!("a = {}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let tables = format!("[{}a]\nb = 1\n", "a.".repeat(50_000));
    let long_key = format!("{} = 1\n", "k".repeat(1 << 19));
    let many: String = (0..40_000).map(|index| format!("k{index} = 1\n")).collect::<Vec<_>>().concat();
    let large = "#".repeat((1 << 20) + 1);
    for text in [deep, tables, long_key, many, large] {
        let zoo = Zoo::new(Device::default(), &[("cards/a.toml", &text)]);
        let resolution = zoo.resolve("compiler_config_file: a.toml\n", &[]);
        assert!(!resolution.diagnostics.is_empty(), "{}", text.chars().take(40).collect::<String>());
    }
}

#[test]
fn allowed_keys_pass_the_near_miss_rule() {
    let mut zoo = Zoo::new(Device::default(), &[]);
    zoo.resolver.allow_keys = vec!["tiling_depths".to_owned()];
    let found = lines(&zoo.resolve("compilation_config:\n  tiling_depths: 6\n", &[]).diagnostics);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("warning config/unknown-key"), "{found:?}");
}

#[test]
fn a_boards_block_names_what_it_drops() {
    let zoo = Zoo::new(Device::whole(Board::M2), &[]);
    let card = "compilation_config:\n  tiling_depth: 6\n  use_sysdma: true\n  ptq_scheme: per_tensor_min_max\n\
                m2:\n  compilation_config:\n    tiling_depth: 3\n";
    assert_eq!(
        lines(&zoo.resolve(card, &[]).diagnostics),
        ["warning config/board-drops 2:3: the `compilation_config` of `m2` takes the place of this one, which drops \
             `quantization_scheme`, `use_sysdma`"]
    );
}

#[test]
fn the_command_line_is_checked_like_a_file() {
    let zoo = Zoo::new(Device::default(), &[]);
    let set = [("tiling_dpeth", "6"), ("tiling_depth", "zero"), ("aipu_cores", "2")];
    assert_eq!(
        lines(&zoo.resolve("{}", &set).diagnostics),
        [
            "error config/unknown-key 1:1: there is no property `tiling_dpeth`",
            "error config/type 1:14: `tiling_depth` takes an integer of at least 1, found text `zero`",
            "note config/old-name 1:1: `aipu_cores` is another name of `aipu_cores_used`",
        ]
    );
}
