//! The quantized graph as standard ONNX (opset 17): float operators between `QuantizeLinear` and `DequantizeLinear`, which
//! any runtime can execute or turn into its own integer kernels.
//!
//! Each value keeps its name where it is dequantized, so the network's outputs do. Inputs and outputs stay float. Weights are
//! int8 with one scale for each output channel (axis 0 of a convolution, axis 1 of a dense layer), biases int32 in steps of
//! `s_x·s_w`. A fused activation stands between its producer and the quantization.

use std::borrow::Cow;

use prost::Message;

use crate::compiler::graph::Graph;
use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::export_proto;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::proto::ValueInfoProto;
use crate::compiler::onnx::proto::data_type;
use crate::compiler::operators::Operator;
use crate::compiler::operators::transposed::by_input_channel;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::contract::bias_scale;

fn int8_tensor(name: &str, shape: &[usize], values: &[i8]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: shape.iter().map(|&size| size as i64).collect(),
        data_type: data_type::INT8,
        raw_data: values.iter().map(|&value| value as u8).collect(),
        ..TensorProto::default()
    }
}

fn int32_tensor(name: &str, values: &[i32]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![values.len() as i64],
        data_type: data_type::INT32,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

impl QuantizedGraph {
    /// The bytes of the ONNX file.
    #[must_use]
    pub fn to_qdq_onnx(&self) -> Vec<u8> {
        let mut export = Export { graph: self, writer: Writer::new(&Graph::default()), names: Vec::new() };
        // Every value's own name is taken before any is made up.
        for value in &self.values {
            export.writer.unused_name(&value.name);
        }
        export.run();
        let Export { writer, .. } = export;
        let (node, initializer) = writer.finish();
        let information = |&id: &TensorId| {
            let value = self.value(id);
            ValueInfoProto::tensor(&value.name, data_type::FLOAT, &value.shape)
        };
        // An empty graph gives the frame: versions, producer.
        let mut model = export_proto(&Graph { name: self.name.clone(), ..Graph::default() });
        if let Some(graph) = &mut model.graph {
            graph.node = node;
            graph.initializer = initializer;
            graph.input = self.inputs.iter().map(information).collect();
            graph.output = self.outputs.iter().map(information).collect();
        }
        model.encode_to_vec()
    }
}

/// Names of the scale and zero point of a value.
struct Parameters {
    scale: String,
    zero_point: String,
    /// `axis`, where channels differ.
    attributes: Vec<AttributeProto>,
}

struct Export<'a> {
    graph: &'a QuantizedGraph,
    writer: Writer,
    /// By [`TensorId`]: the name under which nodes read the value.
    names: Vec<String>,
}

impl Export<'_> {
    fn run(&mut self) {
        let graph = self.graph;
        self.names = graph.values.iter().map(|value| value.name.clone()).collect();
        for (index, value) in graph.values.iter().enumerate() {
            if let Some(constant) = &value.constant {
                let name = self.writer.unused_name(&format!("{}/int8", value.name));
                self.writer.constant(int8_tensor(&name, &value.shape, constant));
                let parameters = self.parameters(TensorId(index as u32));
                self.dequantize(&name, &parameters, &value.name.clone());
            }
        }
        for &input in &graph.inputs {
            // The float input has the value's name, so what nodes read has another one.
            let name = &graph.value(input).name;
            let real = self.writer.unused_name(&format!("{name}/real"));
            self.quantize_and_dequantize(input, name, &real);
            self.names[input.index()] = real;
        }
        for node in &graph.nodes {
            self.node(node);
        }
    }

    fn parameters(&mut self, id: TensorId) -> Parameters {
        let value = self.graph.value(id);
        let scale = self.writer.unused_name(&format!("{}/scale", value.name));
        let zero_point = self.writer.unused_name(&format!("{}/zero_point", value.name));
        let one = [value.encoding];
        let (encodings, shape, attributes) = match value.channels.len() {
            0 => (&one[..], vec![], vec![]),
            count => (&value.channels[..], vec![count], vec![AttributeProto::int("axis", 1)]),
        };
        let scales: Vec<f32> = encodings.iter().map(|encoding| encoding.scale).collect();
        let zero_points: Vec<i8> = encodings.iter().map(|encoding| encoding.zero_point).collect();
        self.writer.constant(TensorProto::from_f32(&scale, &shape, &scales));
        self.writer.constant(int8_tensor(&zero_point, &shape, &zero_points));
        Parameters { scale, zero_point, attributes }
    }

    fn dequantize(&mut self, int8: &str, parameters: &Parameters, real: &str) {
        let inputs = [int8, &parameters.scale, &parameters.zero_point];
        let attributes = parameters.attributes.clone();
        self.writer.raw_node("DequantizeLinear", &format!("{real}/dequantize"), &inputs, real, attributes);
    }

    fn quantize_and_dequantize(&mut self, id: TensorId, from: &str, to: &str) {
        let value = self.graph.value(id);
        let parameters = self.parameters(id);
        let int8 = self.writer.unused_name(&format!("{}/int8", value.name));
        let inputs = [from, &parameters.scale, &parameters.zero_point];
        let attributes = parameters.attributes.clone();
        self.writer.raw_node("QuantizeLinear", &format!("{}/quantize", value.name), &inputs, &int8, attributes);
        self.dequantize(&int8, &parameters, to);
    }

    /// Weights and, where the float layer has one, the bias: the names of both dequantized.
    fn weights(&mut self, node: &QuantizedNode, weights: &Weights, axis: i64) -> Vec<String> {
        let output = self.graph.value(node.output).name.as_str();
        let input = self.graph.value(node.inputs[0]);
        let count = weights.scales.len();
        let input_scale = |output: usize| input.encoding_of(input.channel_read_by(output, count)).scale;
        let attributes = |axis| vec![AttributeProto::int("axis", axis)];
        // Two layers may share their float weights; quantized ones differ with the inputs' scales.
        let real = self.writer.unused_name(&format!("{output}/weights"));
        let [int8, scales] = ["int8", "scales"].map(|part| self.writer.unused_name(&format!("{real}/{part}")));
        let group = match &node.operator {
            QuantizedOperator::TransposedConvolution { attributes, .. } => Some(attributes.group),
            _ => None,
        };
        // ONNX has the output channels of a transposed convolution on axis 1, and those of several groups on none: they are
        // dequantized by rows, then moved.
        let (shape, values, axis) = match group {
            Some(1) => {
                let (shape, values) = by_input_channel(&weights.shape, &weights.values, 1);
                (shape, Cow::Owned(values), 1)
            }
            _ => (weights.shape.clone(), Cow::Borrowed(&weights.values), axis),
        };
        let dequantized = match group {
            Some(2..) => self.writer.unused_name(&format!("{real}/rows")),
            _ => real.clone(),
        };
        self.writer.constant(int8_tensor(&int8, &shape, &values));
        self.writer.constant(TensorProto::from_f32(&scales, &[weights.scales.len()], &weights.scales));
        let name = format!("{real}/dequantize");
        self.writer.raw_node("DequantizeLinear", &name, &[&int8, &scales], &dequantized, attributes(axis));
        if let Some(group @ 2..) = group {
            self.move_rows(&dequantized, &weights.shape, group, &real);
        }
        let mut names = vec![real];
        if weights.bias_name.is_some() {
            let real = self.writer.unused_name(&format!("{output}/bias"));
            let [int32, scales] = ["int32", "scales"].map(|part| self.writer.unused_name(&format!("{real}/{part}")));
            let scales_of_bias = weights.scales.iter().enumerate();
            let bias_scales: Vec<f32> =
                scales_of_bias.map(|(output, &scale)| bias_scale(input_scale(output), scale)).collect();
            self.writer.constant(int32_tensor(&int32, &weights.bias));
            self.writer.constant(TensorProto::from_f32(&scales, &[bias_scales.len()], &bias_scales));
            let name = format!("{real}/dequantize");
            self.writer.raw_node("DequantizeLinear", &name, &[&int32, &scales], &real, attributes(0));
            names.push(real);
        }
        names
    }

    /// Weights `[O,C/group,kh,kw]` to `[C,O/group,kh,kw]`, by a reshape, a transpose and a reshape.
    fn move_rows(&mut self, rows: &str, shape: &[usize], group: usize, real: &str) {
        let &[outputs, inputs, height, width] = shape else { return };
        let parts = [group, outputs / group, inputs, height, width];
        let moved = [group * inputs, outputs / group, height, width];
        let [split, exchanged] = ["split", "exchanged"].map(|part| self.writer.unused_name(&format!("{real}/{part}")));
        self.reshape(rows, &parts, &split);
        let permutation = AttributeProto::integers("perm", [0, 2, 1, 3, 4]);
        self.writer.raw_node("Transpose", &format!("{real}/exchange"), &[&split], &exchanged, vec![permutation]);
        self.reshape(&exchanged, &moved, real);
    }

    fn reshape(&mut self, from: &str, shape: &[usize], to: &str) {
        let name = self.writer.unused_name(&format!("{to}/shape"));
        let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        self.writer.constant(TensorProto::from_i64(&name, &[sizes.len()], &sizes));
        self.writer.raw_node("Reshape", &format!("{to}/reshape"), &[from, &name], to, vec![]);
    }

    fn node(&mut self, node: &QuantizedNode) {
        let graph = self.graph;
        let output = graph.value(node.output);
        if let QuantizedOperator::Requantize = node.operator {
            let from = self.names[node.inputs[0].index()].clone();
            self.quantize_and_dequantize(node.output, &from, &output.name);
            return;
        }
        let mut inputs: Vec<String> = node.inputs.iter().map(|input| self.names[input.index()].clone()).collect();
        let mut shapes: Vec<&[usize]> = node.inputs.iter().map(|&input| graph.value(input).shape.as_slice()).collect();
        let weights = match &node.operator {
            QuantizedOperator::Convolution { weights, .. }
            | QuantizedOperator::TransposedConvolution { weights, .. } => Some((weights, 0)),
            QuantizedOperator::Dense { weights } => Some((weights, 1)),
            _ => None,
        };
        let bias_shape;
        if let Some((weights, axis)) = weights {
            inputs.extend(self.weights(node, weights, axis));
            bias_shape = [weights.bias.len()];
            shapes.push(&weights.shape);
            shapes.push(&bias_shape);
        }
        let channels;
        if let QuantizedOperator::InstanceNormalization { scale, bias, .. } = &node.operator {
            channels = [scale.len()];
            for (part, values) in [("scales", scale), ("bias", bias)] {
                let name = self.writer.unused_name(&format!("{}/{part}", output.name));
                self.writer.constant(TensorProto::from_f32(&name, &channels, values));
                inputs.push(name);
                shapes.push(&channels);
            }
        }
        let float = self.writer.unused_name(&format!("{}/float", output.name));
        let first = match node.activation {
            Some(_) => self.writer.unused_name(&format!("{}/before_activation", output.name)),
            None => float.clone(),
        };
        let exported = ExportedNode {
            name: &node.name,
            inputs: inputs.iter().map(String::as_str).collect(),
            input_shapes: shapes,
            output: &first,
            output_shape: &output.shape,
        };
        self.float_operator(node).export(&exported, &mut self.writer);
        if let Some(activation) = node.activation {
            let exported = ExportedNode {
                name: &format!("{}/activation", node.name),
                inputs: vec![&first],
                input_shapes: vec![&output.shape],
                output: &float,
                output_shape: &output.shape,
            };
            Operator::Function(activation).export(&exported, &mut self.writer);
        }
        self.quantize_and_dequantize(node.output, &float, &output.name);
    }

    /// The float operator that a node simulates.
    fn float_operator(&self, node: &QuantizedNode) -> Operator {
        match &node.operator {
            QuantizedOperator::Convolution { attributes, .. } => Operator::Convolution(attributes.clone()),
            QuantizedOperator::TransposedConvolution { attributes, .. } => {
                Operator::TransposedConvolution(attributes.clone())
            }
            QuantizedOperator::Dense { .. } => Operator::Dense,
            QuantizedOperator::MatrixProduct => Operator::MatrixProduct,
            QuantizedOperator::Arithmetic(arithmetic) => Operator::Arithmetic(*arithmetic),
            QuantizedOperator::Function { function, .. } => Operator::Function(*function),
            QuantizedOperator::Pool(pool) => Operator::Pool(pool.clone()),
            QuantizedOperator::GlobalPool(kind) => Operator::GlobalPool(*kind),
            QuantizedOperator::Requantize | QuantizedOperator::Reshape => Operator::Reshape,
            QuantizedOperator::Transpose { permutation } => Operator::Transpose { permutation: permutation.clone() },
            QuantizedOperator::Slice(slice) => Operator::Slice(slice.clone()),
            QuantizedOperator::Pad { before, after, value } => Operator::Pad {
                before: before.clone(),
                after: after.clone(),
                value: self.graph.value(node.output).encoding.dequantize(*value),
            },
            QuantizedOperator::Extension(extension) => Operator::Extension(extension.clone()),
            QuantizedOperator::InstanceNormalization { epsilon, .. } => {
                Operator::InstanceNormalization { epsilon: *epsilon }
            }
            QuantizedOperator::Concat { axis } => Operator::Concat { axis: *axis },
            QuantizedOperator::Resize(resize) => Operator::Resize(resize.clone()),
            QuantizedOperator::Softmax { axis } => Operator::Softmax { axis: *axis },
        }
    }
}
