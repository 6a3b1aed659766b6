//! The text of the C code.

use std::fmt::Write as _;

use crate::compiler::emit::flow::Flow;
use crate::compiler::emit::order::natural;
use crate::compiler::emit::step::Argument;
use crate::compiler::emit::step::BufferId;
use crate::compiler::emit::step::Number;
use crate::compiler::emit::step::Storage;
use crate::compiler::emit::workspace::Workspace;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;

/// Kernels in the order in which they stand in a file: each uses only those before it.
const KERNELS: [(&str, &str); 20] = [
    ("vector", include_str!("kernels/vector.c")),
    ("convolution", include_str!("kernels/convolution.c")),
    ("depthwise", include_str!("kernels/depthwise.c")),
    ("move", include_str!("kernels/move.c")),
    ("fill", include_str!("kernels/fill.c")),
    ("gather", include_str!("kernels/gather.c")),
    ("look_up", include_str!("kernels/look_up.c")),
    ("look_up_channels", include_str!("kernels/look_up_channels.c")),
    ("wide", include_str!("kernels/wide.c")),
    ("arithmetic", include_str!("kernels/arithmetic.c")),
    ("sum", include_str!("kernels/sum.c")),
    ("product", include_str!("kernels/product.c")),
    ("quotient", include_str!("kernels/quotient.c")),
    ("pool", include_str!("kernels/pool.c")),
    ("maximum_pool", include_str!("kernels/maximum_pool.c")),
    ("average_pool", include_str!("kernels/average_pool.c")),
    ("linear_resize", include_str!("kernels/linear_resize.c")),
    ("softmax", include_str!("kernels/softmax.c")),
    ("matrix_product", include_str!("kernels/matrix_product.c")),
    ("instance_normalization", include_str!("kernels/instance_normalization.c")),
];

const COMMON: &str = include_str!("kernels/common.c");

/// Words with `_` inside that mean something to compilers, and how such words of C and POSIX begin.
const WORDS: [&str; 3] = ["static_assert", "thread_local", "typeof_unqual"];
const FAMILIES: [&str; 10] =
    ["aligned_", "at_", "atomic_", "call_", "cnd_", "mtx_", "posix_", "pthread_", "thrd_", "va_"];

/// A network's name as a C identifier, which stays as it is where it has a shape that C, its headers and its libraries do not
/// use: letters of both cases, or `_` between small ones. Any other (`int`, `asm`, `INT8_MAX`, `int8_t`, `read`), and one that
/// the code has another use for, gets `model_` in front.
pub(super) fn identifier(name: &str) -> String {
    let word: String =
        name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).take(60).collect();
    let texts = KERNELS.iter().map(|(_, code)| *code).chain([COMMON]);
    let mut taken = texts.flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
    let starts_right = word.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let [has_small, has_large] = [char::is_lowercase, char::is_uppercase].map(|is| word.contains(is));
    // `PRId8` and `SCNd8` are macros of <inttypes.h>.
    let is_mixed = has_small && has_large && !["PRI", "SCN"].iter().any(|family| word.starts_with(family));
    let is_long = has_small && !has_large && word.contains('_');
    // What the code numbers, and what is beside it in C libraries.
    let (stem, last) = word.rsplit_once('_').unwrap_or((&word, ""));
    let is_numbered = !stem.is_empty() && !last.is_empty() && last.bytes().all(|letter| letter.is_ascii_digit());
    let is_known = is_numbered
        || ["r", "unlocked"].contains(&last)
        || WORDS.contains(&word.as_str())
        || FAMILIES.iter().any(|family| word.starts_with(family))
        || word.ends_with("_t");
    let is_free = starts_right && (is_mixed || is_long) && !is_known && !taken.any(|other| other == word);
    if is_free { word } else { format!("model_{word}") }
}

/// A text that may stand in a C comment.
fn quoted(text: &str) -> String {
    let printable = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    let text: String = text.chars().map(printable).collect();
    text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
}

fn number(number: Number) -> String {
    match number {
        Number::Integer(value) => value.to_string(),
        Number::Real(value) => real(value),
        Number::Pair([x, y]) => format!("{{{x}, {y}}}"),
        Number::Reals([x, y]) => format!("{{{}, {}}}", real(x), real(y)),
    }
}

/// A float literal: the shortest decimal number that is read back as the same one.
fn real(value: f32) -> String {
    let text = format!("{value:?}");
    if text.contains(['.', 'e']) { format!("{text}f") } else { format!("{text}.0f") }
}

/// A list of items in lines that are not too long.
fn wrapped(items: &[String], indent: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            text.push(',');
            if width + item.len() > 110 {
                text.push('\n');
                text.push_str(indent);
                width = 0;
            } else {
                text.push(' ');
            }
        }
        text.push_str(item);
        width += item.len() + 2;
    }
    text
}

/// The text under construction.
struct Writer<'a> {
    flow: &'a Flow<'a>,
    workspace: &'a Workspace,
    /// Parameters of calls that are already written: their text and name.
    known: Vec<(String, String)>,
    parameters: String,
    calls: String,
}

impl Writer<'_> {
    fn buffer(&self, id: BufferId, is_written: bool) -> String {
        match self.flow.buffers[id.0].storage {
            Storage::Input(number) => format!("input_{number}"),
            Storage::Output(number) => format!("output_{number}"),
            Storage::Constant(span) => format!("(const int8_t *)(pool + {})", span.offset),
            Storage::Workspace => {
                let kind = if is_written { "int8_t *" } else { "const int8_t *" };
                format!("({kind})(memory + {})", self.workspace.offsets[id.0])
            }
        }
    }

    /// The name of parameters, which are written where they are not yet.
    fn named(&mut self, kind: &str, text: &str) -> String {
        if let Some((_, name)) = self.known.iter().find(|(known, _)| known == text) {
            return name.clone();
        }
        let name = format!("{kind}_{}", self.known.len());
        let _ = writeln!(self.parameters, "{}", text.replacen('@', &name, 1));
        self.known.push((text.to_owned(), name.clone()));
        name
    }

    fn argument(&mut self, place: usize, argument: &Argument) -> String {
        let step = &self.flow.steps[place];
        match argument {
            Argument::Record(kind, fields) => {
                let items: Vec<String> =
                    fields.iter().map(|&(field, value)| format!(".{field} = {}", number(value))).collect();
                let text = format!("static const struct {kind} @ = {{\n    {}\n}};", wrapped(&items, "    "));
                format!("&{}", self.named(kind, &text))
            }
            Argument::Numbers(numbers) => {
                let items: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                let text = format!("static const int32_t @[] = {{{}}};", wrapped(&items, "    "));
                self.named(step.function, &text)
            }
            Argument::Table(span) => format!("(const int8_t *)(pool + {})", span.offset),
            Argument::Words(span) => format!("(const int32_t *)(const void *)(pool + {})", span.offset),
            Argument::Read(id) => self.buffer(*id, false),
            Argument::Written(id) => self.buffer(*id, true),
            Argument::Constants => "pool".to_owned(),
            Argument::Scratch => format!("memory + {}", self.workspace.scratch[place]),
            Argument::Plain(text) => text.clone(),
        }
    }

    fn calls(&mut self) {
        for work in &self.flow.works {
            let _ = writeln!(self.calls, "\n    /* {} */", quoted(&work.comment));
            for place in work.steps.clone() {
                let step = &self.flow.steps[place];
                let arguments: Vec<String> =
                    step.arguments.iter().map(|argument| self.argument(place, argument)).collect();
                let _ = writeln!(self.calls, "    {}({});", step.function, wrapped(&arguments, "        "));
            }
        }
    }
}

/// A port in words: its layout and encoding.
fn port(graph: &QuantizedGraph, kind: &str, number: usize, id: TensorId) -> String {
    let value = graph.value(id);
    let order = natural(value.shape.len());
    let sizes: Vec<String> = order.iter().map(|&axis| value.shape[axis].to_string()).collect();
    let layout = if value.shape.len() == 4 { " (N, H, W, C)" } else { "" };
    let (scale, zero) = (value.encoding.scale, value.encoding.zero_point);
    let name = quoted(&value.name);
    format!(" * {kind}_{number}: `{name}`, {}{layout}, real = (q - {zero}) * {scale:?}\n", sizes.join(" x "))
}

/// The file.
pub(super) fn source(flow: &Flow<'_>, workspace: &Workspace, constants: usize) -> String {
    let graph = flow.graph;
    let name = identifier(&graph.name);
    let macros = name.to_ascii_uppercase();
    let mut text =
        format!("/*\n * {}: int8 inference, one image after another in one thread.\n *\n", quoted(&graph.name));
    for (kind, ids) in [("input", &graph.inputs), ("output", &graph.outputs)] {
        for (number, &id) in ids.iter().enumerate() {
            text.push_str(&port(graph, kind, number, id));
        }
    }
    let _ = write!(
        text,
        " *\n * Tensors have no padding. `constants` are the first {macros}_CONSTANTS_BYTES of pool_l2_const.bin, or\n\
         \x20* all of it; `workspace` is memory that nothing else uses while the function runs; both begin at a multiple\n\
         \x20* of {macros}_ALIGNMENT. Nothing is kept between calls: any number may run at the same time, each in a\n\
         \x20* workspace of its own. Returns 0, or 1 where a pointer is missing or not aligned.\n */\n\
         #include <stdint.h>\n\n"
    );
    let macro_line = |text: &mut String, word: &str, value: usize| {
        let _ = writeln!(text, "#define {macros}_{word} {value}");
    };
    macro_line(&mut text, "ALIGNMENT", 64);
    macro_line(&mut text, "CONSTANTS_BYTES", constants);
    macro_line(&mut text, "WORKSPACE_BYTES", workspace.plan.bytes);
    for (kind, ids) in [("INPUT", &graph.inputs), ("OUTPUT", &graph.outputs)] {
        for (number, &id) in ids.iter().enumerate() {
            macro_line(&mut text, &format!("{kind}_{number}_BYTES"), graph.value(id).len());
        }
    }
    let inputs: Vec<String> = (0..graph.inputs.len()).map(|number| format!("input_{number}")).collect();
    let outputs: Vec<String> = (0..graph.outputs.len()).map(|number| format!("output_{number}")).collect();
    let mut parameters: Vec<String> = inputs.iter().map(|port| format!("const int8_t *{port}")).collect();
    parameters.extend(outputs.iter().map(|port| format!("int8_t *{port}")));
    parameters.extend(["const void *constants".to_owned(), "void *workspace".to_owned()]);
    let signature = format!("int {name}({})", wrapped(&parameters, "        "));
    let _ = writeln!(text, "\n{signature};\n\n{COMMON}");
    for (kernel, code) in KERNELS {
        if flow.steps.iter().any(|step| step.kernels.contains(&kernel)) {
            let _ = writeln!(text, "{code}");
        }
    }
    let mut writer = Writer { flow, workspace, known: Vec::new(), parameters: String::new(), calls: String::new() };
    writer.calls();
    let pointers: Vec<String> = inputs.into_iter().chain(outputs).map(|port| format!("!{port}")).collect();
    let _ = write!(
        text,
        "{}\n{signature} {{\n    constants_t pool = (constants_t)constants;\n    unsigned char *memory = (unsigned char *)workspace;\n\
         \x20   if ({} || !pool || !memory || ((uintptr_t)pool | (uintptr_t)memory) % {macros}_ALIGNMENT) return 1;\n{}    return 0;\n}}\n",
        writer.parameters,
        wrapped(&pointers, "        ").replace(',', " ||"),
        writer.calls
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_networks_become_names_of_functions() {
        let cases = [
            ("DigitClassifier", "DigitClassifier"),
            ("torch-jit-export", "torch_jit_export"),
            ("0a64", "model_0a64"),
            ("", "model_"),
            ("while", "model_while"),
            ("convolution", "model_convolution"),
            ("_t", "model__t"),
            ("a/\u{e9}*/", "a____"),
            ("resnet50", "model_resnet50"),
            ("convolution_1", "model_convolution_1"),
            ("va_start", "model_va_start"),
            ("lgamma_r", "model_lgamma_r"),
            ("conv_first", "conv_first"),
            ("main_graph", "main_graph"),
            ("ResNet", "ResNet"),
            ("int", "model_int"),
            ("INT8_MAX", "model_INT8_MAX"),
            ("int_fast8_t", "model_int_fast8_t"),
            ("static_assert", "model_static_assert"),
            ("PRIdMAX", "model_PRIdMAX"),
        ];
        for (name, expected) in cases {
            assert_eq!(identifier(name), expected, "{name}");
        }
        assert_eq!(quoted("a*/b??/c\n"), "a* /b? ?/c?");
    }
}
