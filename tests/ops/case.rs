//! A reference case: read, turned into a quantized graph of one node, run by the integer reference.

use axzoo::compiler::operators::Arithmetic;
use axzoo::compiler::operators::Convolution;
use axzoo::compiler::operators::Coordinates;
use axzoo::compiler::operators::Function;
use axzoo::compiler::operators::Pool;
use axzoo::compiler::operators::PoolKind;
use axzoo::compiler::operators::Resize;
use axzoo::compiler::operators::ResizeMode;
use axzoo::compiler::operators::TransposedConvolution;
use axzoo::compiler::operators::function::integer::evaluate;
use axzoo::compiler::operators::transposed::by_output_channel;
use axzoo::compiler::quantize::QuantizedGraph;
use axzoo::compiler::quantize::QuantizedNode;
use axzoo::compiler::quantize::QuantizedOperator;
use axzoo::compiler::quantize::QuantizedValue;
use axzoo::compiler::quantize::TensorId;
use axzoo::compiler::quantize::Weights;
use axzoo::compiler::quantize::contract::Encoding;
use axzoo::compiler::quantize::contract::function_table;
use axzoo::compiler::reference::Executor;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// A file: one operator, several cases.
#[derive(Deserialize)]
pub(crate) struct File {
    pub(crate) operator: String,
    pub(crate) cases: Vec<Case>,
}

/// One case; what an operator does not need is absent.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    inputs: Vec<Tensor>,
    #[serde(default)]
    input_encodings: Vec<Bits>,
    output_encoding: Option<Bits>,
    /// Encodings of the channels of the first input, and of the output, where they have some.
    #[serde(default)]
    input_channels: Vec<Bits>,
    #[serde(default)]
    output_channels: Vec<Bits>,
    weights: Option<Tensor>,
    weight_scales: Option<Tensor>,
    bias: Option<Tensor>,
    #[serde(default)]
    attributes: Attributes,
    output: Tensor,
}

/// A scale as the bits of its f32, and a zero point.
#[derive(Deserialize, Clone, Copy)]
struct Bits {
    scale_bits: u32,
    zero_point: i8,
}

impl Bits {
    fn encoding(self) -> Encoding {
        Encoding { scale: f32::from_bits(self.scale_bits), zero_point: self.zero_point }
    }
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    data: String,
}

impl Tensor {
    /// Nothing where the text is no base64: the number of elements is then wrong, and the case fails.
    fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(&self.data).unwrap_or_default()
    }

    fn int8(&self) -> Vec<i8> {
        self.bytes().into_iter().map(|byte| byte as i8).collect()
    }

    fn words(&self) -> Vec<u32> {
        self.bytes().as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
    }

    fn floats(&self) -> Vec<f32> {
        self.words().into_iter().map(f32::from_bits).collect()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Attributes {
    kernel_shape: Vec<usize>,
    strides: Vec<usize>,
    pads: Vec<usize>,
    output_padding: Vec<usize>,
    dilations: Vec<usize>,
    group: usize,
    axis: usize,
    coordinates: String,
    scales: Vec<f32>,
    alpha: f32,
    count_include_pad: u8,
}

fn pair(values: &[usize]) -> [usize; 2] {
    values.try_into().unwrap_or([1, 1])
}

impl Case {
    /// Expected and found elements, as integers whose distance is the difference.
    pub(crate) fn run(&self, operator: &str) -> Result<(Vec<i32>, Vec<i32>), String> {
        let int8 = |values: Vec<i8>| values.into_iter().map(i32::from).collect::<Vec<_>>();
        match operator {
            "QuantizeLinear" => {
                let encoding = self.output_encoding()?;
                let found = self.inputs[0].floats().into_iter().map(|x| encoding.quantize(x)).collect();
                Ok((int8(self.output.int8()), int8(found)))
            }
            "DequantizeLinear" => {
                let encoding = self.input_encoding(0)?;
                let found = self.inputs[0].int8().into_iter().map(|q| encoding.dequantize(q).to_bits() as i32);
                Ok((self.output.words().into_iter().map(|word| word as i32).collect(), found.collect()))
            }
            _ => Ok((int8(self.output.int8()), int8(self.run_node(self.operator(operator)?)?))),
        }
    }

    fn input_encoding(&self, index: usize) -> Result<Encoding, String> {
        self.input_encodings
            .get(index)
            .map(|bits| bits.encoding())
            .ok_or_else(|| format!("no encoding of input {index}"))
    }

    fn output_encoding(&self) -> Result<Encoding, String> {
        self.output_encoding.map(Bits::encoding).ok_or_else(|| "no encoding of the output".to_owned())
    }

    fn weights(&self) -> Result<Weights, String> {
        let part = |part: &Option<Tensor>, what: &str| part.as_ref().map(Tensor::words).ok_or(format!("no {what}"));
        let weights = self.weights.as_ref().ok_or("no weights")?;
        Ok(Weights {
            shape: weights.shape.clone(),
            values: weights.int8(),
            scales: part(&self.weight_scales, "scales")?.into_iter().map(f32::from_bits).collect(),
            bias: part(&self.bias, "bias")?.into_iter().map(|word| word as i32).collect(),
            name: "w".to_owned(),
            bias_name: Some("b".to_owned()),
        })
    }

    /// The weights with their rows as output channels; the file has them as ONNX does.
    fn transposed_weights(&self) -> Result<Weights, String> {
        let mut weights = self.weights()?;
        (weights.shape, weights.values) = by_output_channel(&weights.shape, &weights.values, self.attributes.group);
        Ok(weights)
    }

    fn resize(&self) -> Result<Resize, String> {
        let coordinates = match self.attributes.coordinates.as_str() {
            "half_pixel" => Coordinates::HalfPixel,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "asymmetric" => Coordinates::Asymmetric,
            "align_corners" => Coordinates::AlignCorners,
            other => return Err(format!("the coordinates `{other}` are not known here")),
        };
        let scales = self.attributes.scales.as_slice().try_into().map_err(|_| "no two scales")?;
        Ok(Resize { mode: ResizeMode::Linear, coordinates, scales })
    }

    fn pool(&self, kind: PoolKind) -> Pool {
        Pool {
            kind,
            kernel: pair(&self.attributes.kernel_shape),
            strides: pair(&self.attributes.strides),
            pads: self.attributes.pads.as_slice().try_into().unwrap_or([0; 4]),
            dilations: pair(&self.attributes.dilations),
            count_include_pad: self.attributes.count_include_pad == 1,
        }
    }

    fn table(&self, function: Function) -> Result<QuantizedOperator, String> {
        let table = function_table(self.input_encoding(0)?, self.output_encoding()?, |x| evaluate(function, x));
        Ok(QuantizedOperator::Function { function, table: table.to_vec() })
    }

    fn operator(&self, operator: &str) -> Result<QuantizedOperator, String> {
        Ok(match operator {
            "QLinearConv" | "Conv" => QuantizedOperator::Convolution {
                attributes: Convolution {
                    strides: pair(&self.attributes.strides),
                    pads: self.attributes.pads.as_slice().try_into().unwrap_or([0; 4]),
                    dilations: pair(&self.attributes.dilations),
                    group: self.attributes.group,
                },
                weights: self.weights()?,
            },
            "ConvTranspose" => QuantizedOperator::TransposedConvolution {
                attributes: TransposedConvolution {
                    strides: pair(&self.attributes.strides),
                    pads: self.attributes.pads.as_slice().try_into().unwrap_or([0; 4]),
                    output_padding: self.attributes.output_padding.as_slice().try_into().unwrap_or([0; 2]),
                    dilations: pair(&self.attributes.dilations),
                    group: self.attributes.group,
                },
                weights: self.transposed_weights()?,
            },
            "QLinearMatMul" if self.weights.is_none() => QuantizedOperator::MatrixProduct,
            "QLinearMatMul" => QuantizedOperator::Dense { weights: self.weights()? },
            "MaxPool" => QuantizedOperator::Pool(self.pool(PoolKind::Maximum)),
            "QLinearAveragePool" => QuantizedOperator::Pool(self.pool(PoolKind::Average)),
            "QLinearGlobalAveragePool" => QuantizedOperator::GlobalPool(PoolKind::Average),
            "QLinearAdd" => QuantizedOperator::Arithmetic(Arithmetic::Add),
            "QLinearMul" => QuantizedOperator::Arithmetic(Arithmetic::Multiply),
            "QLinearSigmoid" => self.table(Function::Sigmoid)?,
            "QLinearLeakyRelu" => self.table(Function::LeakyRelu { alpha: self.attributes.alpha })?,
            "QLinearConcat" => QuantizedOperator::Concat { axis: self.attributes.axis },
            "Softmax" => QuantizedOperator::Softmax { axis: self.attributes.axis },
            "Resize" => QuantizedOperator::Resize(self.resize()?),
            other => return Err(format!("the operator `{other}` is not known here")),
        })
    }

    fn run_node(&self, operator: QuantizedOperator) -> Result<Vec<i8>, String> {
        let mut values = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let encoding = self.input_encoding(index)?;
            values.push(QuantizedValue {
                name: format!("x{index}"),
                shape: input.shape.clone(),
                encoding,
                channels: self.input_channels.iter().map(|bits| bits.encoding()).collect(),
                constant: None,
            });
        }
        let inputs: Vec<TensorId> = (0..values.len() as u32).map(TensorId).collect();
        let output = TensorId(values.len() as u32);
        values.push(QuantizedValue {
            name: "y".to_owned(),
            shape: self.output.shape.clone(),
            encoding: self.output_encoding()?,
            channels: self.output_channels.iter().map(|bits| bits.encoding()).collect(),
            constant: None,
        });
        let node = QuantizedNode {
            name: self.name.clone(),
            operator,
            activation: None,
            clamp: [i8::MIN, i8::MAX],
            inputs: inputs.clone(),
            output,
        };
        let graph = QuantizedGraph { name: "one".to_owned(), values, nodes: vec![node], inputs, outputs: vec![output] };
        let executor = Executor::new(&graph).map_err(|error| error.to_string())?;
        let inputs: Vec<Vec<i8>> = self.inputs.iter().map(Tensor::int8).collect();
        let mut outputs = executor.run_int8(&inputs, &mut |_, _| ()).map_err(|error| error.to_string())?;
        outputs.pop().ok_or_else(|| "no output".to_owned())
    }
}
