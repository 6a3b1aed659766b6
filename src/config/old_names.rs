//! The sections of SDK 1.2, and what became of their settings.
//!
//! Renamed settings are in the property table (`old_names`); here are the sections, the settings without a successor, and
//! the few whose values changed too. Source: the vendor's 1.2 deploy tool, which sets and accepts exactly these keys.

use crate::properties;
use crate::properties::Influence;
use crate::properties::Property;
use crate::properties::Value;

/// A section that `compilation_config` was divided into.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    /// The step that its settings belong to: where those without a successor count.
    pub(super) influences: Influence,
    /// Settings that today's configuration no longer has.
    pub(super) gone: &'static [&'static str],
}

/// The sections, and as the last one the flat form, whose settings without a successor have the same names.
pub(super) const SECTIONS: [Section; 5] = [
    Section { name: "quantization_config", influences: Influence::Quantize, gone: &["quantizer_version"] },
    Section { name: "frontend_config", influences: Influence::Lower, gone: &[] },
    Section {
        name: "backend_config",
        influences: Influence::Lower,
        gone: &[
            "generation",
            "host_arch",
            "host_os",
            "single_op_network_aicore_start_idx",
            "single_op_network_double_buffer",
            "single_op_network_use_ddr",
            "subdevices",
            "target",
        ],
    },
    Section { name: "control_flow_config", influences: Influence::Nothing, gone: &[] },
    Section { name: "profiling_config", influences: Influence::Nothing, gone: &["enabled_profiling_levels"] },
];

/// The section of a name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// Whether SDK 1.2 knew this setting, which has no successor.
pub(super) fn is_gone(key: &str) -> bool {
    SECTIONS.iter().any(|section| section.gone.contains(&key))
}

/// Keys that stand beside `compilation_config` in a card, not in it.
pub(super) const BESIDE: [&str; 7] = [
    "max_compiler_cores",
    "max_execution_cores",
    "compiler_config_file",
    "clock_profile",
    "mvm_limitation",
    "num_cal_images",
    "cal_seed",
];

/// The switch of SDK 1.2 that `compiler_mode` has taken in.
pub(super) const QUANTIZE_ONLY: &str = "quantize_only";

/// The memories as SDK 1.2 named them: today `global.` stands before each.
pub(super) const POOLS: [&str; 3] = ["ddr", "l2", "l1"];

/// Whether an old name is one of the settings whose values are memories.
pub(super) fn is_pool(old_name: &str) -> bool {
    old_name.ends_with("_pool")
}

/// Today's property for a key that is not today's name, and what a value of then is today. The value comes back changed
/// only where its words changed: `io_pool: ddr` is `io_memory_pool: global.ddr`.
pub(super) fn successor(key: &str, value: Option<Value>) -> Option<(&'static Property, Option<Value>)> {
    if key == QUANTIZE_ONLY {
        let mode = properties::find("compiler_mode")?;
        return Some((
            mode,
            value.map(|value| match value {
                Value::Bool(true) => Value::Text("quantize_only".to_owned()),
                Value::Bool(false) => Value::Text("quantize_and_lower".to_owned()),
                other => other,
            }),
        ));
    }
    let property = properties::old_name_of(key)?;
    let value = value.map(|value| match value {
        Value::Text(pool) if is_pool(key) && POOLS.contains(&pool.as_str()) => Value::Text(format!("global.{pool}")),
        other => other,
    });
    Some((property, value))
}
