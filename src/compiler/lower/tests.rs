//! The lowered files, executed again.

use crate::base::CancelToken;
use crate::base::Share;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::lower::Compiled;
use crate::compiler::lower::HostGraphs;
use crate::compiler::lower::LowerOptions;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::Program;
use crate::compiler::lower::load_program;
use crate::compiler::lower::lower;
use crate::compiler::lower::lower_with_host;
use crate::compiler::quantize::tests::network;
use crate::compiler::quantize::tests::noise;
use crate::compiler::quantize::tests::quantized;
use crate::compiler::reference;

fn lowered(cores: u32) -> (crate::compiler::quantize::QuantizedGraph, Compiled) {
    let graph = quantized(&network(), 1, 0).expect("quantized").graph;
    let compiled = lower(&graph, &LowerOptions::new(cores, Share::eighths(2))).expect("lowered");
    (graph, compiled)
}

fn load(compiled: &Compiled) -> Result<Program, StageError> {
    load_program(&|name| {
        let file = compiled.files.iter().find(|file| file.0 == name);
        file.map(|file| file.1.clone()).ok_or_else(|| "there is no such file".to_owned())
    })
}

/// What is wrong with the work space of the C code, as the plan's file states it: its size is the code's own, no buffer lies over
/// another that is needed at the same call, and it needs at most 15 % more than is alive at once.
pub(in crate::compiler) fn check_code(compiled: &Compiled) -> Result<(), String> {
    let file = |name: &str| compiled.files.iter().find(|file| file.0 == name).map(|file| file.1.as_slice());
    let plan: serde_json::Value =
        serde_json::from_slice(file("memory_plan.json").unwrap_or_default()).map_err(|error| error.to_string())?;
    let source = String::from_utf8_lossy(file("kernel_function.c").unwrap_or_default()).into_owned();
    let code = &plan["code"];
    let number = |value: &serde_json::Value| value.as_u64().ok_or_else(|| format!("{value} is no number"));
    let (bytes, live) = (number(&code["workspace_bytes"])?, number(&code["largest_live_set_bytes"])?);
    if !source.contains(&format!("_WORKSPACE_BYTES {bytes}\n")) {
        return Err(format!("the code has a work space of other than the {bytes} bytes that are planned"));
    }
    let end = bytes - number(&code["read_beyond_bytes"])?;
    if end * 100 > live * 115 {
        return Err(format!("the work space of the code is loose: {bytes} bytes, {live} are alive at once"));
    }
    let mut placed: Vec<[u64; 4]> = Vec::new();
    for buffer in code["buffers"].as_array().into_iter().flatten() {
        let offset = number(&buffer["offset"])?;
        let span =
            [offset, offset + number(&buffer["bytes"])?, number(&buffer["calls"][0])?, number(&buffer["calls"][1])?];
        let meets =
            |other: &&[u64; 4]| other[0] < span[1] && span[0] < other[1] && other[2] <= span[3] && span[2] <= other[3];
        if offset % 64 != 0 || span[1] > end || placed.iter().any(|other| meets(&other)) {
            return Err(format!("{buffer} lies over another, or beyond the end"));
        }
        placed.push(span);
    }
    if placed.is_empty() && end > 0 { Err("no buffer is listed".to_owned()) } else { Ok(()) }
}

#[test]
fn the_work_space_of_the_code_is_planned() {
    let (_, compiled) = lowered(1);
    assert_eq!(check_code(&compiled), Ok(()));
}

#[test]
fn lowering_ends_soon_once_it_is_asked_to() {
    let graph = quantized(&network(), 1, 0).expect("quantized").graph;
    let cancel = CancelToken::new();
    cancel.cancel();
    let options = LowerOptions::new(1, Share::WHOLE);
    let stopped = lower_with_host(&graph, &HostGraphs::default(), &options, &cancel);
    assert_eq!(stopped.map_err(|error| error.status), Err(Status::TopLevelLowerError));
}

#[test]
fn the_files_alone_compute_what_the_graph_computes() {
    let (graph, compiled) = lowered(1);
    let program = load(&compiled).expect("loaded");
    for seed in 20..24 {
        let input = noise(seed, 216);
        assert_eq!(program.run(&[&input]), reference::run(&graph, &[&input]));
    }
    assert!(program.run(&[&[0.0; 3]]).is_err());
}

#[test]
fn the_manifest_names_its_files_and_the_cores() {
    let (_, compiled) = lowered(4);
    let names: Vec<&str> = compiled.files.iter().map(|file| file.0.as_str()).collect();
    assert_eq!(
        names,
        [
            "manifest.json",
            "model.json",
            "program.json",
            "kernel_function.c",
            "pool_l2_const.bin",
            "memory_plan.json",
            "report.json"
        ]
    );
    let manifest: Manifest = serde_json::from_slice(&compiled.files[0].1).expect("a manifest");
    assert!(manifest.is_compiled());
    // 9×8×3 before a 3×3 convolution with padding 1: 11 rows, 10 columns filled up to 16, 4 channels.
    assert_eq!(manifest.input_shapes, [[4, 11, 16, 4]]);
    assert_eq!(manifest.n_padded_ch_inputs, [[0, 0, 1, 1, 1, 7, 0, 1]]);
    assert_eq!(manifest.output_shapes, [[4, 1, 1, 64]]);
}

#[test]
fn damaged_files_are_refused() {
    let (_, compiled) = lowered(1);
    let mut accepted = Vec::new();
    for index in [0, 2, 4] {
        for cut in [0, 1, compiled.files[index].1.len() / 2] {
            let mut damaged = compiled.clone();
            damaged.files[index].1.truncate(cut);
            if load(&damaged).is_ok() {
                accepted.push(format!("{} of {cut} bytes", damaged.files[index].0));
            }
        }
    }
    let mut damaged = compiled;
    damaged.files[4].1[0] ^= 1;
    if load(&damaged).is_ok() {
        accepted.push("a flipped bit".to_owned());
    }
    assert!(accepted.is_empty(), "{accepted:?}");
}

#[test]
fn plan_and_report_are_of_the_devices_form_and_the_program_is_not() {
    let (_, compiled) = lowered(1);
    let json = |name: &str| -> serde_json::Value {
        let file = compiled.files.iter().find(|file| file.0 == name).expect("there is such a file");
        serde_json::from_slice(&file.1).expect("JSON")
    };
    let count = |name: &str, list: &str| json(name)[list].as_array().map_or(0, Vec::len);
    let program = count("program.json", "steps");
    // Two joined inputs are two paddings and a sum; the dense layer is a convolution between what was a reshape and another.
    assert_eq!((count("memory_plan.json", "nodes"), program), (14, 12));
    assert_eq!(json("report.json")["estimate"]["nodes"].as_array().map(Vec::len), Some(14));
    assert_eq!(json("memory_plan.json")["pools"][1]["allowed_bytes"], 7_028_736);
}
