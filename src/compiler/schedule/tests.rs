//! Estimates: that they follow the plan and the settings, never contradict themselves, and say what they are.

use crate::base::CancelToken;
use crate::base::Share;
use crate::compiler::legalize::tests::Sketch;
use crate::compiler::legalize::tests::encoding;
use crate::compiler::lower::LowerOptions;
use crate::compiler::lower::lower;
use crate::compiler::memory::plan;
use crate::compiler::operators::Function;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;
use crate::compiler::schedule::Estimate;
use crate::compiler::schedule::estimate;
use crate::properties::CompilerConfig;
use crate::properties::MulticoreMode;

/// Three channels, then convolutions of `width` channels with a function between them, `size`×`size` pixels.
fn tower(size: usize, width: usize) -> QuantizedGraph {
    let own = encoding(0.03, 4);
    let mut sketch = Sketch::new(&[1, 3, size, size], encoding(0.01, -128));
    let a = sketch.convolution("a", TensorId(0), width, own);
    let b = sketch.function("b", Function::Sigmoid, a, own);
    let c = sketch.convolution("c", b, width, own);
    let d = sketch.convolution("d", c, width, own);
    sketch.finish(&[d])
}

fn estimated(graph: &QuantizedGraph, config: &CompilerConfig) -> Estimate {
    let options = LowerOptions::of(config);
    let plan = plan(graph, &options.memory, &CancelToken::new()).expect("planned");
    let estimate = estimate(graph, &plan, &options.schedule);
    for run in [&estimate.alone, &estimate.together] {
        assert_eq!(run.cycles, run.nodes.iter().map(|node| node.cycles).sum::<u64>());
        for node in &run.nodes {
            let longest = node.compute.max(node.load).max(node.store);
            assert!(node.cycles >= longest, "{node:?} is faster than a part of it");
        }
    }
    assert!((0.0..=1.0).contains(&estimate.utilization()));
    estimate
}

#[test]
fn a_layer_takes_eight_cycles_a_vector_and_block() {
    // 40×40 pixels; 3 channels stored as 4; 512 columns leave no room to replicate; then 512 by 512.
    let estimate = estimated(&tower(40, 512), &CompilerConfig::default());
    let compute: Vec<u64> = estimate.alone.nodes.iter().map(|node| node.compute).collect();
    let words = 1600 * 512 / 64;
    assert_eq!(compute, [1600 * 8, words, 1600 * 8, 1600 * 8]);
    // 100 columns take 128: the matrix unit works on four pixels at once, but the vector unit rounds a word a cycle.
    let estimate = estimated(&tower(40, 100), &CompilerConfig::default());
    assert_eq!(estimate.alone.nodes[2].compute, 1600 * 8 / 4);
    assert_eq!(estimate.macs, 1600 * (3 * 100 + 2 * 100 * 100));
}

/// A change of the configuration, and what it must do to the cycles of a run: fewer, more, or as many.
type Effect = (&'static str, fn(&mut CompilerConfig), std::cmp::Ordering);

#[test]
fn each_setting_moves_the_estimate_the_right_way() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let effects: [Effect; 16] = [
        ("mvm_utilization_limit", |it| it.mvm_utilization_limit = 0.25, Greater),
        ("enable_icr", |it| it.enable_icr = false, Greater),
        ("icrx_force", |it| it.icrx_force = 1, Greater),
        ("icrx_max_factor", |it| it.icrx_max_factor = 2, Greater),
        ("inter_operator_async", |it| it.inter_operator_async = false, Greater),
        (
            "imc_double_buffer",
            |it| {
                (it.imc_double_buffer_pipeline, it.imc_double_buffer_sequential) = (true, true);
            },
            Less,
        ),
        ("dma_dual_channel", |it| (it.dma_dual_channel, it.enable_buffer_promotion) = (false, false), Greater),
        ("enable_buffer_promotion", |it| it.enable_buffer_promotion = false, Greater),
        ("frequency", |it| it.frequency = 400_000_000, Less),
        ("pipelines", |it| (it.pipeline_spatial_tiles, it.pipeline_channel_tiles) = (false, false), Greater),
        ("cooperative", |it| (it.multicore_mode, it.aipu_cores_used) = (MulticoreMode::Cooperative, 4), Less),
        ("batch", |it| (it.multicore_mode, it.aipu_cores_used) = (MulticoreMode::Batch, 4), Greater),
        ("multiprocess", |it| it.aipu_cores_used = 4, Equal),
        ("pipeline", |it| (it.multicore_mode, it.aipu_cores_used) = (MulticoreMode::Pipeline, 4), Equal),
        ("resources_used", |it| it.resources_used = Share::eighths(2), Equal),
        ("elf_in_ddr", |it| it.elf_in_ddr = false, Equal),
    ];
    let graph = tower(60, 100);
    let before = estimated(&graph, &CompilerConfig::default()).alone.cycles;
    let mut wrong = Vec::new();
    for (name, change, expected) in effects {
        let mut config = CompilerConfig::default();
        change(&mut config);
        let now = estimated(&graph, &config).alone.cycles;
        if now.cmp(&before) != expected {
            wrong.push(format!("{name}: {before}, then {now}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cores_with_an_image_each_do_more_in_the_same_time_and_share_the_way_to_ddr() {
    let config = CompilerConfig { aipu_cores_used: 4, ..CompilerConfig::default() };
    let four = estimated(&tower(60, 100), &config);
    assert_eq!((four.alone.images, four.together.images), (1, 4));
    assert!(four.together.cycles >= four.alone.cycles);
    let rates = [&four.alone, &four.together].map(|run| run.images_per_second(four.frequency));
    assert!(rates[1] > rates[0] && rates[1] <= 4.0 * rates[0], "{rates:?}");
    let batch = CompilerConfig { multicore_mode: MulticoreMode::Batch, ..config };
    let batch = estimated(&tower(60, 100), &batch);
    assert_eq!((batch.alone.images, batch.alone.cycles), (4, four.together.cycles));
}

#[test]
fn a_batch_is_as_many_images() {
    let mut sketch = Sketch::new(&[3, 3, 20, 20], encoding(0.01, -128));
    let stem = sketch.convolution("stem", TensorId(0), 16, encoding(0.03, 4));
    let graph = sketch.finish(&[stem]);
    assert_eq!(estimated(&graph, &CompilerConfig::default()).alone.images, 3);
}

#[test]
fn the_report_says_that_it_estimates_and_what_it_ignores() {
    let config = CompilerConfig { elf_in_ddr: false, use_hw_tokens: false, ..CompilerConfig::default() };
    let compiled = lower(&tower(12, 70), &LowerOptions::of(&config)).expect("lowered");
    let report = compiled.files.iter().find(|(name, _)| name == "report.json").expect("there is a report");
    let report: serde_json::Value = serde_json::from_slice(&report.1).expect("JSON");
    assert!(report["estimate"]["note"].as_str().is_some_and(|note| note.contains("not measured")));
    assert_eq!(report["estimate"]["nodes"].as_array().map(Vec::len), Some(4));
    let ignored = report["ignored_properties"].as_array().expect("a list");
    let names: Vec<&str> = ignored.iter().filter_map(|it| it["property"].as_str()).collect();
    assert_eq!(names, ["use_hw_tokens", "elf_in_ddr"]);
    assert!(ignored.iter().all(|it| it["why"].as_str().is_some_and(|why| !why.is_empty())));
}
