//! What each step of a build reads, and nothing else: a setting that is not here cannot influence the step, because the
//! step never sees it (design invariant 5).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::imaging::Preprocess;
use crate::properties;
use crate::properties::CompilerConfig;
use crate::properties::GraphCleanerCondition;
use crate::properties::GraphCleanerNode;
use crate::properties::QuantizationScheme;

/// The settings of one step.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Settings {
    /// Of a fetch step.
    Fetch(FetchSettings),
    /// Of a clean step.
    Clean(CleanSettings),
    /// Of a quantize step.
    Quantize(Box<QuantizeSettings>),
    /// Of a lower step.
    Lower(LowerSettings),
    /// Of a pack step.
    Pack(Box<PackSettings>),
    /// Of a bundle step.
    Bundle(Box<BundleSettings>),
}

/// Fetch: which file it must be.
#[derive(Debug, Clone, Serialize)]
pub struct FetchSettings {
    /// The card's `weight_md5`, lower case.
    pub md5: Option<String>,
}

/// Clean: the shape that the graph is fixed to.
#[derive(Debug, Clone, Serialize)]
pub struct CleanSettings {
    /// The card's `input_tensor_shape`, batch included, in the order of its layout.
    pub input_shape: Vec<usize>,
    /// The compiler properties that the cleaner reads, canonical.
    #[serde(skip)]
    pub properties: BTreeMap<String, String>,
}

/// Quantize.
#[derive(Debug, Clone, Serialize)]
pub struct QuantizeSettings {
    /// From a picture to the input tensor.
    pub preprocess: Preprocess,
    /// Whether the images are tensors already: `.npy` files of the network's input, which no operator touches.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tensors: bool,
    /// Seed of random calibration data; `None`: images.
    pub random_calibration: Option<u64>,
    /// How many calibration samples there are.
    pub calibration_images: usize,
    /// The class of each held-out image, where folders tell it; empty otherwise.
    pub labels: Vec<usize>,
    /// Classes of the model's output.
    pub class_count: usize,
    /// The card's floor for the SQNR of every output, in dB.
    pub min_sqnr_db: Option<f64>,
    /// The card's floor for top-1 agreement with float, 0 to 1.
    pub min_top1_agreement: Option<f64>,
    /// The compiler properties that the quantizer reads, canonical.
    #[serde(skip)]
    pub properties: BTreeMap<String, String>,
}

/// Lower.
#[derive(Debug, Clone, Serialize)]
pub struct LowerSettings {
    /// Cores that the model is compiled for: the batch of its manifest.
    pub cores: u32,
    /// The compiler properties that lowering reads, canonical.
    #[serde(skip)]
    pub properties: BTreeMap<String, String>,
}

/// Pack: the names and facts that enter the package.
#[derive(Debug, Clone, Serialize)]
pub struct PackSettings {
    /// The model's name.
    pub model: String,
    /// Cores that the model is compiled for: the folder of the compiled model.
    pub cores: u32,
    /// `model_info.json`, as it will be written but for the labels.
    pub model_info: ModelInfo,
    /// The whole effective config: every property, plain values.
    pub compile_config: Value,
    /// The effective values that differ from the defaults, as TOML.
    pub compiler_config: String,
}

/// Bundle: the network as the runtime sees it.
#[derive(Debug, Clone, Serialize)]
pub struct BundleSettings {
    /// The network's name.
    pub network: String,
    /// `network.json` without digests.
    pub description: Value,
    /// The models in order.
    pub models: Vec<String>,
}

/// `model_info.json`: the fields and the order of `voyager-semantics.md` 3.10. No path of this machine is in it: weights
/// are named as the card names them.
#[derive(Debug, Clone, Serialize, Default)]
pub struct ModelInfo {
    /// The model.
    pub name: String,
    /// The card's `task_category`.
    pub task_category: Option<String>,
    /// The card's shape, with a batch.
    pub input_tensor_shape: Vec<usize>,
    /// The card's colours.
    pub input_color_format: String,
    /// The card's layout.
    pub input_tensor_layout: String,
    /// Classes.
    pub num_classes: u32,
    /// The labels of the dataset, one a line of its file.
    pub labels: Vec<String>,
    /// Always empty: filters belong to operators.
    pub label_filter: Vec<String>,
    /// The weights as the card names them.
    pub weight_path: Option<String>,
    /// The card's `weight_url`.
    pub weight_url: Option<String>,
    /// The card's `weight_md5`.
    pub weight_md5: Option<String>,
    /// The card's `prequantized_url`.
    pub prequantized_url: Option<String>,
    /// The card's `prequantized_md5`.
    pub prequantized_md5: Option<String>,
    /// The card's dataset, by name.
    pub dataset: Option<String>,
    /// The card's `base_dir`.
    pub base_dir: Option<String>,
    /// The card's `class`.
    pub class_name: Option<String>,
    /// The card's `class_path` as written.
    pub class_path: Option<String>,
    /// The card's `version`.
    pub version: Option<String>,
    /// The card's `extra_kwargs`, with the cores that the runtime shall use.
    pub extra_kwargs: Value,
    /// `DEEP_LEARNING`.
    pub model_type: String,
    /// The card's `precompiled_url`.
    pub precompiled_url: Option<String>,
    /// The card's `precompiled_md5`.
    pub precompiled_md5: Option<String>,
}

/// The manifest of a quantized model; also the role that lowering gets it in.
pub const QUANTIZED_MANIFEST: &str = "quantized_model_manifest.json";

/// Files of the graphs that the host runs before and after the core, as a manifest names them; also the roles that steps
/// get them in.
pub const HOST_GRAPHS: [&str; 2] = ["preprocess_graph.onnx", "postprocess_graph.onnx"];

impl CleanSettings {
    fn text(&self, property: &str) -> Option<String> {
        self.properties.get(property).map(|text| readable(text))
    }

    /// Whether anything is cut off for the host.
    #[must_use]
    pub fn cuts(&self) -> bool {
        let wanted = ["run_graph_cleaner", "graph_cleaner_split_pre_post_processing"];
        wanted.iter().all(|property| self.text(property).is_none_or(|text| text == "true"))
    }

    /// Which nodes are looked at for a split point; `None` where none is asked for.
    #[must_use]
    pub fn point_node(&self) -> Option<GraphCleanerNode> {
        GraphCleanerNode::from_word(&self.text("graph_cleaner_node")?)
    }

    /// By which size the split point is found; `None` where none is asked for.
    #[must_use]
    pub fn point_condition(&self) -> Option<GraphCleanerCondition> {
        GraphCleanerCondition::from_word(&self.text("graph_cleaner_condition")?)
    }

    /// The least size of a split point.
    #[must_use]
    pub fn point_threshold(&self) -> i64 {
        self.text("graph_cleaner_threshold").and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

impl QuantizeSettings {
    /// Whether the quantized ONNX model takes and gives int8.
    #[must_use]
    pub fn removes_io_quantization(&self) -> bool {
        self.properties.get("remove_io_quantization").is_some_and(|text| readable(text) == "true")
    }

    /// How ranges are found: the property as the quantizer reads it.
    #[must_use]
    pub fn scheme(&self) -> QuantizationScheme {
        let word = self.properties.get("quantization_scheme").map(|text| readable(text)).unwrap_or_default();
        QuantizationScheme::from_word(&word).unwrap_or(QuantizationScheme::PerTensorHistogram)
    }

    /// Whether the inputs of depth-wise convolutions have a range for each channel under every scheme.
    #[must_use]
    pub fn depthwise_channels(&self) -> bool {
        self.properties.get("quantize_dw_channel_wise").is_some_and(|text| readable(text) == "true")
    }
}

impl LowerSettings {
    /// The configuration as lowering sees it: its own properties over the defaults, and the cores.
    #[must_use]
    pub fn config(&self) -> CompilerConfig {
        let mut config = CompilerConfig { aipu_cores_used: self.cores, ..CompilerConfig::default() };
        for (name, text) in &self.properties {
            if let Some(value) = properties::Value::from_canonical(text) {
                // What is no property of today is for external toolchains; values were checked when they were read.
                let _ = config.set(name, &value);
            }
        }
        config.aipu_cores_used = self.cores;
        config
    }
}

impl Settings {
    /// Every setting as `name → text`: nested names joined by dots, floats as the hexadecimal of their bits, so that no
    /// float text decides about a key (design invariant 2).
    #[must_use]
    pub fn flat(&self) -> BTreeMap<String, String> {
        let mut flat = BTreeMap::new();
        // A settings struct always serializes: maps have text keys and no value is refused.
        flatten("", &serde_json::to_value(self).unwrap_or(Value::Null), &mut flat);
        // Compiler properties are canonical already, and stand under their own names.
        let properties = match self {
            Self::Clean(settings) => Some(&settings.properties),
            Self::Quantize(settings) => Some(&settings.properties),
            Self::Lower(settings) => Some(&settings.properties),
            Self::Fetch(_) | Self::Pack(_) | Self::Bundle(_) => None,
        };
        flat.extend(properties.into_iter().flatten().map(|(name, text)| (name.clone(), text.clone())));
        flat
    }
}

/// No two values give the same flat settings: texts are quoted, dots in keys are escaped, places in lists are bracketed.
fn flatten(name: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
    let below = |part: &str| {
        let part = part.replace('\\', "\\\\").replace('.', "\\.").replace('[', "\\[");
        if name.is_empty() { part } else { format!("{name}.{part}") }
    };
    let text = match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                flatten(&below(key), value, flat);
            }
            return;
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), value, flat);
            }
            return;
        }
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => format!("f64:{:016x}", float.to_bits()),
            None => number.to_string(),
        },
        other => other.to_string(),
    };
    flat.insert(name.to_owned(), text);
}

/// A flat setting's text for people: `f64:` bits as a decimal with as many digits as tell it from others, a canonical text without its quotes.
#[must_use]
pub fn readable(text: &str) -> String {
    let bits = text.strip_prefix("f64:").and_then(|bits| u64::from_str_radix(bits, 16).ok());
    if let Some(bits) = bits {
        let number = f64::from_bits(bits);
        let single = number as f32;
        // What was a number of 32 bits is told with the digits that it was written with.
        return if f64::from(single).to_bits() == bits { format!("{single:?}") } else { format!("{number:?}") };
    }
    let quoted = text.strip_prefix('"').and_then(|_| serde_json::from_str::<String>(text).ok());
    quoted.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::lower::LowerOptions;
    use crate::properties::HostSupport;
    use crate::properties::Influence;
    use crate::properties::Kind;

    #[test]
    fn floats_enter_a_key_as_bits() {
        let mut flat = BTreeMap::new();
        flatten("", &serde_json::json!({"a": {"b": [0.25, 1]}, "c": null, "d": "x"}), &mut flat);
        let expected = [("a.b[0]", "f64:3fd0000000000000"), ("a.b[1]", "1"), ("c", "null"), ("d", "\"x\"")];
        assert_eq!(flat, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(readable("f64:3fd0000000000000"), "0.25");
        for number in [0.2, f64::from(0.2_f32)] {
            assert_eq!(readable(&format!("f64:{:016x}", number.to_bits())), "0.2");
        }
        assert_eq!(readable("\"per_tensor_histogram\""), "per_tensor_histogram");
    }

    /// What lowering is told, without what it is told to have no effect.
    fn lowering(settings: &LowerSettings) -> LowerOptions {
        LowerOptions { ignored: Vec::new(), without: Vec::new(), ..LowerOptions::of(&settings.config()) }
    }

    /// What the host's steps make of a configuration's properties, each step seeing what the table gives it.
    fn readings(config: &crate::config::Config) -> BTreeMap<Influence, String> {
        let quantize = QuantizeSettings {
            preprocess: Preprocess {
                operators: Vec::new(),
                input_color: crate::imaging::ColorFormat::Gray,
                layout: crate::imaging::Layout::Nchw,
                shape: [1, 1, 4, 4],
            },
            tensors: false,
            random_calibration: None,
            calibration_images: 0,
            labels: Vec::new(),
            class_count: 1,
            min_sqnr_db: None,
            min_top1_agreement: None,
            properties: config.influences(Influence::Quantize),
        };
        let clean = CleanSettings { input_shape: Vec::new(), properties: config.influences(Influence::Clean) };
        let lower = LowerSettings {
            cores: config.effective().aipu_cores_used,
            properties: config.influences(Influence::Lower),
        };
        BTreeMap::from([
            // The planner leaves steps out; it asks the configuration itself.
            (Influence::Nothing, config.effective().compiler_mode.to_string()),
            (
                Influence::Clean,
                format!(
                    "{} {:?} {:?} {}",
                    clean.cuts(),
                    clean.point_node(),
                    clean.point_condition(),
                    clean.point_threshold()
                ),
            ),
            (
                Influence::Quantize,
                format!(
                    "{} {} {}",
                    quantize.scheme(),
                    quantize.depthwise_channels(),
                    quantize.removes_io_quantization()
                ),
            ),
            (Influence::Lower, format!("{:?}", lowering(&lower))),
        ])
    }

    #[test]
    fn a_step_reads_what_the_table_says_the_host_honours() {
        let resolver = crate::config::Resolver::default();
        let with = |name: &str, value: &str| {
            let set = [(name.to_owned(), value.to_owned())];
            let request = crate::config::Request { set: &set, ..crate::config::Request::default() };
            resolver.resolve(&request).config
        };
        let plain = readings(&crate::config::Config::default());
        let mut wrong = Vec::new();
        for row in crate::properties::all() {
            let values: Vec<String> = match row.kind {
                Kind::Enum(words) => words.iter().map(|&word| word.to_owned()).collect(),
                Kind::List(words) => words.iter().map(|word| format!("[\"{word}\"]")).collect(),
                Kind::Bool => vec!["true".to_owned(), "false".to_owned()],
                Kind::Float { .. } | Kind::Share => vec!["0.5".to_owned()],
                Kind::Int { .. } | Kind::Cores => ["2", "3", "18", "30000000"].map(ToOwned::to_owned).to_vec(),
                Kind::Text | Kind::Path => vec!["x".to_owned()],
            };
            let configs: Vec<_> = values.iter().map(|value| with(row.name, value)).collect();
            assert!(configs.iter().any(|config| config.is_said(row.name)), "no value of `{}` was tried", row.name);
            let mut read_by: Vec<Influence> = Vec::new();
            for found in configs.iter().map(readings) {
                read_by.extend(found.iter().filter(|(step, text)| plain[step] != **text).map(|(step, _)| *step));
            }
            read_by.sort_unstable();
            read_by.dedup();
            let expected = if row.host == HostSupport::Honoured { vec![row.influences] } else { Vec::new() };
            if read_by != expected {
                wrong.push(format!("`{}` is read by {read_by:?} of the host, not by {expected:?}", row.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn different_settings_are_never_the_same_key() {
        let values = [
            serde_json::json!({"k": "5"}),
            serde_json::json!({"k": 5}),
            serde_json::json!({"k": "true"}),
            serde_json::json!({"k": true}),
            serde_json::json!({"k": "null"}),
            serde_json::json!({"k": null}),
            serde_json::json!({"k": [1]}),
            serde_json::json!({"k": {"0": 1}}),
            serde_json::json!({"k[0]": 1}),
            serde_json::json!({"a.b": 1}),
            serde_json::json!({"a": {"b": 1}}),
            serde_json::json!({"k": []}),
            serde_json::json!({"k": {}}),
            serde_json::json!({"k": "[]"}),
            serde_json::json!({"k": 0.25}),
            serde_json::json!({"k": "f64:3fd0000000000000"}),
        ];
        let mut seen = BTreeMap::new();
        for value in values {
            let mut flat = BTreeMap::new();
            flatten("", &value, &mut flat);
            let before = seen.insert(format!("{flat:?}"), value.clone());
            assert_eq!(before, None, "{value} has the key of another value");
        }
    }
}
