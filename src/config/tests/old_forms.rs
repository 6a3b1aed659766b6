//! Names and sections of SDK 1.2 and of the Python interface, in every layer.

use super::super::Device;
use super::Zoo;
use super::lines;
use super::traced;

/// An old name, the value it is written with, and what that is today.
struct Old {
    name: &'static str,
    written: &'static str,
    today: &'static str,
    value: &'static str,
}

const OLD: &[Old] = &[
    Old { name: "aipu_cores", written: "3", today: "aipu_cores_used", value: "3" },
    Old { name: "resources", written: "0.5", today: "resources_used", value: "0.5" },
    Old {
        name: "ptq_scheme",
        written: "\"per_tensor_min_max\"",
        today: "quantization_scheme",
        value: "per_tensor_min_max",
    },
    Old {
        name: "remove_quantization_of_inputs_outputs_from_graph",
        written: "true",
        today: "remove_io_quantization",
        value: "true",
    },
    Old {
        name: "remove_padding_and_layout_transform_of_inputs_outputs",
        written: "false",
        today: "remove_io_padding_and_layout_transform",
        value: "false",
    },
    Old { name: "async_pipeline_spatial_tiles", written: "false", today: "pipeline_spatial_tiles", value: "false" },
    Old { name: "async_pipeline_channel_tiles", written: "false", today: "pipeline_channel_tiles", value: "false" },
    Old { name: "async_inter_operator", written: "false", today: "inter_operator_async", value: "false" },
    Old { name: "io_pool", written: "\"ddr\"", today: "io_memory_pool", value: "global.ddr" },
    Old { name: "io_pool", written: "\"global.l1\"", today: "io_memory_pool", value: "global.l1" },
    Old { name: "constant_pool", written: "\"l2\"", today: "constant_memory_pool", value: "global.l2" },
    Old { name: "workspace_pool", written: "\"l1\"", today: "workspace_memory_pool", value: "global.l1" },
    Old { name: "in_core_replication", written: "false", today: "enable_icr", value: "false" },
    Old {
        name: "l2_reserved_nbytes_tasklist",
        written: "2097152",
        today: "l2_size_reserved_tasklist",
        value: "2097152",
    },
    Old { name: "quantize_only", written: "true", today: "compiler_mode", value: "quantize_only" },
    Old { name: "quantize_only", written: "false", today: "compiler_mode", value: "quantize_and_lower" },
];

#[test]
fn every_old_name_is_tried() {
    for property in crate::properties::all() {
        for old in property.old_names {
            let tried = OLD.iter().any(|case| case.name == *old && case.today == property.name);
            assert!(tried, "`{old}` is in the table but not in these cases");
        }
    }
}

/// Card, TOML, `--set`, the layer, and the note.
type Place<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn old_names_are_read_as_todays_wherever_they_stand() {
    let mut failures = Vec::new();
    for Old { name, written, today, value } in OLD {
        let toml = format!("{name} = {written}\n");
        let section = format!("[backend_config]\n{toml}");
        let inline = format!("compilation_config:\n  {name}: {written}\n");
        let nested = format!("compilation_config:\n  backend_config:\n    {name}: {written}\n");
        let file = "compiler_config_file: a.toml\n";
        let dotted = format!("backend_config.{name}");
        let places: [Place<'_>; 6] = [
            (&inline, "", &[], "inline", "config/old-name 2:3"),
            (&nested, "", &[], "inline", "config/old-section 2:3"),
            (file, &toml, &[], "toml", "config/old-name 1:1"),
            (file, &section, &[], "toml", "config/old-section 1:2"),
            ("{}", "", &[(name, written)], "set", "config/old-name 1:1"),
            ("{}", "", &[(&dotted, written)], "set", "config/old-"),
        ];
        for (card, toml, set, layer, note) in places {
            let zoo = Zoo::new(Device::default(), &[("cards/a.toml", toml)]);
            let resolution = zoo.resolve(card, set);
            let found = traced(&resolution.config, today);
            let expected = format!("{value} {layer} > ");
            let said = lines(&resolution.diagnostics);
            let is_noted = matches!(said.as_slice(), [line] if line.starts_with(&format!("note {note}")));
            if !found.starts_with(&expected) || !is_noted {
                failures.push(format!("{name} in {card}{toml}{set:?}: {found}, {said:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn both_names_in_one_layer_must_agree_and_in_two_the_stronger_wins() {
    let zoo = Zoo::new(Device::default(), &[("cards/a.toml", "ptq_scheme = \"per_tensor_min_max\"\n")]);
    let resolution = zoo.resolve("compilation_config:\n  io_pool: l2\n  io_memory_pool: global.l2\n", &[]);
    assert_eq!(traced(&resolution.config, "io_memory_pool"), "global.l2 inline > global.ddr default");
    assert!(lines(&resolution.diagnostics).iter().all(|line| line.starts_with("note")));

    let resolution = zoo.resolve("compilation_config:\n  io_pool: l1\n  io_memory_pool: global.l2\n", &[]);
    let said = lines(&resolution.diagnostics);
    assert!(
        said.contains(
            &"error config/said-twice 3:19: `io_memory_pool` is said twice: global.l1 as `io_pool` in line 2, \
              global.l2 as `io_memory_pool` here"
                .to_owned()
        ),
        "{said:#?}"
    );

    let card = "compiler_config_file: a.toml\ncompilation_config:\n  quantization_scheme: per_tensor_histogram\n";
    let resolution = zoo.resolve(card, &[("ptq_scheme", "per_tensor_min_max")]);
    assert_eq!(
        traced(&resolution.config, "quantization_scheme"),
        "per_tensor_min_max set > per_tensor_histogram inline > per_tensor_min_max toml > per_tensor_histogram default"
    );
}

#[test]
fn what_has_no_successor_is_kept_reported_and_passed_on() {
    let toml = "[backend_config]\nsubdevices = [0, 1]\n\n[quantization_config]\nquantizer_version = 1\n";
    let zoo = Zoo::new(Device::default(), &[("cards/a.toml", toml)]);
    let resolution = zoo.resolve("compiler_config_file: a.toml\n", &[("subdevices", "[2]")]);
    let kept: Vec<&str> = resolution.config.extra().keys().map(String::as_str).collect();
    assert_eq!(kept, ["backend_config.subdevices", "quantization_config.quantizer_version", "subdevices"]);
    let said = lines(&resolution.diagnostics);
    assert_eq!(said.iter().filter(|line| line.starts_with("warning config/no-successor")).count(), 3, "{said:#?}");
    let file = resolution.config.to_toml();
    assert!(file.contains("[backend_config]\nsubdevices = [0, 1]"), "{file}");
}
