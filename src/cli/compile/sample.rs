//! What a model is calibrated and measured on: images through a list of operators, tensors that a Python file makes, or
//! random numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::outcome::Outcome;
use super::request::{Request, Transform};
use crate::base::CancelToken;
use crate::base::fs;
use crate::compiler::Status;
use crate::compiler::onnx::shape_text;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::imaging::Audit;
use crate::imaging::Interpolation;
use crate::imaging::Portrait;
use crate::imaging::Preprocess;
use crate::imaging::PreprocessOperator;
use crate::imaging::ResizeTarget;
use crate::plan::ImageFolder;
use crate::plan::Images;
use crate::plan::choose;
use crate::toolchains::transform::TransformError;
use crate::toolchains::transform::TransformRequest;
use crate::toolchains::transform::run_transform;
use crate::yaml;

/// Images that a model is calibrated on at most, as in a build.
const MOST: usize = 200;

/// From so many images on, one in five is left out of the calibration, to measure on.
const ENOUGH: usize = 10;

/// Tensors of held-out images that a Python file makes at most: they lie on disk until the run ends.
const MOST_TENSORS: usize = 64;

/// Random samples, where there are no images.
const RANDOM: usize = 16;

/// What the quantize step reads.
pub(super) struct Samples {
    pub(super) preprocess: Preprocess,
    pub(super) is_tensors: bool,
    /// Seed of random data.
    pub(super) random: Option<u64>,
    /// How many calibration samples there are.
    pub(super) count: usize,
    /// For calibration and for measuring, as the step reads them.
    pub(super) files: [Vec<PathBuf>; 2],
    /// The same as the user knows them.
    pub(super) images: [Vec<PathBuf>; 2],
    /// What the images are like that a Python file turns into tensors: the quantizer does not see them.
    pub(super) audit: Option<Audit>,
    /// What a Python file wrote to standard error.
    pub(super) said: String,
    pub(super) warnings: Vec<Diagnostic>,
}

/// The largest image file that is looked at.
const LARGEST_IMAGE: u64 = 512 << 20;

/// The largest file of operators that is read.
const LARGEST: u64 = 1 << 20;

fn failed(message: impl Into<String>) -> Outcome {
    Outcome::failed(Status::QtoolsError, message)
}

/// Which images are for calibration and which for measuring.
pub(super) fn share_out(folder: &ImageFolder) -> Images {
    let all = folder.images.len();
    let held_out = if all >= ENOUGH { all / 5 } else { 0 };
    choose(folder, None, MOST.min(all - held_out), None, 0)
}

/// Gathers the samples for a model whose input has `shape`, in the layout of the request.
pub(super) fn gather(
    request: &Request,
    shape: &[usize],
    tensors: &Path,
    cancel: &CancelToken,
    progress: &(dyn Fn(&str, usize, usize) + Sync),
) -> Result<Samples, Outcome> {
    let nothing = Preprocess {
        operators: Vec::new(),
        input_color: request.color,
        layout: request.layout,
        shape: <[usize; 4]>::try_from(shape).unwrap_or([1; 4]),
    };
    let Some(folder) = &request.images else {
        let message = "there is no `--imageset`: the model is calibrated on RANDOM DATA, so its accuracy means nothing";
        let hint = "name a folder of pictures of what the model will see with `--imageset`";
        return Ok(Samples {
            preprocess: nothing,
            is_tensors: false,
            random: Some(0),
            count: RANDOM,
            files: Default::default(),
            images: Default::default(),
            audit: None,
            said: String::new(),
            warnings: vec![Diagnostic::warning("compile/random-data", message).hint(hint)],
        });
    };
    let mut images = share_out(folder);
    let mut samples = Samples {
        preprocess: nothing,
        is_tensors: false,
        random: None,
        count: images.calibration.len(),
        files: Default::default(),
        images: Default::default(),
        audit: None,
        said: String::new(),
        warnings: Vec::new(),
    };
    match &request.transform {
        Some(Transform::Python(script)) => {
            images.evaluation.truncate(MOST_TENSORS);
            let all: Vec<PathBuf> = images.calibration.iter().chain(&images.evaluation).cloned().collect();
            samples.audit = audit(&images, &samples.preprocess, cancel);
            let made = fs::create_folders(tensors);
            made.map_err(|error| Outcome::of_file(&error, Status::QtoolsError, Status::QtoolsError))?;
            let asked = TransformRequest {
                script,
                images: &all,
                reader: request.reader,
                colors: request.color,
                shape,
                output: tensors,
            };
            let (mut files, said) = run_transform(&asked, cancel, &|done, of| progress("transform", done, of))
                .map_err(|error: TransformError| failed(error.to_string()).hint(error.hint()))?;
            let evaluation = files.split_off(images.calibration.len().min(files.len()));
            samples.is_tensors = true;
            samples.files = [files, evaluation];
            samples.said = said;
        }
        Some(Transform::Operators(file, name)) => {
            samples.preprocess = with_operators(request, shape, operators(file, name)?)?;
            samples.files = [images.calibration.clone(), images.evaluation.clone()];
        }
        None => {
            let [_, _, height, width] = request.layout.to_nchw(four(shape)?);
            let target = ResizeTarget::Exactly { width, height };
            let resize = PreprocessOperator::Resize {
                target,
                interpolation: Interpolation::Bilinear,
                half_pixel_centers: false,
                input_color: None,
            };
            let operators = vec![resize, PreprocessOperator::TorchToTensor { scale: true }];
            samples.preprocess = with_operators(request, shape, operators)?;
            samples.files = [images.calibration.clone(), images.evaluation.clone()];
            let message = format!(
                "there is no `--transform`: images are resized to {width}×{height} and scaled to 0…1, as {} in {}",
                request.color, request.layout
            );
            let hint = "where the model was trained otherwise (mean, deviation, crop), say so in a `--transform`";
            samples.warnings.push(Diagnostic::warning("compile/default-transform", message).hint(hint));
        }
    }
    samples.images = [images.calibration, images.evaluation];
    Ok(samples)
}

/// What is odd about images, looked at as files. Those that cannot be read here are left to Python.
fn audit(images: &Images, preprocess: &Preprocess, cancel: &CancelToken) -> Option<Audit> {
    let portraits = |files: &[PathBuf]| -> BTreeMap<usize, Portrait> {
        let portrait = |file: &PathBuf| Portrait::of_file(&fs::read_limited(file, LARGEST_IMAGE).ok()?).ok();
        let files = files.iter().enumerate().take_while(|_| !cancel.is_cancelled());
        files.filter_map(|(place, file)| Some((place, portrait(file)?))).collect()
    };
    Audit::of(&portraits(&images.calibration), &portraits(&images.evaluation), preprocess)
}

fn four(shape: &[usize]) -> Result<[usize; 4], Outcome> {
    <[usize; 4]>::try_from(shape).map_err(|_| {
        let shape = shape_text(&shape.iter().copied().map(Some).collect::<Vec<_>>());
        let hint = "make tensors of the images in a Python file, with `--transform`";
        failed(format!("the model's input has the shape {shape}, which is no image")).hint(Some(hint))
    })
}

fn with_operators(
    request: &Request,
    shape: &[usize],
    operators: Vec<PreprocessOperator>,
) -> Result<Preprocess, Outcome> {
    let preprocess = Preprocess { operators, input_color: request.color, layout: request.layout, shape: four(shape)? };
    preprocess.check().map_err(|error| {
        let hint = "see `--color-format` and `--input-data-layout`, and the sizes in the `--transform`";
        failed(error.to_string()).hint(Some(hint))
    })?;
    Ok(preprocess)
}

/// The operators of a YAML file: a list of them, or a mapping with such a list under `preprocess`.
fn operators(file: &Path, name: &str) -> Result<Vec<PreprocessOperator>, Outcome> {
    let bytes = fs::read_limited(file, LARGEST);
    let bytes = bytes.map_err(|error| Outcome::of_file(&error, Status::QtoolsError, Status::QtoolsError))?;
    let text = String::from_utf8(bytes).map_err(|_| failed(format!("`{name}` is not UTF-8")))?;
    let source = Source::new(name, text);
    let told = |problems: Vec<Diagnostic>| {
        let hint = "`--transform` takes the preprocess operators of a card";
        Outcome::of_problems(Status::QtoolsError, problems).hint(Some(hint))
    };
    let tree = yaml::parse(&source).map_err(|error| told(vec![error.diagnostic(&source)]))?;
    let list = tree.get("preprocess").unwrap_or(&tree);
    let wrong = |place: Place, message: String| Diagnostic::error("compile/transform", message).at_place(Some(&place));
    if !list.is_sequence() {
        let message = format!("expected a list of preprocess operators, found {}", list.describe());
        return Err(told(vec![wrong(Place::new(&source, list.span), message)]));
    }
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for item in list.items() {
        let [(key, arguments)] = item.entries() else {
            let message = format!("expected one operator, such as `- torch-totensor:`, found {}", item.describe());
            problems.push(wrong(Place::new(&source, item.span), message));
            continue;
        };
        match PreprocessOperator::parse(key.as_text().unwrap_or_default(), arguments) {
            Ok(operator) => found.push(operator),
            Err(wrongs) => problems.extend(
                wrongs
                    .into_iter()
                    .map(|problem| wrong(Place::new(&source, problem.span), problem.message).maybe_hint(problem.hint)),
            ),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(told(problems)) }
}
