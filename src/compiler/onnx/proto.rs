//! The subset of ONNX's protocol buffers that is read and written here, field numbers as in `onnx.proto` (ONNX 1.16,
//! IR version 8). Fields that nothing here reads (documentation strings, quantization annotations) are absent: a reader
//! skips them; repeated numbers are packed where the standard's own schema packs them. What must be refused when present is
//! declared as raw bytes, so that it is seen without being decoded.

use prost::Message;

/// A whole file (`ModelProto`).
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the file format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Its version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Which version of which operator sets the nodes mean.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Free key and value texts.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Functions local to the model, not decoded.
    #[prost(bytes = "vec", repeated, tag = "25")]
    pub functions: Vec<Vec<u8>>,
}

/// A domain of operators and its version (`OperatorSetIdProto`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OperatorSetIdProto {
    /// Empty or `ai.onnx` for the standard operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// The version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and a value (`StringStringEntryProto`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A network: nodes, constants, inputs, outputs (`GraphProto`).
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// The nodes; the standard wants them in topological order.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// The network's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants by name.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Inputs; before IR version 4 the initializers too.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Types of values in between, as far as the writer knew them.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// Sparse constants, not decoded.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub sparse_initializer: Vec<Vec<u8>>,
}

/// One operation (`NodeProto`).
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names read; an empty name is an absent optional input.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names written; an empty name is an optional output that nobody wants.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// A name for people; may be empty and need not be unique.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its attributes.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// The operator's domain.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// The type numbers of the field `type` of [`AttributeProto`].
pub mod attribute_type {
    /// One float, in `f`.
    pub const FLOAT: i32 = 1;
    /// One integer, in `i`.
    pub const INT: i32 = 2;
    /// One text, in `s`.
    pub const STRING: i32 = 3;
    /// One tensor, in `t`.
    pub const TENSOR: i32 = 4;
    /// A graph, in `g`.
    pub const GRAPH: i32 = 5;
    /// Floats.
    pub const FLOATS: i32 = 6;
    /// Integers.
    pub const INTS: i32 = 7;
    /// Texts.
    pub const STRINGS: i32 = 8;
}

/// A named attribute of a node (`AttributeProto`).
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// The attribute's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A float.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// An integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// A text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// A tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// A graph (of control flow), not decoded.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub g: Option<Vec<u8>>,
    /// Floats.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    /// Which of the fields holds the value; see [`attribute_type`]. Files before IR version 2 leave it 0.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

/// The type numbers of [`TensorProto::data_type`].
pub mod data_type {
    /// 32-bit float.
    pub const FLOAT: i32 = 1;
    /// Unsigned 8 bits.
    pub const UINT8: i32 = 2;
    /// Signed 8 bits.
    pub const INT8: i32 = 3;
    /// Unsigned 16 bits.
    pub const UINT16: i32 = 4;
    /// Signed 16 bits.
    pub const INT16: i32 = 5;
    /// Signed 32 bits.
    pub const INT32: i32 = 6;
    /// Signed 64 bits.
    pub const INT64: i32 = 7;
    /// Text.
    pub const STRING: i32 = 8;
    /// Boolean, one byte each in raw data.
    pub const BOOL: i32 = 9;
    /// IEEE half precision.
    pub const FLOAT16: i32 = 10;
    /// 64-bit float.
    pub const DOUBLE: i32 = 11;
    /// Unsigned 32 bits.
    pub const UINT32: i32 = 12;
    /// Unsigned 64 bits.
    pub const UINT64: i32 = 13;
    /// The upper half of a 32-bit float.
    pub const BFLOAT16: i32 = 16;

    /// The name that ONNX gives a type number.
    #[must_use]
    pub const fn name(number: i32) -> &'static str {
        match number {
            FLOAT => "float",
            UINT8 => "uint8",
            INT8 => "int8",
            UINT16 => "uint16",
            INT16 => "int16",
            INT32 => "int32",
            INT64 => "int64",
            STRING => "string",
            BOOL => "bool",
            FLOAT16 => "float16",
            DOUBLE => "double",
            UINT32 => "uint32",
            UINT64 => "uint64",
            BFLOAT16 => "bfloat16",
            0 => "undefined",
            _ => "unknown",
        }
    }
}

/// A constant (`TensorProto`). Its values are in `raw_data` (little-endian), in the field of its type, or in another
/// file (`data_location` 1, `external_data`).
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Dimensions, outermost first; none for a scalar.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// See [`data_type`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Values of 32-bit floats.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Values of integers up to 32 bits, booleans, and bit patterns of 16-bit floats.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Values of 64-bit integers.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// The name, where the tensor is an initializer.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Values as little-endian bytes.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// Values of 64-bit floats.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Values of unsigned 32- and 64-bit integers.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// Where the bytes are: keys `location`, `offset`, `length`.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// 1: the bytes are in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// A value's name and type (`ValueInfoProto`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ValueInfoProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// A type; only tensors are read (`TypeProto`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TypeProto {
    /// A tensor's type.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Element type and shape of a tensor (`TypeProto.Tensor`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TensorTypeProto {
    /// See [`data_type`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// The shape; absent when even the rank is unknown.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape, maybe with open dimensions (`TensorShapeProto`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TensorShapeProto {
    /// One entry an axis.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// One dimension: a number, a name, or neither (`TensorShapeProto.Dimension`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DimensionProto {
    /// The number.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// The name of an open dimension.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}

impl AttributeProto {
    /// An integer attribute.
    #[must_use]
    pub fn int(name: &str, value: i64) -> Self {
        Self { name: name.to_owned(), i: Some(value), r#type: attribute_type::INT, ..Self::default() }
    }

    /// An attribute of integers.
    #[must_use]
    pub fn integers(name: &str, values: impl IntoIterator<Item = i64>) -> Self {
        let ints = values.into_iter().collect();
        Self { name: name.to_owned(), ints, r#type: attribute_type::INTS, ..Self::default() }
    }

    /// A float attribute.
    #[must_use]
    pub fn float(name: &str, value: f32) -> Self {
        Self { name: name.to_owned(), f: Some(value), r#type: attribute_type::FLOAT, ..Self::default() }
    }

    /// A text attribute.
    #[must_use]
    pub fn text(name: &str, value: &str) -> Self {
        let s = Some(value.as_bytes().to_vec());
        Self { name: name.to_owned(), s, r#type: attribute_type::STRING, ..Self::default() }
    }
}

/// The bytes of values, one after another.
fn bytes_of<const N: usize, T: Copy>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    let mut all = vec![0; N * values.len()];
    all.as_chunks_mut().0.iter_mut().zip(values).for_each(|(to, &value)| *to = bytes(value));
    all
}

impl TensorProto {
    /// A float constant; the shape's product is the number of values.
    #[must_use]
    pub fn from_f32(name: &str, shape: &[usize], values: &[f32]) -> Self {
        let raw_data = bytes_of(values, f32::to_le_bytes);
        let dims = shape.iter().map(|&dimension| dimension as i64).collect();
        Self { name: name.to_owned(), dims, raw_data, data_type: data_type::FLOAT, ..Self::default() }
    }

    /// A constant of 64-bit integers; the shape's product is the number of values.
    #[must_use]
    pub fn from_i64(name: &str, shape: &[usize], values: &[i64]) -> Self {
        let raw_data = bytes_of(values, i64::to_le_bytes);
        let dims = shape.iter().map(|&dimension| dimension as i64).collect();
        Self { name: name.to_owned(), dims, raw_data, data_type: data_type::INT64, ..Self::default() }
    }
}

impl ValueInfoProto {
    /// A tensor with a fixed shape; `element_type` as in [`data_type`].
    #[must_use]
    pub fn tensor(name: &str, element_type: i32, shape: &[usize]) -> Self {
        let dim = shape.iter().map(|&dimension| DimensionProto { dim_value: Some(dimension as i64), dim_param: None });
        let shape = Some(TensorShapeProto { dim: dim.collect() });
        let tensor_type = Some(TensorTypeProto { elem_type: element_type, shape });
        Self { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_survives_its_bytes() {
        let node = NodeProto {
            input: vec!["x".into()],
            output: vec!["y".into()],
            op_type: "LeakyRelu".into(),
            attribute: vec![AttributeProto::float("alpha", 0.0)],
            ..NodeProto::default()
        };
        let graph = GraphProto {
            node: vec![node],
            name: "g".into(),
            initializer: vec![TensorProto::from_f32("w", &[2], &[1.0, -2.0])],
            input: vec![ValueInfoProto::tensor("x", data_type::FLOAT, &[1, 2])],
            ..GraphProto::default()
        };
        let model = ModelProto { ir_version: 8, graph: Some(graph), ..ModelProto::default() };
        let bytes = model.encode_to_vec();
        assert_eq!(ModelProto::decode(bytes.as_slice()), Ok(model));
    }

    #[test]
    fn an_attribute_that_is_zero_is_still_written() {
        assert_eq!(AttributeProto::float("alpha", 0.0).encode_to_vec().len(), 15);
    }
}
