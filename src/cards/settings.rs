//! `extra_kwargs` of a model: what axzoo uses of it.

use std::collections::BTreeMap;

use super::Spanned;
use super::fields::Fields;
use super::task::Operator;
use super::task::operators;
use crate::yaml::Node;

/// The boards that a block of `extra_kwargs` may be named after.
pub const BOARDS: [&str; 3] = ["pcie", "m2", "europa"];

/// The settings of `extra_kwargs` that a board block may replace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BoardSettings {
    /// `aipu_cores`.
    pub aipu_cores: Option<Spanned<u32>>,
    /// `max_compiler_cores`.
    pub max_compiler_cores: Option<Spanned<u32>>,
    /// `max_execution_cores`.
    pub max_execution_cores: Option<Spanned<u32>>,
    /// `low_latency`.
    pub low_latency: Option<Spanned<bool>>,
    /// `compiler_config_file`, as written.
    pub compiler_config_file: Option<Spanned<String>>,
    /// `compilation_config`, a mapping.
    pub compilation_config: Option<Node>,
    /// `clock_profile`.
    pub clock_profile: Option<Node>,
    /// `mvm_limitation`.
    pub mvm_limitation: Option<Node>,
}

/// `extra_kwargs.axzoo`: what only axzoo reads.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AxzooSettings {
    /// Preprocess operators for a card whose pipeline and template have none.
    pub preprocess: Vec<Operator>,
    /// The SQNR in dB that the quantized model must reach.
    pub min_sqnr_db: Option<Spanned<f64>>,
    /// The share of images, 0 to 1, whose top class must be that of the float model.
    pub min_top1_agreement: Option<Spanned<f64>>,
}

/// `extra_kwargs` of one model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExtraSettings {
    /// `aipu_cores`.
    pub aipu_cores: Option<Spanned<u32>>,
    /// `max_compiler_cores`.
    pub max_compiler_cores: Option<Spanned<u32>>,
    /// `max_execution_cores`.
    pub max_execution_cores: Option<Spanned<u32>>,
    /// `low_latency`.
    pub low_latency: Option<Spanned<bool>>,
    /// `compiler_config_file`, as written.
    pub compiler_config_file: Option<Spanned<String>>,
    /// `compilation_config`, a mapping.
    pub compilation_config: Option<Node>,
    /// `clock_profile`.
    pub clock_profile: Option<Node>,
    /// `mvm_limitation`.
    pub mvm_limitation: Option<Node>,
    /// The blocks named after a board: `pcie`, `m2`, `europa`.
    pub boards: BTreeMap<&'static str, BoardSettings>,
    /// `cal_seed`: shuffles the calibration images.
    pub cal_seed: Option<Spanned<u64>>,
    /// `num_cal_images`.
    pub num_cal_images: Option<Spanned<u32>>,
    /// `axzoo`.
    pub axzoo: AxzooSettings,
}

impl BoardSettings {
    fn read(fields: &mut Fields<'_>, node: &Node) -> Self {
        Self {
            aipu_cores: fields.count(node, "aipu_cores", 1),
            max_compiler_cores: fields.count(node, "max_compiler_cores", 1),
            max_execution_cores: fields.count(node, "max_execution_cores", 1),
            low_latency: fields.flag(node, "low_latency"),
            compiler_config_file: fields.text(node, "compiler_config_file"),
            compilation_config: fields.mapping(node, "compilation_config").cloned(),
            clock_profile: Fields::value(node, "clock_profile").cloned(),
            mvm_limitation: Fields::value(node, "mvm_limitation").cloned(),
        }
    }
}

impl ExtraSettings {
    /// What the runtime is to know of a board: `clock_profile` or `mvm_limitation`, the board's block first (SPEC 4).
    #[must_use]
    pub fn for_board(&self, board: &str, key: &str) -> Option<&Node> {
        let block = self.boards.get(board);
        let (of_block, general) = match key {
            "clock_profile" => (block.and_then(|block| block.clock_profile.as_ref()), &self.clock_profile),
            "mvm_limitation" => (block.and_then(|block| block.mvm_limitation.as_ref()), &self.mvm_limitation),
            _ => return None,
        };
        of_block.or(general.as_ref())
    }

    pub(super) fn read(fields: &mut Fields<'_>, model: &Node) -> Self {
        let Some(node) = fields.mapping(model, "extra_kwargs") else { return Self::default() };
        let general = BoardSettings::read(fields, node);
        let mut boards = BTreeMap::new();
        for board in BOARDS {
            if let Some(block) = fields.mapping(node, board) {
                boards.insert(board, BoardSettings::read(fields, block));
            }
        }
        Self {
            aipu_cores: general.aipu_cores,
            max_compiler_cores: general.max_compiler_cores,
            max_execution_cores: general.max_execution_cores,
            low_latency: general.low_latency,
            compiler_config_file: general.compiler_config_file,
            compilation_config: general.compilation_config,
            clock_profile: general.clock_profile,
            mvm_limitation: general.mvm_limitation,
            boards,
            cal_seed: seed(fields, node),
            num_cal_images: fields.count(node, "num_cal_images", 1),
            axzoo: AxzooSettings::read(fields, node),
        }
    }
}

fn seed(fields: &mut Fields<'_>, node: &Node) -> Option<Spanned<u64>> {
    let value = Fields::value(node, "cal_seed")?;
    let seed = value.as_int().and_then(|seed| u64::try_from(seed).ok());
    if seed.is_none() {
        fields.wrong_type("cal_seed", value, "a whole number of at least 0");
    }
    seed.map(|seed| Spanned::new(seed, value.span))
}

impl AxzooSettings {
    fn read(fields: &mut Fields<'_>, extra: &Node) -> Self {
        let Some(node) = fields.mapping(extra, "axzoo") else { return Self::default() };
        let agreement = fields.number(node, "min_top1_agreement");
        if let Some(agreement) = &agreement
            && !(0.0..=1.0).contains(&agreement.value)
        {
            let message = format!("`min_top1_agreement`: expected a share from 0 to 1, found {}", agreement.value);
            let percent = (1.0..=100.0).contains(&agreement.value);
            let hint = percent.then(|| format!("for {} % write `{}`", agreement.value, agreement.value / 100.0));
            fields.error("card/value", agreement.span, message, hint.as_deref());
        }
        Self {
            preprocess: operators(fields, node, "preprocess"),
            min_sqnr_db: fields.number(node, "min_sqnr_db"),
            min_top1_agreement: agreement,
        }
    }
}
