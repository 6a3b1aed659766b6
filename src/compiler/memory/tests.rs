//! Whole plans: that every buffer has a place of its own, what each setting changes, and what is said where it does not fit.

use proptest::prelude::*;

use crate::base::CancelToken;
use crate::base::Share;
use crate::compiler::device::WORD;
use crate::compiler::error::Status;
use crate::compiler::legalize::tests::Sketch;
use crate::compiler::legalize::tests::encoding;
use crate::compiler::lower::LowerOptions;
use crate::compiler::memory::Buffer;
use crate::compiler::memory::CodePlan;
use crate::compiler::memory::Kind;
use crate::compiler::memory::MemoryOptions;
use crate::compiler::memory::MemoryPlan;
use crate::compiler::memory::Pool;
use crate::compiler::memory::plan;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;
use crate::compiler::schedule::estimate;
use crate::properties::CompilerConfig;
use crate::properties::ConstantsHome;
use crate::properties::MemoryPool;
use crate::properties::MulticoreMode;

/// What is wrong with a plan, if anything is.
pub(crate) fn check(graph: &QuantizedGraph, plan: &MemoryPlan) -> Result<(), String> {
    let last = graph.nodes.len().saturating_sub(1);
    let alive = |buffer: &Buffer| buffer.alive.unwrap_or((0, last));
    for (place, buffer) in plan.buffers.iter().enumerate() {
        let of = plan.pools[buffer.pool.index()];
        let end = buffer.offset + buffer.bytes;
        if buffer.offset % WORD != 0 || end > of.used() {
            return Err(format!("{buffer:?} is not within the {} bytes that are counted", of.used()));
        }
        for other in plan.buffers.iter().take(place).filter(|it| it.pool == buffer.pool) {
            let ((a, b), (c, d)) = (alive(buffer), alive(other));
            let together = a <= d && c <= b;
            if together && buffer.offset < other.offset + other.bytes && other.offset < end {
                return Err(format!("{buffer:?} lies over {other:?}"));
            }
        }
    }
    for (value, placement) in graph.values.iter().zip(&plan.placements) {
        let fits = placement.is_none_or(|it| it.bytes >= value.len() && it.bytes % WORD == 0);
        if placement.is_some() == value.constant.is_some() || !fits {
            return Err(format!("`{}` lies at {placement:?}", value.name));
        }
        let Some(placement) = placement else { continue };
        let end = [plan.l1_bytes, plan.l2_bytes, plan.ddr_bytes][placement.pool.index()];
        if placement.offset + placement.bytes > end {
            return Err(format!("`{}` ends behind {end}", value.name));
        }
    }
    match plan.pools.iter().find(|of| of.used() > of.allowed || of.workspace < of.live) {
        Some(of) => Err(format!("{of:?}")),
        None => Ok(()),
    }
}

/// Convolutions and functions one after another, with a sum over every third: `width` channels of `size`×`size`.
fn tower(length: usize, size: usize, width: usize) -> QuantizedGraph {
    let own = encoding(0.03, 4);
    let mut sketch = Sketch::new(&[1, 3, size, size], encoding(0.01, -128));
    let mut value = sketch.convolution("stem", TensorId(0), width, own);
    let mut kept = value;
    for place in 0..length {
        let name = format!("layer{place}");
        value = match place % 3 {
            0 => sketch.convolution(&name, value, width, own),
            1 => sketch.function(&name, Function::Sigmoid, value, own),
            _ => {
                let shape = sketch.0.value(value).shape.clone();
                let add = QuantizedOperator::Arithmetic(Arithmetic::Add);
                let sum = sketch.node(&name, add, &[value, kept], (&shape, own));
                kept = sum;
                sum
            }
        };
    }
    sketch.finish(&[value])
}

fn quarter() -> CompilerConfig {
    CompilerConfig { resources_used: Share::eighths(2), ..CompilerConfig::default() }
}

fn planned(graph: &QuantizedGraph, config: &CompilerConfig) -> MemoryPlan {
    let plan = plan(graph, &MemoryOptions::of(config), &CancelToken::new()).expect("planned");
    assert_eq!(check(graph, &plan), Ok(()));
    plan
}

/// Bytes of the tensors between nodes in each pool, each counted once.
fn tensors(plan: &MemoryPlan) -> [usize; 3] {
    let mut bytes = [0; 3];
    for buffer in plan.buffers.iter().filter(|buffer| buffer.kind == Kind::Tensor) {
        bytes[buffer.pool.index()] += buffer.bytes;
    }
    bytes
}

#[test]
fn a_plan_is_the_same_however_often_it_is_made() {
    let graph = tower(12, 40, 96);
    let first = planned(&graph, &quarter());
    assert_eq!(first, planned(&graph, &quarter()));
    let code = CodePlan::of("tower".to_owned(), Vec::new(), &CancelToken::new());
    assert_eq!(first.to_json(&graph, &code), planned(&graph, &quarter()).to_json(&graph, &code));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_buffer_has_a_place_of_its_own(
        length in 1_usize..14,
        size in 1_usize..90,
        width in 1_usize..200,
        cores in 1_u32..4,
        flags in any::<[bool; 7]>(),
        attempts in 1_i64..7,
        depth in 1_i64..6,
    ) {
        let graph = tower(length, size, width);
        let [pages, promotes, double, host_pads, streams, pads, split] = flags;
        let config = CompilerConfig {
            aipu_cores_used: cores,
            page_memory: pages,
            enable_buffer_promotion: promotes,
            double_buffer: double,
            remove_io_padding_and_layout_transform: host_pads,
            ignore_weight_buffers: streams,
            apply_pword_padding: pads,
            max_memplan_attempts: attempts,
            tiling_depth: depth,
            split_buffer_promotion: split,
            l2_constraint: Some(9 << 20),
            ..CompilerConfig::default()
        };
        let plan = plan(&graph, &MemoryOptions::of(&config), &CancelToken::new()).expect("planned");
        prop_assert_eq!(check(&graph, &plan), Ok(()));
    }
}

/// A change of the configuration, and whether it does to a plan what it says, told from the plan before.
type Effect = (&'static str, fn(&mut CompilerConfig), fn(&MemoryPlan, &MemoryPlan) -> bool);

#[test]
fn each_setting_changes_what_it_says() {
    let effects: [Effect; 17] = [
        ("enable_buffer_promotion", |it| it.enable_buffer_promotion = false, |_, now| tensors(now)[..2] == [0, 0]),
        ("page_memory", |it| it.page_memory = false, |before, now| now.pools[2].constants < before.pools[2].constants),
        (
            "double_buffer",
            |it| it.double_buffer = false,
            |before, now| {
                let second = |plan: &MemoryPlan| plan.buffers.iter().filter(|it| it.kind == Kind::SecondCopy).count();
                (second(before), second(now)) == (2, 0)
            },
        ),
        (
            "io_memory_pool",
            |it| it.io_memory_pool = MemoryPool::L2,
            |_, now| now.buffers.iter().filter(|it| it.kind == Kind::Input).all(|it| it.pool == Pool::L2),
        ),
        (
            "workspace_memory_pool",
            |it| {
                (it.workspace_memory_pool, it.enable_buffer_promotion) = (MemoryPool::L2, false);
            },
            |_, now| tensors(now)[1] > 0 && tensors(now)[2] == 0,
        ),
        (
            "constant_memory_pool",
            |it| {
                (it.constant_memory_pool, it.enable_buffer_promotion) = (MemoryPool::L2, false);
            },
            |_, now| {
                now.weights.iter().all(|&pool| pool == Pool::L2 || pool == Pool::Ddr) && now.weights[0] == Pool::L2
            },
        ),
        (
            "dpu_constants_home",
            |it| it.dpu_constants_home = ConstantsHome::Ddr,
            |_, now| now.buffers.iter().filter(|it| it.kind == Kind::Tables).all(|it| it.pool == Pool::Ddr),
        ),
        ("force_h_tiling", |it| it.force_h_tiling = Some(7), |_, now| now.tilings[0].height == 7),
        ("force_oc_tiling", |it| it.force_oc_tiling = Some(2), |_, now| now.tilings[0].channels == 2),
        (
            "max_tiling_attempts",
            |it| (it.max_tiling_attempts, it.l1_size_used) = (1, 64 << 20),
            |_, now| now.tilings.iter().all(|it| it.tiles() == 1),
        ),
        (
            "pipeline_spatial_tiles",
            |it| {
                (it.pipeline_spatial_tiles, it.force_h_tiling) = (false, Some(4));
            },
            |_, now| now.tilings.iter().all(|it| !it.overlaps || it.channels > 1),
        ),
        (
            "pipeline_channel_tiles",
            |it| {
                it.pipeline_channel_tiles = false;
                (it.force_h_tiling, it.force_oc_tiling) = (Some(1), Some(2));
            },
            |_, now| now.tilings.iter().all(|it| !it.overlaps),
        ),
        (
            "apply_pword_padding",
            |it| it.apply_pword_padding = false,
            |before, now| {
                let sum = |plan: &MemoryPlan| tensors(plan).iter().sum::<usize>();
                sum(now) < sum(before)
            },
        ),
        (
            "remove_io_padding_and_layout_transform",
            |it| it.remove_io_padding_and_layout_transform = false,
            |before, now| now.placements[0].map(|it| it.bytes) < before.placements[0].map(|it| it.bytes),
        ),
        (
            "ignore_weight_buffers",
            |it| it.ignore_weight_buffers = false,
            |before, now| now.tilings.iter().all(|it| it.weights_stay) && before.pools[0] != now.pools[0],
        ),
        ("aipu_cores_used", |it| it.aipu_cores_used = 3, |_, now| now.pools[1].images == 3),
        (
            "multicore_mode",
            |it| {
                (it.aipu_cores_used, it.multicore_mode) = (3, MulticoreMode::Cooperative);
            },
            |_, now| now.pools[1].images == 1 && tensors(now)[0] == 0,
        ),
    ];
    let graph = tower(7, 50, 520);
    let before = planned(&graph, &CompilerConfig::default());
    let mut wrong = Vec::new();
    for (name, change, holds) in effects {
        let mut config = CompilerConfig::default();
        change(&mut config);
        if !holds(&before, &planned(&graph, &config)) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// What does not fit: the change of the configuration, the status, a part of the message, and changes that the hint must
/// name and that must help.
struct Misfit {
    change: fn(&mut CompilerConfig),
    status: Status,
    message: &'static str,
    help: &'static [Help],
}

/// Words of a hint, and the change that they ask for.
type Help = (&'static str, fn(&mut CompilerConfig));

#[test]
fn what_does_not_fit_is_named_with_what_helps() {
    let graph = tower(7, 100, 520);
    let cases = [
        Misfit {
            change: |it| it.max_tiling_attempts = 1,
            status: Status::FrontendToMidendError,
            message: "node `stem`: divided into one tile it needs 5810560 bytes of L1, and the model may use 3670016",
            help: &[
                ("`max_tiling_attempts` of 5 or more", |it| it.max_tiling_attempts = 5),
                ("`l1_size_used` of 17804288", |it| it.l1_size_used = 17_804_288),
            ],
        },
        Misfit {
            change: |it| (it.force_h_tiling, it.force_oc_tiling) = (Some(1), Some(1)),
            status: Status::FrontendToMidendError,
            message: "node `stem`",
            help: &[("neither `force_h_tiling` nor `force_oc_tiling`", |it| {
                (it.force_h_tiling, it.force_oc_tiling) = (None, None);
            })],
        },
        Misfit {
            change: |it| {
                (it.io_memory_pool, it.l1_size_used, it.l1_constraint) = (MemoryPool::L1, 6_400_000, None);
            },
            status: Status::FrontendToMidendError,
            message: "of L1",
            help: &[
                ("`io_memory_pool` global.ddr", |it| it.io_memory_pool = MemoryPool::Ddr),
                ("`l1_size_used` of", |it| it.l1_size_used = 64_000_000),
            ],
        },
        Misfit {
            change: |it| {
                (it.workspace_memory_pool, it.resources_used) = (MemoryPool::L2, Share::eighths(2));
            },
            status: Status::LowerMidendError,
            message: "bytes of L2",
            help: &[
                ("`resources_used` of 0.75 or more", |it| it.resources_used = Share::eighths(6)),
                ("`workspace_memory_pool` global.ddr", |it| it.workspace_memory_pool = MemoryPool::Ddr),
            ],
        },
        Misfit {
            change: |it| {
                it.enable_buffer_promotion = false;
                (it.ddr_constraint, it.resources_used) = (Some(90_000_000), Share::eighths(2));
            },
            status: Status::LowerMidendError,
            message: "bytes of DDR",
            help: &[("`resources_used` of 0.75 or more", |it| it.resources_used = Share::eighths(6))],
        },
        Misfit {
            change: |it| {
                it.enable_buffer_promotion = false;
                it.ddr_size_max = 34_000_000;
            },
            status: Status::LowerMidendError,
            message: "bytes of DDR",
            help: &[("`ddr_size_max` of ", |it| it.ddr_size_max = 1 << 30)],
        },
        Misfit {
            change: |it| {
                it.enable_buffer_promotion = false;
                (it.ddr_constraint, it.aipu_cores_used) = (Some(90_000_000), 4);
            },
            status: Status::LowerMidendError,
            message: "for 4 images",
            help: &[("`aipu_cores_used` of ", |it| it.aipu_cores_used = 1)],
        },
    ];
    let mut wrong = Vec::new();
    for (place, Misfit { change, status, message, help }) in cases.into_iter().enumerate() {
        let mut config = CompilerConfig::default();
        change(&mut config);
        let error = match plan(&graph, &MemoryOptions::of(&config), &CancelToken::new()) {
            Ok(plan) => {
                wrong.push(format!("{place}: it fits: {:?}", plan.pools));
                continue;
            }
            Err(error) => error,
        };
        if error.status != status || !error.to_string().contains(message) || error.node.is_none() {
            wrong.push(format!("{place}: {:?} {error}", error.status));
        }
        let hint = error.hint.clone().unwrap_or_default();
        for (words, cure) in help {
            let mut cured = config.clone();
            cure(&mut cured);
            if !hint.contains(words) || plan(&graph, &MemoryOptions::of(&cured), &CancelToken::new()).is_err() {
                wrong.push(format!("{place}: {words}: {hint}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_setting_is_named_that_leaves_another_memory_too_small() {
    let graph = tower(7, 100, 520);
    let config = CompilerConfig {
        workspace_memory_pool: MemoryPool::L2,
        l2_size_used: 6_000_000,
        ddr_size_used: 40_000_000,
        ..CompilerConfig::default()
    };
    let error = plan(&graph, &MemoryOptions::of(&config), &CancelToken::new()).expect_err("both are too small");
    assert_eq!(error.status, Status::LowerMidendError);
    assert!(error.to_string().contains("bytes of L2"), "{error}");
    assert!(error.hint.as_deref().is_some_and(|hint| hint.starts_with("no setting by itself")), "{:?}", error.hint);
}

/// The number behind some words of a hint.
fn said(hint: &str, words: &str) -> i64 {
    let after = hint.split_once(words).map(|(_, after)| after).unwrap_or_default();
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|error| panic!("{words}: {error}: {hint}"))
}

#[test]
fn where_several_memories_are_too_small_sizes_are_named_that_are_enough_together() {
    let graph = tower(7, 100, 520);
    let cases: [fn(&mut CompilerConfig); 3] = [
        |it| (it.l1_size_used, it.l2_size_used, it.dpu_constants_home) = (540_000, 1_245_184, ConstantsHome::L2),
        |it| (it.l2_size_used, it.ddr_size_used) = (0, 0),
        |it| (it.workspace_memory_pool, it.l2_size_used, it.ddr_size_used) = (MemoryPool::L2, 6_000_000, 40_000_000),
    ];
    for change in cases {
        let mut config = CompilerConfig::default();
        change(&mut config);
        let fits = |config: &CompilerConfig| plan(&graph, &MemoryOptions::of(config), &CancelToken::new());
        let hint = fits(&config).expect_err("two are too small").hint.unwrap_or_default();
        assert!(hint.ends_with("together, where the device has that"), "{hint}");
        for (name, size) in [
            ("`l1_size_used` of ", &mut config.l1_size_used),
            ("`l2_size_used` of ", &mut config.l2_size_used),
            ("`ddr_size_used` of ", &mut config.ddr_size_used),
        ] {
            if hint.contains(name) {
                *size = said(&hint, name);
            }
        }
        assert!(fits(&config).is_ok(), "{hint}");
    }
}

#[test]
fn attempts_are_not_named_where_dividing_is_not_enough() {
    // More tiles would bring each operator into L1, but L2 has no room for the work space.
    let graph = tower(7, 100, 520);
    let config = CompilerConfig {
        max_tiling_attempts: 1,
        workspace_memory_pool: MemoryPool::L2,
        enable_buffer_promotion: false,
        l2_size_used: 6_000_000,
        ..CompilerConfig::default()
    };
    let error = plan(&graph, &MemoryOptions::of(&config), &CancelToken::new()).expect_err("neither fits");
    assert_eq!(error.status, Status::FrontendToMidendError);
    let hint = error.hint.unwrap_or_default();
    assert!(
        hint.starts_with("no setting by itself was found to be enough; it would fit with `l1_size_used` of "),
        "{hint}"
    );
    assert!(!hint.contains("max_tiling_attempts"), "{hint}");
}

#[test]
fn a_plan_ends_soon_once_it_is_asked_to() {
    let cancel = CancelToken::new();
    cancel.cancel();
    let error = plan(&tower(7, 100, 520), &MemoryOptions::of(&quarter()), &cancel).expect_err("it was asked to stop");
    assert_eq!((error.status, error.hint), (Status::TopLevelLowerError, None));
}

/// Nodes that are tiled together with others.
fn chained(plan: &MemoryPlan) -> usize {
    plan.tilings.iter().filter(|tiling| tiling.chain.is_some()).count()
}

#[test]
fn operators_are_tiled_together_where_what_lies_between_them_is_too_large_for_l1() {
    // Without sums each tensor has one reader; 150×150 pixels of 192 channels are 4,320,000 bytes.
    let own = encoding(0.03, 4);
    let mut sketch = Sketch::new(&[1, 3, 150, 150], encoding(0.01, -128));
    let mut value = TensorId(0);
    for place in 0..6 {
        value = sketch.convolution(&format!("layer{place}"), value, 192, own);
    }
    let graph = sketch.finish(&[value]);
    let with = |depth: i64, tried: Option<i64>, split: bool| {
        let config = CompilerConfig {
            tiling_depth: depth,
            dfs_search_constraint: tried,
            split_buffer_promotion: split,
            ..CompilerConfig::default()
        };
        let plan = planned(&graph, &config);
        for (step, tiling) in plan.tilings.iter().enumerate() {
            if let Some((first, last)) = tiling.chain {
                assert!((first..=last).contains(&step) && last < first + depth as usize, "{tiling:?}");
                assert_eq!(plan.linked[graph.nodes[step].output.index()], step < last);
                assert!(tiling.tile.rows * tiling.height >= plan.works[step].rows);
            }
        }
        let options = LowerOptions::of(&config);
        (chained(&plan), estimate(&graph, &plan, &options.schedule).alone.cycles)
    };
    let alone = with(1, None, false);
    assert_eq!(alone.0, 0);
    for (depth, tried, split, least) in
        [(2, None, false, 4), (6, None, false, 4), (6, None, true, 4), (6, Some(1), false, 4)]
    {
        let (nodes, cycles) = with(depth, tried, split);
        assert!(nodes >= least && cycles < alone.1, "{depth} {tried:?} {split}: {nodes} nodes, {cycles} of {alone:?}");
    }
    assert_eq!(with(6, Some(0), false), alone);
}

#[test]
fn tiles_of_every_operator_fit_and_cover_it() {
    let graph = tower(9, 77, 300);
    let config = CompilerConfig { l1_constraint: Some(900_000), ..CompilerConfig::default() };
    let plan = planned(&graph, &config);
    for (work, tiling) in plan.works.iter().zip(&plan.tilings) {
        assert!(tiling.bytes() <= 900_000 - 524_288, "{tiling:?}");
        assert!(tiling.tile.rows * tiling.height >= work.rows && tiling.tile.words * tiling.channels >= work.words);
        assert!(tiling.tile.rows * (tiling.height - 1) < work.rows, "a tile without rows: {tiling:?}");
    }
    assert!(plan.tilings.iter().any(|tiling| tiling.tiles() > 1));
}
