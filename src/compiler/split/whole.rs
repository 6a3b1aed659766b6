//! The quantized core and the host's graphs in one ONNX file, and a core without the quantization of its inputs and outputs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use prost::Message;

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::graph::Graph;
use crate::compiler::onnx::Names;
use crate::compiler::onnx::export_proto;
use crate::compiler::onnx::proto::GraphProto;
use crate::compiler::onnx::proto::ModelProto;
use crate::compiler::onnx::proto::data_type;

fn decode(core: &[u8]) -> Result<ModelProto, StageError> {
    ModelProto::decode(core).map_err(|error| {
        let message = format!("the quantized model that was just written cannot be read: {error}");
        StageError::new(Status::GraphExporterError, message).hint("this is a mistake in axzoo; please report it")
    })
}

/// The preamble, the quantized core (as ONNX) and the postamble as one network with the inputs and outputs that it had
/// before it was cut. The host's parts stay float.
pub fn whole(preamble: Option<&Graph>, core: &[u8], postamble: Option<&Graph>) -> Result<Vec<u8>, StageError> {
    let mut model = decode(core)?;
    let Some(file) = &mut model.graph else { return Ok(core.to_vec()) };
    let mut names = Names::new(names_of(file));
    let mut node_names = Names::new(file.node.iter().map(|node| node.name.clone()).collect());
    let mut made = file.output.iter().map(|output| output.name.clone()).collect::<BTreeSet<String>>();
    if let Some(mut before) = preamble.and_then(|part| export_proto(part).graph) {
        keep_apart(&mut before, &mut names, &mut node_names);
        made.extend(before.output.iter().map(|output| output.name.clone()));
        before.node.append(&mut file.node);
        file.node = before.node;
        before.initializer.append(&mut file.initializer);
        file.initializer = before.initializer;
        file.value_info.splice(0..0, before.value_info);
        file.input = before.input;
    }
    if let Some(mut after) = postamble.and_then(|part| export_proto(part).graph) {
        keep_apart(&mut after, &mut names, &mut node_names);
        file.node.append(&mut after.node);
        file.initializer.append(&mut after.initializer);
        file.value_info.append(&mut after.value_info);
        let known: BTreeSet<String> = file.input.iter().map(|input| input.name.clone()).collect();
        file.input.extend(after.input.into_iter().filter(|it| !made.contains(&it.name) && !known.contains(&it.name)));
        file.output = after.output;
    }
    Ok(model.encode_to_vec())
}

/// Every name of a value in a file.
fn names_of(file: &GraphProto) -> BTreeSet<String> {
    let nodes = file.node.iter().flat_map(|node| node.input.iter().chain(&node.output)).cloned();
    let declared = file.input.iter().chain(&file.output).map(|value| value.name.clone());
    nodes.chain(declared).chain(file.initializer.iter().map(|tensor| tensor.name.clone())).collect()
}

/// Gives new names to what a part does not share with the others, where one of these has the name.
fn keep_apart(file: &mut GraphProto, names: &mut Names, node_names: &mut Names) {
    let shared: BTreeSet<String> = file.input.iter().chain(&file.output).map(|value| value.name.clone()).collect();
    let own: Vec<String> =
        names_of(file).into_iter().filter(|name| !shared.contains(name) && !name.is_empty()).collect();
    let renamed: BTreeMap<String, String> = own
        .into_iter()
        .filter_map(|name| {
            let unused = names.unused(&name);
            (unused != name).then_some((name, unused))
        })
        .collect();
    let rename = |name: &mut String| {
        if let Some(other) = renamed.get(name) {
            name.clone_from(other);
        }
    };
    for node in &mut file.node {
        node.input.iter_mut().chain(&mut node.output).for_each(rename);
        node.name = node_names.unused(&node.name);
    }
    file.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
    file.value_info.iter_mut().for_each(|value| rename(&mut value.name));
}

/// A quantized model that takes and gives int8 under the names it had: the operators that quantize its inputs and
/// dequantize its outputs are gone (`remove_io_quantization`). Their scales and zero points are in the manifest.
pub fn without_io_quantization(core: &[u8]) -> Result<Vec<u8>, StageError> {
    let mut model = decode(core)?;
    let Some(file) = &mut model.graph else { return Ok(core.to_vec()) };
    let mut names = Names::new(names_of(file));
    for place in 0..file.input.len() {
        let name = file.input[place].name.clone();
        let is_quantizer = |node: &crate::compiler::onnx::proto::NodeProto| {
            node.op_type == "QuantizeLinear" && node.input.first() == Some(&name)
        };
        let Some(at) = file.node.iter().position(is_quantizer) else { continue };
        let int8 = file.node.remove(at).output.into_iter().next().unwrap_or_default();
        let reads = file.node.iter_mut().flat_map(|node| &mut node.input).filter(|input| **input == int8);
        reads.for_each(|input| input.clone_from(&name));
        set_type(&mut file.input[place], data_type::INT8);
    }
    for place in 0..file.output.len() {
        let name = file.output[place].name.clone();
        let writes = |node: &crate::compiler::onnx::proto::NodeProto| {
            node.op_type == "DequantizeLinear" && node.output.first() == Some(&name)
        };
        let Some(at) = file.node.iter().position(writes) else { continue };
        let int8 = file.node[at].input.first().cloned().unwrap_or_default();
        // The output's name goes to the int8 value; whoever reads the real one reads it under another.
        if file.node.iter().any(|node| node.input.contains(&name)) {
            let real = names.unused(&format!("{name}/real"));
            let reads = file.node.iter_mut().flat_map(|node| &mut node.input).filter(|input| **input == name);
            reads.for_each(|input| input.clone_from(&real));
            file.node[at].output = vec![real];
        } else {
            file.node.remove(at);
        }
        let uses = file.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        uses.filter(|used| **used == int8).for_each(|used| used.clone_from(&name));
        set_type(&mut file.output[place], data_type::INT8);
    }
    // Scales that nothing reads any more are left out.
    let read: BTreeSet<String> = file.node.iter().flat_map(|node| node.input.iter().cloned()).collect();
    file.initializer.retain(|tensor| read.contains(&tensor.name));
    Ok(model.encode_to_vec())
}

fn set_type(value: &mut crate::compiler::onnx::proto::ValueInfoProto, data_type: i32) {
    if let Some(tensor) = value.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut()) {
        tensor.elem_type = data_type;
    }
}
