//! What may be typed. Values stay texts here: what is wrong with them is said all at once, in the report too.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct CompileArgs {
    /// ONNX model, or the `quantized_model_manifest.json` of an earlier run
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["generate_config", "cli_args", "output"])]
    pub(super) input: Option<PathBuf>,
    /// Folder for everything that is written
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Compiler configuration, JSON or TOML
    #[arg(long, value_name = "FILE")]
    pub(super) conf: Option<PathBuf>,
    /// Write the default configuration to `DIR/default_conf.json`, and do nothing else
    #[arg(long, value_name = "DIR", exclusive = true)]
    pub(super) generate_config: Option<PathBuf>,
    /// Stop after quantization
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) quantize_only: Option<String>,
    /// Shape of the model's input, in the order of its layout, such as 1,3,224,224
    #[arg(long, value_name = "N,C,H,W")]
    pub(super) input_shape: Option<String>,
    /// Folder of images to calibrate on [default: random data]
    #[arg(long, value_name = "DIR")]
    pub(super) imageset: Option<PathBuf>,
    /// From an image to the model's input: a Python file with `get_preprocess_transform`, or a YAML list of operators
    #[arg(long, value_name = "FILE")]
    pub(super) transform: Option<PathBuf>,
    /// Layout of the model's input: NCHW or NHWC [default: NCHW]
    #[arg(long, value_name = "LAYOUT")]
    pub(super) input_data_layout: Option<String>,
    /// Colours that the images are turned into: RGB, BGR or GRAY [default: RGB]
    #[arg(long, value_name = "FORMAT")]
    pub(super) color_format: Option<String>,
    /// Library that reads images for a Python file: PIL or OPENCV [default: PIL]
    #[arg(long, value_name = "LIBRARY")]
    pub(super) imreader_backend: Option<String>,
    /// Arguments of an earlier run (its `cli_args.json`); what is typed now counts more
    #[arg(long, value_name = "FILE")]
    pub(super) cli_args: Option<PathBuf>,
    /// Cores that the model is compiled for, 1 to 4 [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) aipu_cores: Option<String>,
}
