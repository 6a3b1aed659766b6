//! What a card says about cores outside its compiler configuration, and how many cores follow from it (SPEC 5).
//!
//! This comes before the layers are merged, because the `cores` layer is made from it.

use crate::diag::Place;

use super::board::Device;

/// `aipu_cores`, `max_compiler_cores`, `max_execution_cores` and `low_latency` of a model's `extra_kwargs`, each where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreSettings {
    /// How many cores the model is wanted on.
    pub aipu_cores: Option<(u32, Place)>,
    /// The most cores to compile for.
    pub max_compiler_cores: Option<(u32, Place)>,
    /// The most cores to run on.
    pub max_execution_cores: Option<(u32, Place)>,
    /// `low_latency`: whether to compile for one core, whatever the other settings say (voyager-semantics 3.4).
    pub low_latency: Option<(bool, Place)>,
}

/// How many cores to compile for, and which setting decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployCores {
    /// min(desired, the most to compile for, the most to run on), at least 1.
    pub cores: u32,
    /// The setting that decided, where it stands in a card.
    pub place: Option<Place>,
}

impl CoreSettings {
    /// These settings with those of a board's block over them, one by one.
    #[must_use]
    pub fn overlaid_by(&self, board: &Self) -> Self {
        Self {
            aipu_cores: board.aipu_cores.clone().or_else(|| self.aipu_cores.clone()),
            max_compiler_cores: board.max_compiler_cores.clone().or_else(|| self.max_compiler_cores.clone()),
            max_execution_cores: board.max_execution_cores.clone().or_else(|| self.max_execution_cores.clone()),
            low_latency: board.low_latency.clone().or_else(|| self.low_latency.clone()),
        }
    }

    /// The most cores to run on: `max_execution_cores`, else the device's.
    #[must_use]
    pub fn most_execution_cores(&self, device: Device) -> u32 {
        self.max_execution_cores.as_ref().map_or(device.cores, |(cores, _)| *cores).max(1)
    }

    /// Whether `low_latency` is true.
    #[must_use]
    pub fn is_low_latency(&self) -> bool {
        self.low_latency.as_ref().is_some_and(|(is_low, _)| *is_low)
    }

    /// `aipu_cores`, else the command line's `--aipu-cores`.
    #[must_use]
    pub fn wanted_cores(&self, flag: Option<u32>) -> Option<u32> {
        self.aipu_cores.as_ref().map(|(cores, _)| *cores).or(flag)
    }

    /// Whether there is a `cores` layer: only where the card says `aipu_cores` or `max_compiler_cores`, or the command
    /// line `--aipu-cores`.
    #[must_use]
    pub fn has_layer(&self, flag: Option<u32>) -> bool {
        self.aipu_cores.is_some() || self.max_compiler_cores.is_some() || flag.is_some()
    }

    /// The deploy cores. `flag` is `--aipu-cores`; `most_compiler_cores` stands in for an absent `max_compiler_cores`
    /// (`AXELERA_MAX_COMPILER_CORES`, else 1).
    #[must_use]
    pub fn deploy_cores(&self, flag: Option<u32>, most_compiler_cores: u32, device: Device) -> DeployCores {
        let of = |setting: &Option<(u32, Place)>, otherwise: u32| match setting {
            Some((cores, place)) => (*cores, Some(place.clone())),
            None => (otherwise, None),
        };
        let desired = of(&self.aipu_cores, flag.unwrap_or(device.cores));
        let compiler = match &self.low_latency {
            Some((true, place)) => (1, Some(place.clone())),
            _ => of(&self.max_compiler_cores, most_compiler_cores),
        };
        let execution = of(&self.max_execution_cores, device.cores);
        let cores = desired.0.min(compiler.0).min(execution.0);
        // Of several settings that allow the same number the first that the card says is the one to point at.
        let said = [&desired, &compiler, &execution].into_iter().filter(|setting| setting.1.is_some());
        let place = said.clone().find(|setting| setting.0 == cores).or_else(|| said.clone().next());
        DeployCores { cores: cores.max(1), place: place.and_then(|setting| setting.1.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::board::Board;
    use super::*;
    use crate::diag::Source;
    use crate::diag::Span;

    #[test]
    fn deploy_cores_are_the_smallest_of_three() {
        struct Case {
            card: [Option<u32>; 3],
            low_latency: bool,
            flag: Option<u32>,
            board: Board,
            expected: u32,
        }
        let cases = [
            Case { card: [None, None, None], low_latency: false, flag: None, board: Board::Pcie, expected: 1 },
            Case { card: [None, Some(4), None], low_latency: false, flag: None, board: Board::Pcie, expected: 4 },
            Case { card: [None, Some(8), None], low_latency: false, flag: None, board: Board::Pcie, expected: 4 },
            Case { card: [None, Some(8), None], low_latency: false, flag: None, board: Board::Europa, expected: 8 },
            Case { card: [Some(3), None, None], low_latency: false, flag: None, board: Board::Pcie, expected: 1 },
            Case { card: [Some(3), Some(4), None], low_latency: false, flag: Some(2), board: Board::Pcie, expected: 3 },
            Case { card: [None, Some(4), None], low_latency: false, flag: Some(2), board: Board::Pcie, expected: 2 },
            Case { card: [Some(4), Some(4), Some(2)], low_latency: false, flag: None, board: Board::M2, expected: 2 },
            Case { card: [Some(3), Some(4), None], low_latency: true, flag: None, board: Board::Pcie, expected: 1 },
            Case { card: [Some(0), None, None], low_latency: false, flag: None, board: Board::M2, expected: 1 },
        ];
        let source = Source::new("card.yaml", "abc");
        let at = |value: Option<u32>| value.map(|value| (value, Place::new(&source, Span::new(0, 1))));
        for case in cases {
            let low_latency = case.low_latency.then(|| (true, Place::new(&source, Span::new(1, 2))));
            let settings = CoreSettings {
                aipu_cores: at(case.card[0]),
                max_compiler_cores: at(case.card[1]),
                max_execution_cores: at(case.card[2]),
                low_latency,
            };
            let found = settings.deploy_cores(case.flag, 1, Device::whole(case.board));
            assert_eq!(found.cores, case.expected, "{:?} flag {:?}", case.card, case.flag);
        }
    }
}
