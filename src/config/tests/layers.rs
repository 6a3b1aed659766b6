//! Which layer wins, and what it hides.

use super::super::Board;
use super::super::Device;
use super::Zoo;
use super::lines;
use super::traced;

struct Case {
    name: &'static str,
    board: Board,
    card: &'static str,
    set: &'static [(&'static str, &'static str)],
    /// Property, and its value with layers.
    expected: &'static [(&'static str, &'static str)],
}

const BASE_TOML: &str = "tiling_depth = 2\nresources_used = 0.25\naipu_cores_used = 1\nmax_memplan_attempts = 9\n";
const OTHER_TOML: &str = "tiling_depth = 7\n";

const CASES: &[Case] = &[
    Case {
        name: "a plain card keeps the documented defaults",
        board: Board::Pcie,
        card: "num_cal_images: 100",
        set: &[],
        expected: &[
            ("aipu_cores_used", "1 default"),
            ("resources_used", "1.0 default"),
            ("multicore_mode", "multiprocess default"),
        ],
    },
    Case {
        name: "core settings of the card",
        board: Board::Pcie,
        card: "max_compiler_cores: 4",
        set: &[],
        expected: &[
            ("aipu_cores_used", "4 cores > 1 default"),
            ("resources_used", "1.0 cores > 1.0 default"),
            ("multicore_mode", "batch cores > multiprocess default"),
        ],
    },
    Case {
        name: "on Europa a core is an eighth",
        board: Board::Europa,
        card: "aipu_cores: 3\nmax_compiler_cores: 8",
        set: &[],
        expected: &[("aipu_cores_used", "3 cores > 1 default"), ("resources_used", "0.375 cores > 1.0 default")],
    },
    Case {
        name: "all of them",
        board: Board::Pcie,
        card: "aipu_cores: 2\ncompiler_config_file: base.toml\ncompilation_config:\n  resources_used: 0.5\n  tiling_depth: 6\n",
        set: &[("tiling_depth", "8"), ("tiling_depth", "9")],
        expected: &[
            ("aipu_cores_used", "1 toml > 1 cores > 1 default"),
            ("resources_used", "0.5 inline > 0.25 toml > 0.25 cores > 1.0 default"),
            ("tiling_depth", "9 set > 8 set > 6 inline > 2 toml > 1 default"),
            ("max_memplan_attempts", "9 toml > 5 default"),
        ],
    },
    Case {
        name: "a board's block takes the place of the inline block, not of the file",
        board: Board::M2,
        card: "compiler_config_file: base.toml\ncompilation_config:\n  tiling_depth: 6\nm2:\n  compilation_config:\n    tiling_depth: 3\n",
        set: &[],
        expected: &[("tiling_depth", "3 board > 2 toml > 1 default"), ("max_memplan_attempts", "9 toml > 5 default")],
    },
    Case {
        name: "a board's file takes the place of the file, under the inline block",
        board: Board::M2,
        card: "compiler_config_file: base.toml\ncompilation_config:\n  tiling_depth: 6\nm2:\n  compiler_config_file: other.toml\n",
        set: &[],
        expected: &[("tiling_depth", "6 inline > 7 board > 1 default"), ("max_memplan_attempts", "5 default")],
    },
    Case {
        name: "the block of another board does not matter",
        board: Board::Pcie,
        card: "compilation_config:\n  tiling_depth: 6\nm2:\n  aipu_cores: 1\n  compilation_config:\n    tiling_depth: 3\n",
        set: &[],
        expected: &[("tiling_depth", "6 inline > 1 default"), ("aipu_cores_used", "1 default")],
    },
    Case {
        name: "a board's core settings lie over the general ones one by one",
        board: Board::M2,
        card: "aipu_cores: 4\nmax_compiler_cores: 4\nm2:\n  aipu_cores: 2\n",
        set: &[],
        expected: &[("aipu_cores_used", "2 cores > 1 default")],
    },
    Case {
        name: "an inline null unsets",
        board: Board::Pcie,
        card: "compiler_config_file: nulls.toml\ncompilation_config:\n  dfs_search_constraint: null\n",
        set: &[],
        expected: &[("dfs_search_constraint", "null inline > 1 toml > null default")],
    },
    Case {
        name: "values on the command line need no quotes",
        board: Board::Pcie,
        card: "{}",
        set: &[
            ("ptq_scheme", "per_tensor_min_max"),
            ("model_name", "1e5"),
            ("profiling_levels", "[B,\"[PB]\"]"),
            ("use_sysdma", "true"),
            ("mvm_utilization_limit", "5e-1"),
            ("l1_constraint", "0x100"),
        ],
        expected: &[
            ("quantization_scheme", "per_tensor_min_max set > per_tensor_histogram default"),
            ("model_name", "\"1e5\" set > \"\" default"),
            ("profiling_levels", "[\"B\", \"PB\"] set > [] default"),
            ("use_sysdma", "true set > false default"),
            ("mvm_utilization_limit", "0.5 set > 1.0 default"),
            ("l1_constraint", "256 set > null default"),
        ],
    },
];

#[test]
fn the_stronger_layer_wins_and_hides_the_weaker() {
    let files = [
        ("cards/base.toml", BASE_TOML),
        ("configs/other.toml", OTHER_TOML),
        ("cards/nulls.toml", "dfs_search_constraint = 1\n"),
    ];
    let mut failures = Vec::new();
    for case in CASES {
        let zoo = Zoo::new(Device::whole(case.board), &files);
        let resolution = zoo.resolve(case.card, case.set);
        for (property, expected) in case.expected {
            let found = traced(&resolution.config, property);
            if found != *expected {
                failures.push(format!("{}: {property}: expected {expected}, found {found}", case.name));
            }
        }
        let errors: Vec<String> =
            lines(&resolution.diagnostics).into_iter().filter(|line| line.starts_with("error")).collect();
        if !errors.is_empty() {
            failures.push(format!("{}: {errors:?}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_value_knows_its_file_and_line() {
    let zoo = Zoo::new(Device::default(), &[("configs/a.toml", "# a comment\ntiling_depth = 2\n")]);
    let resolution = zoo.resolve(
        "aipu_cores: 2\ncompiler_config_file: a.toml\ncompilation_config:\n  io_memory_pool: global.l2\n",
        &[("use_sysdma", "true")],
    );
    let origin = |name: &str| resolution.config.get(name).expect("there").origin.to_string();
    assert_eq!(origin("aipu_cores_used"), "cores card.yaml:1:13");
    assert_eq!(origin("tiling_depth"), "toml configs/a.toml:2:16");
    assert_eq!(origin("io_memory_pool"), "inline card.yaml:4:19");
    assert_eq!(origin("use_sysdma"), "set (--set use_sysdma=true)");
    assert_eq!(origin("elf_in_ddr"), "default");
    assert_eq!(resolution.files, [zoo.folder.path().join("configs/a.toml")]);
}

#[test]
fn the_flag_stands_in_for_the_cards_cores() {
    use super::super::Request;
    use super::CardText;
    let zoo = Zoo::new(Device::default(), &[]);
    let card = CardText::new("max_compiler_cores: 4");
    let request = card.request(&zoo.resolver, zoo.folder.path().to_owned());
    let resolution = zoo.resolver.resolve(&Request { aipu_cores_flag: Some(2), ..request });
    assert_eq!(traced(&resolution.config, "aipu_cores_used"), "2 cores > 1 default");
    assert_eq!(traced(&resolution.config, "resources_used"), "0.5 cores > 1.0 default");
}

#[test]
fn the_typed_configuration_holds_the_winners() {
    let zoo = Zoo::new(Device::default(), &[]);
    let card =
        "compilation_config:\n  aipu_cores_used: 4\n  resources_used: 0.5\n  quantization_scheme: per_tensor_min_max\n";
    let config = zoo.resolve(card, &[]).config.effective();
    assert_eq!(config.aipu_cores_used, 4);
    assert_eq!(config.resources_used, crate::base::Share::eighths(4));
    assert_eq!(config.quantization_scheme, crate::properties::QuantizationScheme::PerTensorMinMax);
}
