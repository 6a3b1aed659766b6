//! Small ONNX files for tests, and a table's way to say what becomes of one node.

use prost::Message;

use crate::compiler::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::import;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::GraphProto;
use crate::compiler::onnx::proto::ModelProto;
use crate::compiler::onnx::proto::NodeProto;
use crate::compiler::onnx::proto::OperatorSetIdProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::proto::ValueInfoProto;
use crate::compiler::onnx::proto::attribute_type;
use crate::compiler::onnx::proto::data_type;

/// An ONNX file under construction.
#[derive(Clone)]
pub(crate) struct Sample(pub(crate) ModelProto);

impl Sample {
    pub(crate) fn new(opset: i64) -> Self {
        let graph = GraphProto { name: "sample".into(), ..GraphProto::default() };
        let opset = OperatorSetIdProto { domain: String::new(), version: opset };
        Self(ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() })
    }

    pub(crate) fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().expect("a sample has a graph")
    }

    pub(crate) fn input(mut self, name: &str, shape: &[usize]) -> Self {
        self.graph().input.push(ValueInfoProto::tensor(name, data_type::FLOAT, shape));
        self
    }

    pub(crate) fn floats(mut self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        self.graph().initializer.push(TensorProto::from_f32(name, shape, values));
        self
    }

    /// Floats that differ: 0.25, 0.5, … by place.
    pub(crate) fn weights(self, name: &str, shape: &[usize]) -> Self {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (1..=count).map(|place| place as f32 * 0.25).collect();
        self.floats(name, shape, &values)
    }

    pub(crate) fn integers(mut self, name: &str, shape: &[usize], values: &[i64]) -> Self {
        self.graph().initializer.push(TensorProto::from_i64(name, shape, values));
        self
    }

    /// A node named after its first output.
    pub(crate) fn node(
        mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[AttributeProto],
    ) -> Self {
        self.graph().node.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: outputs.iter().map(|&name| name.to_owned()).collect(),
            name: format!("make_{}", outputs.first().unwrap_or(&"nothing")),
            op_type: operator.to_owned(),
            attribute: attributes.to_vec(),
            domain: String::new(),
        });
        self
    }

    pub(crate) fn output(mut self, name: &str) -> Self {
        self.graph().output.push(ValueInfoProto::tensor(name, data_type::FLOAT, &[]));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    pub(crate) fn import(&self) -> Result<Graph, StageError> {
        import(&self.bytes(), &NoExternalData, &ImportOptions::default())
    }
}

/// One node in a file and what must come of it: operator, with a domain in front where it is not the standard one, and
/// opset (`Conv-11`, `com.microsoft.FusedConv-11`); inputs (`x[1,2]` computed, `w[3]` floats
/// that differ, `f[0.5]` and `f0.5` floats, `i[1]` and `i1` integers, `-` absent); attributes (`axis=1 pads=[0,0] mode=nearest`);
/// a part of the graph's text or of the error.
pub(crate) struct Case(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) Result<&'static str, &'static str>,
);

/// The numbers of `[1,2]`, or of a scalar, with the shape.
pub(crate) fn numbers<T: std::str::FromStr>(text: &str) -> (Vec<usize>, Vec<T>) {
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text:?} is not a number"));
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some("") => (vec![0], vec![]),
        Some(list) => {
            let values: Vec<T> = list.split(',').map(number).collect();
            (vec![values.len()], values)
        }
        None => (vec![], vec![number(text)]),
    }
}

/// An attribute of a case, `name=value`.
pub(crate) fn attribute(text: &str) -> AttributeProto {
    let (name, value) = text.split_once('=').expect("an attribute has a value");
    let is_number = value.starts_with(|c: char| c == '[' || c == '-' || c.is_ascii_digit());
    match (is_number, value.starts_with('['), value.contains('.')) {
        (false, ..) => AttributeProto::text(name, value),
        (_, true, false) => AttributeProto::integers(name, numbers(value).1),
        (_, true, true) => AttributeProto {
            name: name.to_owned(),
            floats: numbers(value).1,
            r#type: attribute_type::FLOATS,
            ..AttributeProto::default()
        },
        (_, false, false) => AttributeProto::int(name, numbers(value).1[0]),
        (_, false, true) => AttributeProto::float(name, numbers(value).1[0]),
    }
}

impl Case {
    fn import(&self) -> Result<String, String> {
        let graph = self.graph();
        graph.map(|graph| graph.to_text()).map_err(|error| error.to_string())
    }

    /// The graph of the one node.
    pub(crate) fn graph(&self) -> Result<Graph, StageError> {
        let Self(operator, inputs, attributes, _) = self;
        let (operator, opset) = operator.split_once('-').expect("an operator and its opset");
        let mut sample = Sample::new(opset.parse().expect("an opset")).output("y");
        let mut names = Vec::new();
        for (place, given) in inputs.split_whitespace().enumerate() {
            let name = format!("x{place}");
            let (kind, value) = given.split_at(1);
            sample = match kind {
                "x" => sample.input(&name, &numbers(value).1),
                "w" => sample.weights(&name, &numbers(value).1),
                "f" => {
                    let (shape, values) = numbers(value);
                    sample.floats(&name, &shape, &values)
                }
                "i" => {
                    let (shape, values) = numbers(value);
                    sample.integers(&name, &shape, &values)
                }
                _ => sample,
            };
            names.push(if kind == "-" { String::new() } else { name });
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let attributes: Vec<AttributeProto> = attributes.split_whitespace().map(attribute).collect();
        let (domain, operator) = operator.rsplit_once('.').unwrap_or(("", operator));
        let mut sample = sample.node(operator, &names, &["y"], &attributes);
        sample.graph().node[0].domain = domain.to_owned();
        sample.import()
    }
}

/// Runs all cases, then fails with every one that went another way.
pub(crate) fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let found = case.import();
        let Case(operator, inputs, attributes, expected) = case;
        let holds = match (&found, expected) {
            (Ok(text), Ok(part)) | (Err(text), Err(part)) => text.contains(part),
            _ => false,
        };
        if !holds {
            wrong.push(format!("{operator} {inputs} {attributes}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
