//! Splits as a person would choose them, and against trying every distribution the slow way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Candidate;
use super::Placement;
use super::splits;
use crate::base::Share;
use crate::config::Board;
use crate::config::Device;

fn model(cost: u64) -> Candidate {
    Candidate {
        name: "m".to_owned(),
        cost,
        batch_costs: BTreeMap::new(),
        runs: 1,
        most_cores: 8,
        most_execution_cores: 8,
        usual_cores: 1,
        present: None,
    }
}

fn at(cores: u32, instances: u32, eighths: u32) -> Placement {
    Placement { cores, instances, resources: Share::eighths(eighths) }
}

/// The best split: `cores×instances` of each model, idle cores, the slowest model by place.
fn best(models: &[Candidate], device: Device) -> String {
    let splits = splits(models, device);
    let Some(best) = splits.first() else { return "none".to_owned() };
    let placements: Vec<String> =
        best.placements.iter().map(|placement| format!("{}x{}", placement.cores, placement.instances)).collect();
    format!("{}, {} idle, slowest {}, memory {}", placements.join(" "), best.idle_cores, best.slowest, best.memory())
}

type Case = (&'static str, Device, Vec<Candidate>, &'static str);

/// Several models whose costs and limits decide.
fn cases_of_distributions() -> Vec<Case> {
    let pcie = Device::default();
    let europa = Device::whole(Board::Europa);
    vec![
        ("alike", pcie, vec![model(1), model(1)], "1x2 1x2, 0 idle, slowest 0, memory 1.0"),
        ("one is heavier", pcie, vec![model(30), model(10)], "1x3 1x1, 0 idle, slowest 0, memory 1.0"),
        (
            "regions multiply the second",
            pcie,
            vec![model(1), Candidate { runs: 5, ..model(1) }],
            "1x1 1x3, 0 idle, slowest 1, memory 1.0",
        ),
        (
            "four on four",
            pcie,
            vec![model(1), model(2), model(3), model(4)],
            "1x1 1x1 1x1 1x1, 0 idle, slowest 3, memory 1.0",
        ),
        ("five on four", pcie, vec![model(1), model(1), model(1), model(1), model(1)], "none"),
        ("none at all", pcie, vec![], "none"),
        (
            "no idle core where another model can have it",
            pcie,
            vec![Candidate { most_execution_cores: 1, ..model(9) }, model(1)],
            "1x1 1x3, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "limits leave cores idle",
            pcie,
            vec![Candidate { most_execution_cores: 1, ..model(1) }, Candidate { most_execution_cores: 1, ..model(1) }],
            "1x1 1x1, 2 idle, slowest 0, memory 0.5",
        ),
        (
            "eight cores: what is left helps the second slowest",
            europa,
            vec![model(4), model(2), model(1)],
            "1x4 1x2 1x2, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "part of a board",
            Device { board: Board::Pcie, cores: 2 },
            vec![model(1), model(1)],
            "1x1 1x1, 0 idle, slowest 0, memory 0.5",
        ),
    ]
}

/// One model by itself, and models that are placed already.
fn cases_of_forms() -> Vec<Case> {
    let pcie = Device::default();
    vec![
        ("alone: Batch-1", pcie, vec![model(1)], "1x4, 0 idle, slowest 0, memory 1.0"),
        (
            "alone: the form of the card",
            pcie,
            vec![Candidate { usual_cores: 4, ..model(1) }],
            "4x1, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "alone: as it is",
            pcie,
            vec![Candidate { present: Some(at(2, 2, 4)), ..model(1) }],
            "2x2, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "alone: compiled for one at most",
            pcie,
            vec![Candidate { most_cores: 1, usual_cores: 4, ..model(1) }],
            "1x4, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "as it is, when nothing is faster",
            pcie,
            vec![
                Candidate { present: Some(at(3, 1, 6)), ..model(3) },
                Candidate { present: Some(at(1, 1, 2)), ..model(1) },
            ],
            "3x1 1x1, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "what starves is not kept",
            pcie,
            vec![
                Candidate { present: Some(at(3, 1, 2)), ..model(3) },
                Candidate { present: Some(at(1, 1, 2)), ..model(1) },
            ],
            "1x3 1x1, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "memory that others need is not kept",
            pcie,
            vec![
                Candidate { present: Some(at(1, 1, 4)), ..model(1) },
                Candidate { present: Some(at(1, 1, 2)), ..model(3) },
            ],
            "1x1 1x3, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "a batch that is known to be cheaper",
            pcie,
            vec![Candidate { batch_costs: BTreeMap::from([(4, 2)]), ..model(4) }],
            "4x1, 0 idle, slowest 0, memory 1.0",
        ),
        (
            "costs of nothing and of everything",
            pcie,
            vec![model(0), model(u64::MAX)],
            "1x1 1x3, 0 idle, slowest 1, memory 1.0",
        ),
    ]
}

#[test]
fn the_slowest_model_gets_what_helps_it() {
    let wrong: Vec<String> = cases_of_distributions()
        .iter()
        .chain(&cases_of_forms())
        .map(|(name, device, models, expected)| (name, best(models, *device), expected))
        .filter(|(_, found, expected)| found != *expected)
        .map(|(name, found, expected)| format!("{name}: found {found}, expected {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rate_is_relative_to_another() {
    let (slow, fast) = (model(4), Candidate { runs: 2, ..model(1) });
    let one = Placement { cores: 1, instances: 1, resources: Share::eighths(2) };
    let two = Placement { instances: 2, ..one };
    assert!((fast.rate(&two).relative_to(slow.rate(&one)) - 4.0).abs() < 1e-12);
    assert_eq!(slow.rate(&two), fast.rate(&one));
}

/// The highest slowest rate over all distributions of cores, as (cores, cost) of the slowest, and the fewest idle cores.
fn by_hand(costs: &[u64], cores: u32) -> Option<(u64, u64, u32)> {
    let mut best: Option<(u64, u64, u32)> = None;
    let count = u32::try_from(costs.len()).ok()?;
    for code in 0..cores.pow(count) {
        let given: Vec<u32> = (0..count).map(|place| code / cores.pow(place) % cores + 1).collect();
        let used: u32 = given.iter().sum();
        if used > cores {
            continue;
        }
        let rates = given.iter().zip(costs).map(|(&given, &cost)| (u64::from(given), cost));
        let slowest = rates.min_by(|left, right| (left.0 * right.1).cmp(&(right.0 * left.1)))?;
        let found = (slowest.0, slowest.1, cores - used);
        let better = best.is_none_or(|(given, cost, idle)| {
            let (new, old) = (found.0 * cost, given * found.1);
            new > old || (new == old && found.2 < idle)
        });
        if better {
            best = Some(found);
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_distribution_is_better(costs in prop::collection::vec(1_u64..=40, 1..=4), europa in any::<bool>()) {
        let device = if europa { Device::whole(Board::Europa) } else { Device::default() };
        let models: Vec<Candidate> = costs.iter().map(|&cost| model(cost)).collect();
        let splits = splits(&models, device);
        let (best, expected) = (splits.first().expect("four models fit"), by_hand(&costs, device.cores).expect("they fit"));
        let slowest = &best.placements[best.slowest];
        let cost = costs[best.slowest];
        prop_assert_eq!(u64::from(slowest.execution_cores()) * expected.1, expected.0 * cost);
        prop_assert_eq!(best.idle_cores, expected.2);
        for split in &splits {
            prop_assert!(split.memory() <= Share::WHOLE);
            prop_assert!(split.placements.iter().map(Placement::execution_cores).sum::<u32>() <= device.cores);
        }
    }
}
