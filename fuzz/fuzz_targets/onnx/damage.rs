//! Changes of a decoded ONNX file: what is written again still decodes, so that the stages behind decoding are reached.

use axzoo::base::SplitMix;
use axzoo::compiler::onnx::proto::AttributeProto;
use axzoo::compiler::onnx::proto::GraphProto;
use axzoo::compiler::onnx::proto::ModelProto;
use axzoo::compiler::onnx::proto::NodeProto;
use axzoo::compiler::onnx::proto::TensorProto;
use axzoo::compiler::onnx::proto::ValueInfoProto;
use libfuzzer_sys::fuzzer_mutate;
use prost::Message;

#[rustfmt::skip]
const OPERATORS: &[&str] = &[
    "Abs", "Add", "Affine", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "Constant",
    "ConstantOfShape", "Conv", "ConvTranspose", "Crop", "DepthToSpace", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp",
    "Expand", "Flatten", "Floor", "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish",
    "Identity", "ImageScaler", "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Log", "MatMul", "Max",
    "MaxPool", "Min", "Mul", "Neg", "PRelu", "Pad", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceSum",
    "Relu", "Reshape", "Resize", "Selu", "Shape", "Sigmoid", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth",
    "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Transpose", "Unsqueeze", "Upsample", "Where", "TopK", "Sinh",
];

#[rustfmt::skip]
const ATTRIBUTES: &[&str] = &[
    "alpha", "axes", "axis", "beta", "blocksize", "ceil_mode", "coordinate_transformation_mode", "count_include_pad",
    "dilations", "epsilon", "group", "keepdims", "kernel_shape", "mode", "nearest_mode", "noop_with_empty_axes",
    "num_outputs", "output_padding", "output_shape", "pads", "perm", "scales", "split", "starts", "ends", "strides",
    "to", "transA", "transB", "allowzero", "auto_pad", "value", "value_ints", "value_floats", "batch_dims", "border",
];

#[rustfmt::skip]
const TEXTS: &[&str] = &[
    "", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "nearest", "linear", "cubic", "half_pixel", "asymmetric",
    "align_corners", "pytorch_half_pixel", "tf_crop_and_resize", "constant", "reflect", "edge", "DCR", "CRD", "floor",
    "round_prefer_floor",
];

#[rustfmt::skip]
const NUMBERS: &[i64] = &[
    0, 1, -1, 2, 3, 4, 5, 7, 8, 16, -2, -3, -4, 32, 64, 127, 128, 255, 256, 1000, 65_535, 1 << 20, 1 << 28, (1 << 28) + 1,
    i32::MAX as i64, i32::MIN as i64, 1 << 32, 1 << 40, 1 << 62, i64::MAX, i64::MIN, i64::MAX - 1,
];

const FLOATS: &[f32] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    1e-30,
    1e30,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    1e-45,
];

struct Damage(SplitMix);

impl Damage {
    fn below(&mut self, limit: usize) -> usize {
        (self.0.draw() % limit.max(1) as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn pick<'a, T>(&mut self, list: &'a mut [T]) -> Option<&'a mut T> {
        let place = self.below(list.len());
        list.get_mut(place)
    }

    /// One of the numbers at which things break, one near `old`, or a small one.
    fn number(&mut self, old: i64) -> i64 {
        match self.below(3) {
            0 => self.one_of(NUMBERS),
            1 => old.wrapping_add(self.below(5) as i64 - 2),
            _ => self.below(17) as i64 - 4,
        }
    }

    /// Changes, adds or removes a number.
    fn numbers(&mut self, list: &mut Vec<i64>) {
        match self.below(6) {
            0 => {
                list.pop();
            }
            1 => {
                let new = self.number(1);
                list.push(new);
            }
            2 => list.reverse(),
            _ => {
                if let Some(place) = (!list.is_empty()).then(|| self.below(list.len())) {
                    list[place] = self.number(list[place]);
                }
            }
        }
    }

    fn bytes(&mut self, bytes: &mut Vec<u8>) {
        match self.below(4) {
            0 => bytes.truncate(self.below(bytes.len() + 1)),
            1 => {
                let more = self.below(9);
                bytes.resize((bytes.len() + more).min(1 << 15), 1);
            }
            _ => {
                for _ in 0..=self.below(4) {
                    let new = self.0.draw() as u8;
                    if let Some(byte) = self.pick(bytes) {
                        *byte = new;
                    }
                }
            }
        }
    }

    /// Another shape with as many values as it asks for, or just one of the two changed.
    fn tensor(&mut self, tensor: &mut TensorProto) {
        match self.below(8) {
            0 => self.numbers(&mut tensor.dims),
            1 => self.bytes(&mut tensor.raw_data),
            2 => tensor.data_type = self.below(18) as i32,
            3 => tensor.data_location = self.below(4) as i32,
            4 => {
                let values: Vec<f32> = (0..self.below(64)).map(|_| self.one_of(FLOATS)).collect();
                *tensor = TensorProto::from_f32(&tensor.name, &[values.len()], &values);
            }
            5 => {
                let values: Vec<i64> = (0..self.below(9)).map(|_| self.number(1)).collect();
                *tensor = TensorProto::from_i64(&tensor.name, &[values.len()], &values);
            }
            _ => {
                let shape: Vec<usize> = (0..self.below(6)).map(|_| 1 + self.below(8)).collect();
                let count: usize = shape.iter().product();
                if count <= 4096 {
                    let values: Vec<f32> = (0..count).map(|place| (place % 13) as f32 / 8.0 - 0.5).collect();
                    *tensor = TensorProto::from_f32(&tensor.name, &shape, &values);
                }
            }
        }
    }

    fn attribute(&mut self, attribute: &mut AttributeProto) {
        match self.below(7) {
            0 => attribute.name = self.one_of(ATTRIBUTES).to_owned(),
            1 => attribute.r#type = self.below(12) as i32,
            2 | 3 if !attribute.ints.is_empty() => self.numbers(&mut attribute.ints),
            2 | 3 => attribute.i = Some(self.number(attribute.i.unwrap_or(0))),
            4 => attribute.f = Some(self.one_of(FLOATS)),
            5 => attribute.s = Some(self.one_of(TEXTS).as_bytes().to_vec()),
            _ => match &mut attribute.t {
                Some(tensor) => self.tensor(tensor),
                None => self.numbers(&mut attribute.ints),
            },
        }
    }

    fn new_attribute(&mut self) -> AttributeProto {
        let name = self.one_of(ATTRIBUTES);
        match self.below(4) {
            0 => AttributeProto::int(name, self.number(0)),
            1 => AttributeProto::integers(name, (0..self.below(9)).map(|_| self.number(1)).collect::<Vec<_>>()),
            2 => AttributeProto::float(name, self.one_of(FLOATS)),
            _ => AttributeProto::text(name, self.one_of(TEXTS)),
        }
    }

    fn node(&mut self, node: &mut NodeProto, names: &[String]) {
        let name = |damage: &mut Self| names.get(damage.below(names.len())).cloned().unwrap_or_default();
        match self.below(8) {
            0 => node.op_type = self.one_of(OPERATORS).to_owned(),
            1 => {
                let new = name(self);
                if let Some(input) = self.pick(&mut node.input) {
                    *input = new;
                }
            }
            2 => {
                let new = name(self);
                node.input.push(new);
            }
            3 => {
                node.input.pop();
            }
            4 => {
                let new = self.new_attribute();
                node.attribute.push(new);
            }
            5 => {
                let place = self.below(node.attribute.len());
                if place < node.attribute.len() {
                    node.attribute.remove(place);
                }
            }
            _ => {
                let place = self.below(node.attribute.len());
                if let Some(attribute) = node.attribute.get_mut(place) {
                    self.attribute(attribute);
                }
            }
        }
    }

    fn value(&mut self, value: &mut ValueInfoProto) {
        let Some(tensor) = value.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut()) else { return };
        if self.below(8) == 0 {
            tensor.elem_type = self.below(18) as i32;
        } else if let Some(shape) = &mut tensor.shape {
            let mut sizes: Vec<i64> = shape.dim.iter().map(|axis| axis.dim_value.unwrap_or(0)).collect();
            self.numbers(&mut sizes);
            let unsigned: Vec<usize> = sizes.iter().map(|&size| size.unsigned_abs() as usize).collect();
            *value = ValueInfoProto::tensor(&value.name, tensor.elem_type, &unsigned);
        }
    }

    /// A node between what is there and an output, or a copy of one.
    fn add_node(&mut self, graph: &mut GraphProto, names: &[String]) {
        let mut node = match graph.node.get(self.below(graph.node.len())) {
            Some(node) if self.below(2) == 0 => node.clone(),
            _ => NodeProto { op_type: self.one_of(OPERATORS).to_owned(), ..NodeProto::default() },
        };
        if node.input.is_empty() {
            for _ in 0..=self.below(3) {
                node.input.push(names.get(self.below(names.len())).cloned().unwrap_or_default());
            }
        }
        let made = format!("n{}", graph.node.len());
        node.output = vec![made.clone()];
        if let Some(output) = self.pick(&mut graph.output)
            && let Some(writer) = graph.node.iter_mut().find(|writer| writer.output.first() == Some(&output.name))
        {
            // It comes in front of the output: the writer's result goes through it.
            let before = format!("m{}", writer.output.len() + graph_digit(&made));
            writer.output[0].clone_from(&before);
            node.input[0] = before;
            node.output[0].clone_from(&output.name);
        }
        graph.node.push(node);
    }

    fn graph(&mut self, graph: &mut GraphProto) {
        let written = graph.node.iter().flat_map(|node| node.output.iter().cloned());
        let given = graph.input.iter().map(|input| input.name.clone());
        let names: Vec<String> =
            written.chain(given).chain(graph.initializer.iter().map(|tensor| tensor.name.clone())).take(4096).collect();
        match self.below(16) {
            0 => self.add_node(graph, &names),
            1 => {
                let place = self.below(graph.node.len());
                if place < graph.node.len() {
                    graph.node.remove(place);
                }
            }
            2 | 3 => {
                let place = self.below(graph.input.len());
                if let Some(input) = graph.input.get_mut(place) {
                    self.value(input);
                }
            }
            4 => {
                if let Some(name) = names.get(self.below(names.len())) {
                    graph.output.push(ValueInfoProto::tensor(name, 1, &[]));
                }
            }
            5 => {
                let place = self.below(graph.output.len());
                if graph.output.len() > 1 {
                    graph.output.remove(place);
                }
            }
            6..=8 => {
                let place = self.below(graph.initializer.len());
                if let Some(tensor) = graph.initializer.get_mut(place) {
                    self.tensor(tensor);
                }
            }
            9 => {
                let mut tensor =
                    TensorProto { name: format!("t{}", graph.initializer.len()), ..TensorProto::default() };
                self.tensor(&mut tensor);
                graph.initializer.push(tensor);
            }
            _ => {
                let place = self.below(graph.node.len());
                if let Some(node) = graph.node.get_mut(place) {
                    self.node(node, &names);
                }
            }
        }
    }
}

fn graph_digit(name: &str) -> usize {
    name.len() * 1000 + name.bytes().map(usize::from).sum::<usize>()
}

/// Changes the `size` bytes at the start of `data`; gives the new size.
pub fn damage(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut damage = Damage(SplitMix::new(u64::from(seed)));
    let decoded = ModelProto::decode(&data[..size]);
    let (Ok(mut model), true) = (decoded, damage.below(8) > 0) else {
        return fuzzer_mutate(data, size, max_size);
    };
    for _ in 0..=damage.below(3) {
        if damage.below(40) == 0
            && let Some(opset) = damage.pick(&mut model.opset_import)
        {
            opset.version = 7;
        }
        if damage.below(20) == 0
            && let Some(opset) = model.opset_import.first_mut()
        {
            opset.version = 6 + damage.below(14) as i64;
        }
        if let Some(graph) = &mut model.graph {
            damage.graph(graph);
        }
    }
    let bytes = model.encode_to_vec();
    if bytes.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
}
