//! What the ONNX files themselves say.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "onnx/channels",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "the input has another number of channels than the color format",
        meaning: "The shape of the input fits the model, but `input_color_format` stands for another number of \
                  channels: 1 for `GRAY`, 3 for `RGB` and `BGR`, 4 for `RGBA` and `BGRA`. Neither NCHW nor NHWC makes \
                  them equal.",
        why: "Images that are prepared as the card says do not fit into the model.",
        remedy: "Correct `input_color_format`, or take the weights that belong to the card.",
        example: "input_color_format: GRAY\ninput_tensor_shape: [1, 3, 8, 8]",
        no_case: None,
    },
    Entry {
        code: "onnx/dynamic-shape",
        severity: Severity::Note,
        placed: Placed::Line,
        title: "the model leaves the size of its input open",
        meaning: "Dimensions of the input other than the batch have no number in the file. The model is compiled for \
                  `input_tensor_shape` of the card.",
        why: "Nothing is wrong; but nothing in the file tells whether the card's size is the one that the model was \
              trained for.",
        remedy: "Nothing, if the size is right. A model that is exported with fixed dimensions says nothing.",
        example: "input_tensor_shape: [1, 3, 8, 8]   # [?, 3, ?, ?] in the model",
        no_case: None,
    },
    Entry {
        code: "onnx/external-data",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a file with tensors of the model is not there",
        meaning: "The ONNX file keeps tensors in a second file, which has to lie in the same folder, and does not.",
        why: "The weights are in it: without them there is nothing to build.",
        remedy: "Put the second file beside the ONNX file, or export the model as one file.",
        example: "weight_path: net.onnx   # its tensors are in net.onnx.data",
        no_case: None,
    },
    Entry {
        code: "onnx/host-after",
        severity: Severity::Note,
        placed: Placed::Line,
        title: "the host runs operators behind the AIPU",
        meaning: "From some operator on, the end of the network is nothing that the AIPU takes. `run_graph_cleaner` \
                  cuts it off, and the host runs it on what comes from the device.",
        why: "The result is the same, but it takes time on the host for every image.",
        remedy: "Nothing, if the host has the time. Otherwise export the model without this end.",
        example: "weight_path: net.onnx   # Conv, GlobalAveragePool, Flatten, Softmax",
        no_case: None,
    },
    Entry {
        code: "onnx/host-before",
        severity: Severity::Note,
        placed: Placed::Line,
        title: "the host runs operators before the AIPU",
        meaning: "The network begins with operators that the AIPU does not take. `run_graph_cleaner` cuts them off, \
                  and the host runs them on every image before the device gets it.",
        why: "The result is the same, but it takes time on the host for every image.",
        remedy: "Nothing, if the host has the time. Otherwise export the model without this beginning, and let \
                 `preprocess` do what it does.",
        example: "weight_path: net.onnx   # Transpose, Conv, Relu",
        no_case: None,
    },
    Entry {
        code: "onnx/input-shape",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the model has another input shape than the card",
        meaning: "A dimension that the file states is another number than in `input_tensor_shape`, or there are more \
                  or fewer of them.",
        why: "The card and the weights do not belong together; images that are prepared as the card says do not fit.",
        remedy: "Write the shape of the model, and resize to it in `preprocess`; or take the weights that belong to \
                 the card.",
        example: "input_tensor_shape: [1, 3, 16, 16]   # [1, 3, 8, 8] in the model",
        no_case: None,
    },
    Entry {
        code: "onnx/inputs",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the model has no input, or several",
        meaning: "A card describes one input, the image. Inputs that have a default in the file do not count.",
        why: "Nothing says what the other inputs are given.",
        remedy: "Export the model with one input; make the others constants.",
        example: "weight_path: net.onnx   # the inputs `image` and `scale`",
        no_case: None,
    },
    Entry {
        code: "onnx/layout",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the card has the axes of the input in another order than the model",
        meaning: "The card's shape has the numbers of the model's in another order; or it fits, but the \
                  channels stand where `input_tensor_layout` has something else.",
        why: "Channels would be taken for rows or columns: the network would compute something, but not what it was \
              trained for.",
        remedy: "Write the layout and the shape that the hint names.",
        example: "input_tensor_layout: NHWC\ninput_tensor_shape: [1, 8, 8, 3]   # [1, 3, 8, 8] in the model",
        no_case: None,
    },
    Entry {
        code: "onnx/no-core",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "the AIPU takes no layer of the model",
        meaning: "Not one convolution or matrix product of the network is as the AIPU needs it; the message names each \
                  with what was expected.",
        why: "The embedded compiler builds the model, but on a device the host would run all of it.",
        remedy: "Export the model with layers as the message expects them.",
        example: "weight_path: net.onnx   # one Conv, with auto_pad=SAME_UPPER",
        no_case: None,
    },
    Entry {
        code: "onnx/not-supported",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the embedded compiler refuses an operator or the model",
        meaning: "The operator is none that it knows, or has attributes or inputs that it does not take. The message \
                  names the first such node, and how many there are.",
        why: "The build of this model would fail.",
        remedy: "Export the model without the operator, or cut the model before it.",
        example: "weight_path: net.onnx   # Conv, Sinh, Conv",
        no_case: None,
    },
    Entry {
        code: "onnx/operator",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "the AIPU refuses an operator that cannot be left to the host",
        meaning: "The operator lies between layers that the AIPU takes, or `run_graph_cleaner` is false, so that the \
                  host runs nothing. The message says what the operator has and what was expected.",
        why: "The embedded compiler builds the model, but a device would not take it.",
        remedy: "Export the model without the operator, or in the form that the message expects.",
        example: "weight_path: net.onnx   # Conv, Transpose, Conv",
        no_case: None,
    },
    Entry {
        code: "onnx/opset",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the opset of the model is not read, or not the one that the AIPU's conditions are for",
        meaning: "An error where the embedded compiler does not read the opset, or the file names none; a warning \
                  where it reads the opset, but what the AIPU takes is not stated for it; a note where the operators \
                  are converted from an older opset.",
        why: "Operators mean different things in different opsets, so a build would fail, or what is said of the AIPU \
              may not hold.",
        remedy: "Export the model again with `opset_version=17`.",
        example: "weight_path: net.onnx   # opset 20",
        no_case: None,
    },
    Entry {
        code: "onnx/unreadable",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the weights are not an ONNX model, or not a whole one",
        meaning: "The file ends in `.onnx`, but it cannot be read, or what is in it is not an ONNX model.",
        why: "There is nothing to build. Often a download broke off, or left an error page or a Git LFS pointer \
              instead of the model.",
        remedy: "Download or export the file again; `weight_md5` in the card tells at once whether it is the right one.",
        example: "weight_path: net.onnx   # <!DOCTYPE html> …",
        no_case: None,
    },
];
