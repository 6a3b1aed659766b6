//! How a user's preprocessing fails.

use std::path::PathBuf;

use crate::base::fs::FsError;

/// A failure, with what the process wrote to standard error last where that helps.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// There is no Python.
    #[error("`--transform` needs Python: `python3` cannot be started ({0})")]
    NoPython(String),
    /// A module is not installed for this Python.
    #[error("{}", missing(module, *by_script))]
    MissingModule {
        /// What is imported.
        module: String,
        /// What to install.
        package: String,
        /// Whether it is the user's file that imports it.
        by_script: bool,
    },
    /// The file has no such function.
    #[error("`{}` defines no function `get_preprocess_transform`{}", script.display(), defined_text(defined))]
    NoFunction {
        /// The file.
        script: PathBuf,
        /// What it defines instead.
        defined: Vec<String>,
    },
    /// The file cannot be loaded.
    #[error("`{}` cannot be loaded: {message}{}", script.display(), quoted(trace))]
    Script {
        /// The file.
        script: PathBuf,
        /// The exception.
        message: String,
        /// Where it was raised.
        trace: String,
    },
    /// An image cannot be read.
    #[error("the image `{}` cannot be read: {message}", image.display())]
    Image {
        /// The image.
        image: PathBuf,
        /// Why.
        message: String,
    },
    /// The function raised an exception.
    #[error("`get_preprocess_transform` failed for the image `{}`: {message}{}", image.display(), quoted(trace))]
    Raised {
        /// The image.
        image: PathBuf,
        /// The exception.
        message: String,
        /// Where it was raised.
        trace: String,
    },
    /// The function returned no tensor.
    #[error("`get_preprocess_transform` returned {found} for the image `{}`, expected a tensor or an array", image.display())]
    Result {
        /// The image.
        image: PathBuf,
        /// What it returned.
        found: String,
    },
    /// A tensor is not the network's input.
    #[error(
        "`get_preprocess_transform` returned the shape {found:?} for the image `{}`, the network's input has {expected:?}",
        image.display()
    )]
    Shape {
        /// The image.
        image: PathBuf,
        /// What it returned.
        found: Vec<usize>,
        /// The network's input.
        expected: Vec<usize>,
    },
    /// The process ended without a word.
    #[error("`python3` ended too early ({how}){}", quoted(said))]
    Died {
        /// Its exit code or signal.
        how: String,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// Somebody asked to stop.
    #[error("stopped before it was done")]
    Cancelled,
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FsError),
}

fn missing(module: &str, by_script: bool) -> String {
    let by = if by_script { ", which the file of `--transform` imports" } else { ", which `--transform` needs" };
    format!("Python has no module `{module}`{by}")
}

fn defined_text(defined: &[String]) -> String {
    let names: Vec<String> = defined.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!("; it has {}", names.join(", ")) }
}

/// Lines of another program, set off from ours.
fn quoted(text: &str) -> String {
    text.trim_end().lines().flat_map(|line| ["\n  | ", line]).collect()
}

impl TransformError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPython(_) => {
                "install Python 3, or name a YAML list of preprocess operators, which needs none".to_owned()
            }
            Self::MissingModule { package, .. } => {
                format!("`python3 -m pip install {package}`, in the environment whose `python3` comes first on PATH")
            }
            Self::NoFunction { .. } => {
                "write `def get_preprocess_transform(image):`, which returns a tensor".to_owned()
            }
            Self::Image { .. } => {
                "remove the file from the folder of `--imageset`, or put a whole one there".to_owned()
            }
            Self::Shape { .. } => {
                "resize in the function to what the network takes, and see `--input-shape` and `--input-data-layout`"
                    .to_owned()
            }
            Self::File(error) => return error.hint().map(ToOwned::to_owned),
            Self::Result { .. } => "return a `torch.Tensor` or a NumPy array of finite numbers".to_owned(),
            Self::Script { .. } | Self::Raised { .. } | Self::Died { .. } | Self::Cancelled => return None,
        })
    }
}
