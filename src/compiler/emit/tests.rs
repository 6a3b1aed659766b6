//! The C code, compiled and compared with the integer reference: one network that has every operator, many times over, and the
//! networks of other tests.

#![expect(clippy::disallowed_methods, reason = "a C compiler is run")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::base::CancelToken;
use crate::compiler::emit::constants::Pool as ConstantPool;
use crate::compiler::emit::emit;
use crate::compiler::emit::source::identifier;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Coordinates;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Function;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::operators::Slice;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::function::integer::evaluate;
use crate::compiler::operators::movement::Continuation;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::clamp_behind;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::function_table;
use crate::compiler::quantize::tests::network;
use crate::compiler::quantize::tests::quantized;
use crate::compiler::reference::Executor;

/// Numbers that are the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 20
    }

    fn bytes(&mut self, count: usize, low: i8) -> Vec<i8> {
        (0..count).map(|_| (self.next() as i8).max(low)).collect()
    }

    fn encoding(&mut self) -> Encoding {
        Encoding { scale: 0.01 + (self.next() % 1000) as f32 * 1e-4, zero_point: self.next() as i8 }
    }
}

/// A quantized network written line by line; what nobody reads is an output.
struct Sketch {
    graph: QuantizedGraph,
    numbers: Numbers,
}

impl Sketch {
    fn new(shapes: &[&[usize]]) -> Self {
        let mut sketch = Self {
            graph: QuantizedGraph { name: "sketch".to_owned(), ..Default::default() },
            numbers: Numbers(88_172),
        };
        for shape in shapes {
            let id = sketch.value(shape);
            sketch.graph.inputs.push(id);
        }
        sketch
    }

    fn value(&mut self, shape: &[usize]) -> TensorId {
        let id = TensorId(self.graph.values.len() as u32);
        let encoding = self.numbers.encoding();
        let (name, shape) = (format!("value {}", id.0), shape.to_vec());
        self.graph.values.push(QuantizedValue { name, shape, encoding, channels: Vec::new(), constant: None });
        id
    }

    fn constant(&mut self, shape: &[usize]) -> TensorId {
        let id = self.value(shape);
        let values = self.numbers.bytes(shape.iter().product(), -128);
        self.graph.values[id.index()].constant = Some(values);
        id
    }

    fn shape(&self, id: TensorId) -> Vec<usize> {
        self.graph.value(id).shape.clone()
    }

    fn node(&mut self, operator: QuantizedOperator, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        let output = self.value(shape);
        if operator.is_movement() {
            let encoding = self.graph.value(inputs[0]).encoding;
            self.graph.values[output.index()].encoding = encoding;
        }
        let (activation, clamp) = if operator.requantizes() && self.numbers.next().is_multiple_of(2) {
            let clip = Function::Clip { low: -0.5, high: 2.0 };
            (Some(clip), clamp_behind(self.graph.value(output).encoding, Some(clip)))
        } else {
            (None, [i8::MIN, i8::MAX])
        };
        let name = format!("node {}", output.0);
        self.graph.nodes.push(QuantizedNode { name, operator, activation, clamp, inputs: inputs.to_vec(), output });
        output
    }

    fn weights(&mut self, shape: &[usize], outputs: usize) -> Weights {
        let count = shape.iter().product();
        Weights {
            shape: shape.to_vec(),
            values: self.numbers.bytes(count, -127),
            scales: (0..outputs).map(|_| 1e-3 + (self.numbers.next() % 100) as f32 * 1e-4).collect(),
            bias: (0..outputs).map(|_| (self.numbers.next() % 20_001) as i32 - 10_000).collect(),
            name: "w".to_owned(),
            bias_name: None,
        }
    }

    fn convolution(
        &mut self,
        input: TensorId,
        outputs: usize,
        kernel: [usize; 2],
        attributes: Convolution,
    ) -> TensorId {
        let from = self.shape(input);
        let weights = self.weights(&[outputs, from[1] / attributes.group, kernel[0], kernel[1]], outputs);
        let shape = attributes.output_shape(&from, &weights.shape).expect("it fits");
        self.node(QuantizedOperator::Convolution { attributes, weights }, &[input], &shape)
    }

    fn transposed(&mut self, input: TensorId, outputs: usize, attributes: TransposedConvolution) -> TensorId {
        let from = self.shape(input);
        let rows = [outputs, from[1] / attributes.group, 3, 2];
        let shape = attributes.output_shape(&from, &[from[1], outputs / attributes.group, 3, 2]).expect("it fits");
        let weights = self.weights(&rows, outputs);
        self.node(QuantizedOperator::TransposedConvolution { attributes, weights }, &[input], &shape)
    }

    fn function(&mut self, input: TensorId, function: Function) -> TensorId {
        let shape = self.shape(input);
        let from = self.graph.value(input).encoding;
        let placeholder = QuantizedOperator::Function { function, table: vec![0; 256] };
        let output = self.node(placeholder, &[input], &shape);
        let table = function_table(from, self.graph.value(output).encoding, |x| evaluate(function, x));
        if let Some(node) = self.graph.nodes.last_mut() {
            node.operator = QuantizedOperator::Function { function, table: table.to_vec() };
        }
        output
    }

    fn finish(mut self) -> QuantizedGraph {
        let is_read = |id: TensorId| self.graph.nodes.iter().any(|node| node.inputs.contains(&id));
        let outputs = self.graph.nodes.iter().map(|node| node.output).filter(|&id| !is_read(id)).collect();
        self.graph.outputs = outputs;
        self.graph
    }
}

fn plain(pad: usize) -> Convolution {
    Convolution { strides: [1, 1], pads: [pad; 4], dilations: [1, 1], group: 1 }
}

fn layers() -> QuantizedGraph {
    let mut sketch = Sketch::new(&[&[2, 3, 11, 13], &[1, 70, 6, 5]]);
    let (x, wide) = (TensorId(0), TensorId(1));
    let a = sketch.convolution(x, 20, [3, 3], Convolution { strides: [2, 1], ..plain(1) });
    for outputs in [1, 17, 48, 64, 130] {
        sketch.convolution(a, outputs, [1, 1], plain(0));
    }
    sketch.convolution(a, 9, [1, 1], Convolution { strides: [2, 2], ..plain(0) });
    sketch.convolution(a, 33, [3, 2], Convolution { dilations: [1, 2], pads: [0, 3, 2, 1], ..plain(0) });
    sketch.convolution(a, 24, [3, 3], Convolution { group: 2, ..plain(1) });
    sketch.convolution(a, 40, [3, 3], Convolution { group: 20, ..plain(1) });
    sketch.convolution(a, 20, [3, 3], Convolution { group: 20, strides: [1, 2], ..plain(1) });
    sketch.convolution(wide, 70, [3, 3], Convolution { group: 70, dilations: [2, 1], ..plain(2) });
    sketch.convolution(wide, 70, [2, 5], Convolution { group: 70, ..plain(2) });
    for (strides, pads, output_padding, dilations, group) in [
        ([1, 1], [0, 0, 0, 0], [0, 0], [1, 1], 1),
        ([2, 2], [0, 0, 1, 1], [0, 0], [1, 1], 1),
        ([2, 3], [1, 2, 0, 1], [1, 2], [2, 1], 1),
        ([3, 2], [1, 0, 0, 1], [0, 1], [1, 3], 2),
        ([5, 4], [2, 3, 1, 0], [4, 3], [1, 1], 2),
    ] {
        sketch.transposed(a, 18, TransposedConvolution { strides, pads, output_padding, dilations, group });
    }
    // Under the hybrid scheme a depth-wise convolution reads channels of their own encodings.
    let encodings: Vec<Encoding> = (0..70).map(|_| sketch.numbers.encoding()).collect();
    let by_channel = sketch.node(QuantizedOperator::Requantize, &[wide], &[1, 70, 6, 5]);
    sketch.graph.values[by_channel.index()].channels = encodings.clone();
    sketch.convolution(by_channel, 70, [3, 3], Convolution { group: 70, ..plain(1) });
    let by_channel = sketch.convolution(wide, 70, [1, 1], plain(0));
    sketch.graph.values[by_channel.index()].channels = encodings;
    sketch.convolution(by_channel, 70, [3, 3], Convolution { group: 70, ..plain(1) });
    // Dense layers of one row and several, of lengths that are no multiple of four.
    let flat = sketch.node(QuantizedOperator::Reshape, &[wide], &[1, 2100]);
    let weights = sketch.weights(&[2100, 21], 21);
    sketch.node(QuantizedOperator::Dense { weights }, &[flat], &[1, 21]);
    let rows = sketch.node(QuantizedOperator::Reshape, &[wide], &[1, 70, 30]);
    let weights = sketch.weights(&[30, 65], 65);
    sketch.node(QuantizedOperator::Dense { weights }, &[rows], &[1, 70, 65]);
    sketch.finish()
}

fn elements() -> QuantizedGraph {
    let mut sketch = Sketch::new(&[&[1, 6, 9, 8], &[1, 6, 9, 8], &[1, 6, 1, 1], &[2, 5, 12]]);
    let [x, y, channels, matrix] = [0, 1, 2, 3].map(TensorId);
    let plane = [1, 6, 9, 8];
    for operation in [Arithmetic::Add, Arithmetic::Subtract, Arithmetic::Multiply, Arithmetic::Divide] {
        let operator = || QuantizedOperator::Arithmetic(operation);
        sketch.node(operator(), &[x, y], &plane);
        sketch.node(operator(), &[x, channels], &plane);
        sketch.node(operator(), &[channels, y], &plane);
        let rows = sketch.constant(&[9, 1]);
        sketch.node(operator(), &[rows, x], &plane);
        let one = sketch.constant(&[]);
        sketch.node(operator(), &[x, one], &plane);
        let all = sketch.constant(&[6, 9, 8]);
        sketch.node(operator(), &[all, x], &plane);
    }
    let sigmoid = sketch.function(y, Function::Sigmoid);
    sketch.node(QuantizedOperator::Arithmetic(Arithmetic::Multiply), &[y, sigmoid], &plane);
    // A table in place, of what only it reads, and one that may not be.
    let once = sketch.node(QuantizedOperator::Arithmetic(Arithmetic::Add), &[x, y], &plane);
    let inner = sketch.function(once, Function::Sigmoid);
    sketch.node(QuantizedOperator::Arithmetic(Arithmetic::Multiply), &[inner, once], &plane);
    let twice = sketch.node(QuantizedOperator::Arithmetic(Arithmetic::Add), &[x, y], &plane);
    sketch.function(twice, Function::Tanh);
    sketch.convolution(twice, 3, [1, 1], plain(0));
    for kind in [PoolKind::Maximum, PoolKind::Average] {
        for (strides, pads, dilations, count_include_pad) in [
            ([1, 1], [1; 4], [1, 1], true),
            ([2, 2], [0, 1, 1, 0], [1, 1], false),
            ([1, 2], [2, 1, 2, 1], [3, 2], true),
        ] {
            let pool = Pool { kind, kernel: [3, 2], strides, pads, dilations, count_include_pad };
            let size = |axis: usize, size: usize| {
                (size + pads[axis] + pads[axis + 2] - (pool.kernel[axis] - 1) * dilations[axis] - 1) / strides[axis] + 1
            };
            let shape = [1, 6, size(0, 9), size(1, 8)];
            sketch.node(QuantizedOperator::Pool(pool), &[x], &shape);
        }
        sketch.node(QuantizedOperator::GlobalPool(kind), &[x], &[1, 6, 1, 1]);
    }
    for mode in [ResizeMode::Linear, ResizeMode::NearestFloor, ResizeMode::NearestPreferCeil] {
        for (coordinates, scales, to) in [
            (Coordinates::HalfPixel, [2.0, 3.0], [18, 24]),
            (Coordinates::Asymmetric, [2.0, 0.5], [18, 4]),
            (Coordinates::AlignCorners, [15.0 / 9.0, 13.0 / 8.0], [15, 13]),
        ] {
            let resize = Resize { mode, coordinates, scales };
            sketch.node(QuantizedOperator::Resize(resize), &[x], &[1, 6, to[0], to[1]]);
        }
    }
    for (epsilon, spread) in [(1e-5, 1.0), (0.0, 0.01)] {
        let scale = (0..6).map(|at| spread * (at as f32 + 0.5)).collect();
        let bias = (0..6).map(|at| at as f32 * 0.1 - 0.2).collect();
        sketch.node(QuantizedOperator::InstanceNormalization { epsilon, scale, bias }, &[x], &plane);
    }
    for axis in 1..4 {
        sketch.node(QuantizedOperator::Softmax { axis }, &[x], &plane);
    }
    let swapped = QuantizedOperator::Transpose { permutation: vec![0, 2, 1] };
    let swapped = sketch.node(swapped, &[matrix], &[2, 12, 5]);
    sketch.node(QuantizedOperator::MatrixProduct, &[matrix, swapped], &[2, 5, 5]);
    let other = sketch.constant(&[12, 7]);
    sketch.node(QuantizedOperator::MatrixProduct, &[matrix, other], &[2, 5, 7]);
    sketch.finish()
}

fn moves() -> QuantizedGraph {
    let mut sketch = Sketch::new(&[&[1, 6, 4, 5], &[1, 3, 4, 5]]);
    let (x, y) = (TensorId(0), TensorId(1));
    let reshaped =
        |sketch: &mut Sketch, from: TensorId, shape: &[usize]| sketch.node(QuantizedOperator::Reshape, &[from], shape);
    let transposed = |sketch: &mut Sketch, from: TensorId, permutation: &[usize]| {
        let shape: Vec<usize> = permutation.iter().map(|&axis| sketch.graph.value(from).shape[axis]).collect();
        sketch.node(QuantizedOperator::Transpose { permutation: permutation.to_vec() }, &[from], &shape)
    };
    // What leaves as it came, in the same and in another shape.
    reshaped(&mut sketch, x, &[1, 6, 4, 5]);
    reshaped(&mut sketch, x, &[120]);
    reshaped(&mut sketch, x, &[2, 3, 20]);
    // ShuffleNet's channels; pixels out of channels; a detector's head.
    let split = reshaped(&mut sketch, x, &[1, 2, 3, 4, 5]);
    let swapped = transposed(&mut sketch, split, &[0, 2, 1, 3, 4]);
    let shuffled = reshaped(&mut sketch, swapped, &[1, 6, 4, 5]);
    sketch.convolution(shuffled, 4, [1, 1], plain(0));
    let tiles = reshaped(&mut sketch, x, &[1, 3, 1, 2, 4, 5]);
    let tiles = transposed(&mut sketch, tiles, &[0, 1, 4, 2, 5, 3]);
    reshaped(&mut sketch, tiles, &[1, 3, 4, 10]);
    let last = transposed(&mut sketch, x, &[0, 2, 3, 1]);
    let head = reshaped(&mut sketch, last, &[1, 20, 6]);
    let more = transposed(&mut sketch, y, &[0, 2, 3, 1]);
    let more = reshaped(&mut sketch, more, &[1, 10, 6]);
    sketch.node(QuantizedOperator::Concat { axis: 1 }, &[head, more], &[1, 30, 6]);
    transposed(&mut sketch, x, &[3, 1, 0, 2]);
    sketch.node(QuantizedOperator::Concat { axis: 1 }, &[x, y, x], &[1, 15, 4, 5]);
    sketch.node(QuantizedOperator::Concat { axis: 3 }, &[x, shuffled], &[1, 6, 4, 10]);
    let slice = |axes: &[usize], starts: &[i64], ends: &[i64], steps: &[i64]| Slice {
        axes: axes.to_vec(),
        starts: starts.to_vec(),
        ends: ends.to_vec(),
        steps: steps.to_vec(),
    };
    for slice in [
        slice(&[1], &[2], &[5], &[1]),
        slice(&[2, 3], &[0, 1], &[4, 5], &[2, 2]),
        slice(&[1, 3], &[5, 4], &[-1, -1], &[-2, -1]),
    ] {
        let shape = slice.output_shape(&[1, 6, 4, 5]).expect("it fits");
        sketch.node(QuantizedOperator::Slice(slice), &[x], &shape);
    }
    let (before, after) = (vec![0, 1, 2, 0], vec![0, 0, 1, 3]);
    let pad = QuantizedOperator::Pad { before: before.clone(), after: after.clone(), value: -7 };
    sketch.node(pad, &[x], &[1, 7, 7, 8]);
    for continuation in [Continuation::Edge, Continuation::Reflect] {
        let extension = Extension { before: before.clone(), after: after.clone(), continuation };
        sketch.node(QuantizedOperator::Extension(extension), &[x], &[1, 7, 7, 8]);
    }
    sketch.finish()
}

/// A value's bytes in the order of its axes that the C code's callers use, from that of the graph, or back.
fn laid_out(shape: &[usize], values: &[i8], to_caller: bool) -> Vec<i8> {
    let &[n, c, h, w] = shape else { return values.to_vec() };
    let mut result = vec![0; values.len()];
    for at in 0..values.len() {
        let (image, rest) = (at / (c * h * w), at % (c * h * w));
        let (channel, pixel) = (rest / (h * w), rest % (h * w));
        let last = (image * h * w + pixel) * c + channel;
        if to_caller { result[last] = values[at] } else { result[at] = values[last] }
    }
    assert!(n > 0);
    result
}

/// A program that reads inputs and constants from files, calls the code twice and writes its outputs.
fn program(graph: &QuantizedGraph, name: &str) -> String {
    let macros = name.to_ascii_uppercase();
    let mut text = String::from("#include \"kernel_function.c\"\n#include <stdio.h>\n#include <stdlib.h>\n");
    text.push_str(
        "static void *memory(size_t n) { void *p = 0; if (posix_memalign(&p, 64, n ? n : 1)) exit(3); return p; }\n\
         static void *get(const char *name, size_t n) { FILE *f = fopen(name, \"rb\"); void *p = memory(n);\n\
         if (!f || fread(p, 1, n, f) != n) exit(2);\nfclose(f); return p; }\n\
         static void put(const char *name, const void *p, size_t n) { FILE *f = fopen(name, \"wb\");\n\
         if (!f || fwrite(p, 1, n, f) != n || fclose(f)) exit(2); }\n\
",
    );
    let pool = "get(\"constants\", (size_t)atol(argv[argc - 1]))";
    let work = format!("memory({macros}_WORKSPACE_BYTES)");
    writeln!(text, "int main(int argc, char **argv) {{\nvoid *pool = {pool};\nvoid *work = {work};\nint turn;")
        .expect("text");
    let mut arguments = Vec::new();
    for number in 0..graph.inputs.len() {
        writeln!(text, "int8_t *input_{number} = get(\"input_{number}\", {macros}_INPUT_{number}_BYTES);")
            .expect("text");
        arguments.push(format!("input_{number}"));
    }
    for number in 0..graph.outputs.len() {
        writeln!(text, "int8_t *output_{number} = memory({macros}_OUTPUT_{number}_BYTES);").expect("text");
        arguments.push(format!("output_{number}"));
    }
    let arguments = arguments.join(", ");
    writeln!(text, "for (turn = 0; turn < 2; turn++) if ({name}({arguments}, pool, work)) return 4;").expect("text");
    for number in 0..graph.outputs.len() {
        writeln!(text, "put(\"output_{number}\", output_{number}, {macros}_OUTPUT_{number}_BYTES);").expect("text");
    }
    text.push_str("return 0;\n}\n");
    text
}

fn has(compiler: &str) -> bool {
    Command::new(compiler).arg("--version").output().is_ok_and(|done| done.status.success())
}

/// One node of a graph as a network of its own.
fn alone(graph: &QuantizedGraph, node: &QuantizedNode) -> QuantizedGraph {
    let mut inputs: Vec<TensorId> = node.inputs.clone();
    inputs.retain(|&id| graph.value(id).constant.is_none());
    inputs.dedup();
    let values = graph.values.clone();
    QuantizedGraph { name: graph.name.clone(), values, nodes: vec![node.clone()], inputs, outputs: vec![node.output] }
}

#[test]
fn code_of_a_network_of_one_operator_compiles_without_a_warning() {
    let warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"];
    let mut seen = std::collections::BTreeSet::new();
    let mut wrong = Vec::new();
    for graph in [layers(), elements(), moves()] {
        for node in &graph.nodes {
            let operator = format!("{:?}", node.operator);
            let kind = operator.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
            if !seen.insert(kind.clone()) {
                continue;
            }
            let mut pool = ConstantPool::default();
            let code = emit(&alone(&graph, node), &mut pool, &CancelToken::new()).expect("code");
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("code.c"), code.source).expect("written");
            for (compiler, machine) in [("gcc", "-O0"), ("clang", "-O0"), ("clang", "-march=native")] {
                if !has(compiler) {
                    let _ = writeln!(std::io::stderr(), "skipped: there is no {compiler}");
                    continue;
                }
                let mut command = Command::new(compiler);
                let command = command.current_dir(folder.path()).args(warnings).args(["-std=c99", machine, "code.c"]);
                let made = command.output().expect("it runs");
                if !made.status.success() || !made.stderr.is_empty() {
                    wrong.push(format!("{kind}, {compiler} {machine}: {}", String::from_utf8_lossy(&made.stderr)));
                }
            }
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn compare(graph: &QuantizedGraph, name: &str, folder: &Path, compiler: &str, flags: &[&str]) -> Result<(), String> {
    let mut pool = ConstantPool::default();
    let code = emit(graph, &mut pool, &CancelToken::new()).map_err(|error| error.to_string())?;
    let constants = pool.finish();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("written");
    write("kernel_function.c", code.source.as_bytes());
    write("constants", &constants);
    write("main.c", program(graph, name).as_bytes());
    let mut numbers = Numbers(991);
    let inputs: Vec<Vec<i8>> = graph.inputs.iter().map(|&id| numbers.bytes(graph.value(id).len(), -128)).collect();
    for (number, (input, &id)) in inputs.iter().zip(&graph.inputs).enumerate() {
        let bytes: Vec<u8> = laid_out(&graph.value(id).shape, input, true).iter().map(|&q| q as u8).collect();
        write(&format!("input_{number}"), &bytes);
    }
    let program = folder.join("program");
    let mut command = Command::new(compiler);
    let made = command.current_dir(folder).args(flags).args(["main.c", "-o", "program"]).output().expect("it runs");
    if !made.status.success() || !made.stderr.is_empty() {
        return Err(format!("{compiler} {flags:?}: {}", String::from_utf8_lossy(&made.stderr)));
    }
    let mut command = Command::new(program);
    // The program ends without giving its memory back.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    let ran = command.current_dir(folder).arg(constants.len().to_string()).output().expect("it runs");
    if !ran.status.success() || !ran.stderr.is_empty() {
        return Err(format!("{compiler} {flags:?}: {} {}", ran.status, String::from_utf8_lossy(&ran.stderr)));
    }
    let executor = Executor::new(graph).map_err(|error| error.to_string())?;
    let expected = executor.run_int8(&inputs, &mut |_, _| ()).map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    for (number, (&id, expected)) in graph.outputs.iter().zip(&expected).enumerate() {
        let bytes = std::fs::read(folder.join(format!("output_{number}"))).expect("an output");
        let found: Vec<i8> = bytes.iter().map(|&byte| byte as i8).collect();
        let found = laid_out(&graph.value(id).shape, &found, false);
        let differences = found.iter().zip(expected).filter(|(found, expected)| found != expected).count();
        if differences > 0 || found.len() != expected.len() {
            let node =
                graph.nodes.iter().find(|node| node.output == id).map(|node| format!("{:.300}", format!("{node:?}")));
            wrong.push(format!("{differences} of {} elements differ: {}", found.len(), node.unwrap_or_default()));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{compiler} {flags:?}: {}", wrong.join("\n"))) }
}

/// Names that mean something to compilers, in headers or in libraries.
const TAKEN: [&str; 27] = [
    "int",
    "INT8_MAX",
    "INT32_C",
    "int8_t",
    "uintptr_t",
    "int_fast16_t",
    "asm",
    "typeof",
    "linux",
    "unix",
    "i386",
    "inline",
    "restrict",
    "auto",
    "bool",
    "true",
    "nullptr",
    "constexpr",
    "static_assert",
    "thread_local",
    "typeof_unqual",
    "sin",
    "memcpy",
    "y1",
    "exit",
    "NULL",
    "SIZE_MAX",
];

#[test]
fn a_network_may_have_any_name() {
    let compilers: Vec<&str> = ["gcc", "clang"].into_iter().filter(|compiler| has(compiler)).collect();
    if compilers.is_empty() {
        let _ = writeln!(std::io::stderr(), "skipped: there is no compiler of C");
    }
    let mut wrong = Vec::new();
    for name in TAKEN {
        let mut sketch = Sketch::new(&[&[1, 4]]);
        let input = sketch.graph.inputs[0];
        sketch.function(input, Function::Relu);
        let graph = QuantizedGraph { name: name.to_owned(), ..sketch.finish() };
        let code = emit(&graph, &mut ConstantPool::default(), &CancelToken::new()).expect("emitted").source;
        let folder = tempfile::tempdir().expect("a folder");
        // A caller has more headers than the code itself.
        let headers = ["inttypes", "math", "stddef", "stdlib", "string", "unistd"];
        let mut text: String =
            headers.iter().fold(String::new(), |text, header| format!("{text}#include <{header}.h>\n"));
        text.push_str("#include \"kernel_function.c\"\n");
        std::fs::write(folder.path().join("kernel_function.c"), code).expect("written");
        std::fs::write(folder.path().join("main.c"), text).expect("written");
        for compiler in &compilers {
            let mut command = Command::new(compiler);
            command.args(["-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "main.c"]);
            let made = command.current_dir(folder.path()).output().expect("it runs");
            if !made.status.success() {
                wrong.push(format!("{name}: {}", String::from_utf8_lossy(&made.stderr)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn compiled_code_computes_what_the_reference_computes() {
    let common = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];
    let checked = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    // The plain form and the one in vectors, each with a compiler's sanitizers.
    let variants: [(&str, &[&str], bool); 7] = [
        ("gcc", &["-std=c99", "-O1", "-D_POSIX_C_SOURCE=200112L"], true),
        ("gcc", &["-std=gnu17", "-O3", "-march=native"], false),
        ("clang", &["-std=c99", "-O0", "-D_POSIX_C_SOURCE=200112L"], false),
        ("clang", &["-std=gnu17", "-O1", "-march=native"], true),
        // What most processors have, where the one at hand can run it.
        ("gcc", &["-std=gnu17", "-O1", "-mavx2"], true),
        ("clang", &["-std=gnu17", "-O1", "-march=haswell"], false),
        ("gcc", &["-std=gnu17", "-O1", "-mavx2", "-masm=intel"], false),
    ];
    let whole = quantized(&network(), 1, 0).expect("quantized").graph;
    let graphs = [("layers", layers()), ("elements", elements()), ("moves", moves()), ("network", whole)];
    let mut wrong = Vec::new();
    for (compiler, flags, is_checked) in variants {
        if !has(compiler) {
            let _ = writeln!(std::io::stderr(), "skipped: there is no {compiler}");
            continue;
        }
        if flags.iter().any(|flag| flag.contains("avx2") || flag.contains("haswell")) && !has_avx2() {
            let _ = writeln!(std::io::stderr(), "skipped: the processor has no AVX2");
            continue;
        }
        let checks = checked.into_iter().filter(|_| is_checked);
        let flags: Vec<&str> = common.into_iter().chain(flags.iter().copied()).chain(checks).collect();
        for (label, graph) in &graphs {
            let folder = tempfile::tempdir().expect("a folder");
            if let Err(message) = compare(graph, &identifier(&graph.name), folder.path(), compiler, &flags) {
                wrong.push(format!("{label}: {message}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
