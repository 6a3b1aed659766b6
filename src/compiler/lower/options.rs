//! What lowering is told, what follows from it before any file is written, and what of it changes nothing.

use std::borrow::Cow;

use crate::base::CancelToken;
use crate::base::Share;
use crate::compiler::error::StageError;
use crate::compiler::legalize::LegalizeOptions;
use crate::compiler::legalize::Legalized;
use crate::compiler::legalize::legalize;
use crate::compiler::memory;
use crate::compiler::memory::MemoryOptions;
use crate::compiler::memory::MemoryPlan;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::schedule;
use crate::compiler::schedule::Estimate;
use crate::compiler::schedule::IgnoredProperty;
use crate::compiler::schedule::ScheduleOptions;
use crate::properties;
use crate::properties::CompilerConfig;
use crate::properties::Influence;
use crate::properties::Value;

/// What lowering is told.
#[derive(Debug, Clone, PartialEq)]
pub struct LowerOptions {
    /// Which rewrites bring the graph into the device's forms.
    pub legalize: LegalizeOptions,
    /// How much memory there is, and how it is used; cores and the share of the device are in its budget.
    pub memory: MemoryOptions,
    /// How the time is estimated.
    pub schedule: ScheduleOptions,
    /// What was set and has no effect on any model.
    pub ignored: Vec<IgnoredProperty>,
    /// Each other property that was set, with what lowering would be told without it.
    pub without: Vec<Without>,
}

/// One property that was set, and the options that there would be with its default.
#[derive(Debug, Clone, PartialEq)]
pub struct Without {
    property: &'static str,
    value: Value,
    default: Value,
    options: Box<LowerOptions>,
}

impl LowerOptions {
    /// As a configuration says.
    #[must_use]
    pub fn of(config: &CompilerConfig) -> Self {
        let (mut ignored, mut without) = (Vec::new(), Vec::new());
        for row in properties::all().iter().filter(|row| row.influences == Influence::Lower) {
            let Some(value) = config.get(row.name).filter(|value| *value != row.default) else { continue };
            if let Some(why) = row.without_effect(&value) {
                ignored.push(IgnoredProperty { property: row.name, value: value.to_json(), why: Cow::Borrowed(why) });
                continue;
            }
            let mut other = config.clone();
            if other.set(row.name, &row.default).is_ok() {
                let (default, options) = (row.default.clone(), Box::new(Self::told(&other)));
                without.push(Without { property: row.name, value, default, options });
            }
        }
        Self { ignored, without, ..Self::told(config) }
    }

    fn told(config: &CompilerConfig) -> Self {
        Self {
            legalize: LegalizeOptions::of(config),
            memory: MemoryOptions::of(config),
            schedule: ScheduleOptions::of(config),
            ignored: Vec::new(),
            without: Vec::new(),
        }
    }

    /// The documented defaults with so many cores and this share of the device.
    #[must_use]
    pub fn new(cores: u32, resources: Share) -> Self {
        Self::of(&CompilerConfig { aipu_cores_used: cores, resources_used: resources, ..CompilerConfig::default() })
    }
}

/// A model before its files are written: all that depends on the options.
#[derive(Debug)]
pub(super) struct Prepared {
    /// As the C code has it.
    pub(super) simplified: Legalized,
    /// As the device has it.
    pub(super) device: Legalized,
    pub(super) plan: MemoryPlan,
    pub(super) estimate: Estimate,
}

impl Prepared {
    pub(super) fn of(graph: &QuantizedGraph, options: &LowerOptions, cancel: &CancelToken) -> Result<Self, StageError> {
        let simplified = legalize(graph.clone(), &options.legalize.for_any_program(), cancel)?;
        // The device's own forms are for plan and estimate: a processor joins and multiplies as it is, to the same bits.
        let device = legalize(simplified.graph.clone(), &options.legalize, cancel)?;
        let plan = memory::plan(&device.graph, &options.memory, cancel)?;
        let estimate = schedule::estimate(&device.graph, &plan, &options.schedule);
        Ok(Self { simplified, device, plan, estimate })
    }

    /// Properties that were set and without which everything would be the same for this model.
    pub(super) fn without_effect(
        &self,
        graph: &QuantizedGraph,
        options: &LowerOptions,
        cancel: &CancelToken,
    ) -> Vec<IgnoredProperty> {
        let mut found = Vec::new();
        for it in &options.without {
            let why = if self.is_same_with(graph, options, &it.options, cancel) {
                format!("this model comes out the same with the default, {}", it.default.to_json())
            } else if let Some(made) = self.plan.stopped_after.filter(|_| it.property == "max_memplan_attempts") {
                format!("{made} attempts were made, which is the most for a model of this size")
            } else {
                continue;
            };
            found.push(IgnoredProperty { property: it.property, value: it.value.to_json(), why: Cow::Owned(why) });
        }
        found
    }

    /// Whether other options come to the same files. Only what they say otherwise is done again.
    fn is_same_with(
        &self,
        graph: &QuantizedGraph,
        options: &LowerOptions,
        other: &LowerOptions,
        cancel: &CancelToken,
    ) -> bool {
        let told = |options: &LowerOptions| (options.memory.budget.cores, options.memory.budget.resources);
        if told(options) != told(other) || cancel.is_cancelled() {
            return false;
        }
        if options.legalize != other.legalize {
            return Self::of(graph, other, cancel).is_ok_and(|found| {
                let graphs = [&found.simplified, &found.device] == [&self.simplified, &self.device];
                let plan = MemoryPlan { stopped_after: self.plan.stopped_after, ..found.plan };
                graphs && plan == self.plan && found.estimate == self.estimate
            });
        }
        let device = &self.device.graph;
        if options.memory == other.memory {
            return options.schedule == other.schedule
                || schedule::estimate(device, &self.plan, &other.schedule) == self.estimate;
        }
        memory::plan(device, &other.memory, cancel)
            .is_ok_and(|plan| plan == self.plan && schedule::estimate(device, &plan, &other.schedule) == self.estimate)
    }
}
