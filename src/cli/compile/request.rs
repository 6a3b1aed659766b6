//! What is to be done: the arguments understood, or everything that is wrong with them.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::cli_args;
use super::flags::CompileArgs;
use super::folder::{CONF, Folder};
use super::given::{Arguments, Given, flag, typed};
use super::notes;
use super::notes::Stages;
use super::recognized::Recognized;
use crate::base::did_you_mean;
use crate::base::fs;
use crate::base::nearest;
use crate::base::shown;
use crate::config::Config;
use crate::config::Resolution;
use crate::config::read_conf;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::imaging::ColorFormat;
use crate::imaging::Layout;
use crate::plan::ImageFolder;
use crate::properties;
use crate::properties::CompilerMode;
use crate::properties::Value;
use crate::toolchains::transform::Reader;

/// Sides of an input shape, and elements in it.
const RANK_LIMIT: usize = 8;

/// What a file of `--transform` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transform {
    /// A Python file with `get_preprocess_transform`.
    Python(PathBuf),
    /// A YAML list of preprocess operators, and what users see of its name.
    Operators(PathBuf, String),
}

/// One compilation.
#[derive(Debug)]
pub(super) struct Request {
    /// What was given, for `cli_args.json`.
    pub(super) arguments: Arguments,
    /// The ONNX file or the manifest.
    pub(super) input: PathBuf,
    /// Whether the input is quantized already.
    pub(super) is_manifest: bool,
    /// The compiler's configuration.
    pub(super) config: Config,
    /// Whether to stop after quantization.
    pub(super) quantize_only: bool,
    /// The input's shape in the file's own layout; empty: as in the file.
    pub(super) input_shape: Vec<usize>,
    /// The images; `None`: random data.
    pub(super) images: Option<ImageFolder>,
    /// From an image to the input; `None`: resized to it, from 0 to 1.
    pub(super) transform: Option<Transform>,
    /// The layout of the input.
    pub(super) layout: Layout,
    /// The colours of the images.
    pub(super) color: ColorFormat,
    /// What reads images for Python.
    pub(super) reader: Reader,
    /// What has no effect, and what is worth knowing.
    pub(super) notes: Vec<Diagnostic>,
}

impl Request {
    /// Which stages there are.
    pub(super) const fn stages(&self) -> Stages {
        Stages { is_manifest: self.is_manifest, quantize_only: self.quantize_only }
    }

    /// `conf.json`: the whole configuration.
    pub(super) fn conf(&self) -> Vec<u8> {
        format!("{:#}\n", crate::config::settings_json(&self.config)).into_bytes()
    }

    /// A `--conf` that lies where the results' own goes, and would be lost.
    pub(super) fn conf_in_the_way(&self, folder: &Folder) -> Option<Diagnostic> {
        let given = self.arguments.get("conf")?;
        let there = folder.replaces(CONF, &given.path(), &self.conf())?;
        let message = format!(
            "`--conf` lies in the folder of results, where the whole configuration is written under its name; {}",
            self.difference(&there)
        );
        Some(given.wrong(message).hint("keep it under another name, or name another folder with `-o`"))
    }

    /// In what a file of a configuration differs from the one that is written.
    fn difference(&self, there: &[u8]) -> String {
        let Json::Object(own) = crate::config::settings_json(&self.config) else { return String::new() };
        let Ok(Json::Object(there)) = serde_json::from_slice(there) else {
            return "this one is not JSON".to_owned();
        };
        let other = there.iter().filter(|(key, value)| own.get(*key) != Some(value)).map(|(key, _)| format!("`{key}`"));
        let other: Vec<String> = other.collect();
        let missing = own.keys().filter(|key| !there.contains_key(*key)).count();
        match (other.is_empty(), missing) {
            (false, _) => format!("this one has other values of {}", other.join(", ")),
            (true, 0) => "this one has the same values in another order or with other spaces".to_owned(),
            (true, count) => format!("this one does not have {count} of its properties"),
        }
    }
}

/// What was given, before it is understood.
pub(super) struct Gathered {
    pub(super) arguments: Arguments,
    pub(super) resolution: Resolution,
    /// The folder of results, where one is named.
    pub(super) output: Option<PathBuf>,
    problems: Vec<Diagnostic>,
}

/// Puts what was typed over the arguments of `--cli-args`, and reads the configuration.
pub(super) fn gather(flags: &CompileArgs, standing: &Path) -> Gathered {
    let mut problems = Vec::new();
    let mistaken = |path: &Path, flag: &str, takes: &str, expected: Recognized| {
        let found = Recognized::of(path).filter(|found| *found != expected)?;
        let message = format!("`{flag}` takes {takes}, found `{}`, which is {}", shown(path, standing), found.what());
        Some(Diagnostic::error("compile/arguments", message).hint(found.hint()))
    };
    let mut arguments = match &flags.cli_args {
        Some(file) => {
            let file = standing.join(file);
            let takes = "the `cli_args.json` of an earlier run";
            if let Some(problem) = mistaken(&file, "--cli-args", takes, Recognized::Arguments) {
                problems.push(problem);
                Arguments::new()
            } else {
                cli_args::read(&file, &shown(&file, standing), standing, &mut problems)
            }
        }
        None => Arguments::new(),
    };
    arguments.extend(typed(flags, standing));
    let takes = "a compiler configuration";
    let conf = arguments.get("conf").map(Given::path);
    let other = conf.as_ref().and_then(|conf| mistaken(conf, "--conf", takes, Recognized::Configuration));
    let is_other = other.is_some();
    problems.extend(other);
    let takes = "an ONNX file, or the `quantized_model_manifest.json` of an earlier run";
    let input = arguments.get("input").map(Given::path);
    problems.extend(input.and_then(|input| mistaken(&input, "--input", takes, Recognized::Quantized)));
    let mut resolution = match conf.filter(|_| !is_other) {
        Some(conf) => read_conf(&conf, &shown(&conf, standing)),
        None => Resolution { config: Config::default(), diagnostics: Vec::new(), files: Vec::new() },
    };
    if let Some(given) = arguments.get("aipu_cores") {
        match cores(given) {
            Ok(cores) => resolution.config.say_cores(cores),
            Err(problem) => problems.push(*problem),
        }
    }
    let named = resolution.config.effective().output_dir.map(|folder| standing.join(folder));
    let lowers = arguments.get("quantize_only").is_some_and(|given| given.text.trim().eq_ignore_ascii_case("false"));
    if lowers && resolution.config.effective().compiler_mode == CompilerMode::QuantizeOnly {
        resolution.config.say_quantize_and_lower();
    }
    let output = arguments.get("output").map(Given::path).or(named);
    Gathered { arguments, resolution, output, problems }
}

fn cores(given: &Given) -> Result<u32, Box<Diagnostic>> {
    let wrong = |message: String| Box::new(given.wrong(message).hint("name a number of cores from 1 to 4"));
    let number: i64 = given
        .text
        .trim()
        .parse()
        .map_err(|_| wrong(format!("`--aipu-cores` takes a whole number, found `{}`", given.text)))?;
    let property = properties::find("aipu_cores_used");
    let most = crate::config::Board::default().cores();
    match property.map(|property| property.check(&Value::Int(number), most)) {
        Some(Ok(_)) => Ok(number as u32),
        _ => Err(wrong(format!("`--aipu-cores` is from 1 to {most}, found {number}"))),
    }
}

impl Gathered {
    /// What is to be done.
    ///
    /// # Errors
    /// Everything that is wrong, with notes and warnings.
    pub(super) fn understood(self, standing: &Path) -> Result<Request, Vec<Diagnostic>> {
        let Self { arguments, resolution, output: _, mut problems } = self;
        problems.extend(resolution.diagnostics);
        let config = resolution.config;
        let mut reader = ArgumentReader { arguments: &arguments, standing, problems };
        let input = reader.file("input", "the model: ONNX, or a quantized manifest");
        if !arguments.contains_key("input") {
            let problem = Diagnostic::error("compile/arguments", "there is no model to compile");
            reader.problems.push(problem.hint("name an ONNX file, or a quantized manifest, with `-i`"));
        }
        let layout = reader.word("input_data_layout", &[Layout::Nchw, Layout::Nhwc].map(|it| (it.word(), it)));
        let colors = [ColorFormat::Rgb, ColorFormat::Bgr, ColorFormat::Gray].map(|it| (it.word(), it));
        let color = reader.word("color_format", &colors);
        let library = reader.word("imreader_backend", &[("PIL", Reader::Pillow), ("OPENCV", Reader::OpenCv)]);
        let quantize_flag = reader.word("quantize_only", &[("true", true), ("false", false)]).unwrap_or(false);
        let input_shape = reader.shape();
        let images = reader.images();
        let transform = reader.transform();
        let is_manifest = input.as_ref().is_some_and(|input| is_manifest(input));
        let mode = config.effective().compiler_mode;
        if let Some(problem) = mode_problem(&arguments, standing, &config, is_manifest, quantize_flag) {
            reader.problems.extend(input.as_ref().map(|_| problem));
        }
        let mut problems = reader.problems;
        if let (true, Some(shape), Some(images)) =
            (input_shape.first().is_some_and(|batch| *batch != 1), arguments.get("input_shape"), &images)
        {
            let batch = input_shape.first().copied().unwrap_or_default();
            let message = format!(
                "`--input-shape` has a batch of {batch}; images of `{}` go in one by one",
                images.folder.display()
            );
            problems.push(shape.wrong(message).hint("give a batch of 1; `--aipu-cores` says how many run at once"));
        }
        let quantize_only = quantize_flag || mode == CompilerMode::QuantizeOnly;
        let stages = Stages { is_manifest, quantize_only };
        let notes = notes::of(&arguments, &config, stages);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            problems.extend(notes);
            return Err(problems);
        }
        problems.extend(notes);
        let Some(input) = input else { return Err(problems) };
        Ok(Request {
            input,
            is_manifest,
            quantize_only,
            input_shape,
            images: images.filter(|_| !is_manifest),
            transform,
            layout: layout.unwrap_or(Layout::Nchw),
            color: color.unwrap_or(ColorFormat::Rgb),
            reader: library.unwrap_or(Reader::Pillow),
            notes: problems,
            arguments,
            config,
        })
    }
}

/// By its ending, else by its first letter: ONNX never begins with a brace.
pub(super) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("json") => true,
        Some("onnx") => false,
        _ => fs::read_range(path, 0, 1).is_ok_and(|first| first == b"{"),
    }
}

fn mode_problem(
    arguments: &Arguments,
    standing: &Path,
    config: &Config,
    is_manifest: bool,
    quantize_only: bool,
) -> Option<Diagnostic> {
    let mode = config.effective().compiler_mode;
    let place = config.get("compiler_mode").and_then(|traced| traced.origin.place.as_ref());
    let input = arguments.get("input").map_or_else(String::new, |input| shown(&input.path(), standing));
    match (is_manifest, mode) {
        (true, CompilerMode::QuantizeOnly) => {
            let message = format!("`{input}` is quantized already: there is nothing left to do in `quantize_only`");
            let problem = Diagnostic::error("compile/mode", message).at_place(place);
            Some(problem.hint("name the ONNX file to quantize it again, or set `compiler_mode` to `lower_only`"))
        }
        (true, _) if quantize_only => {
            let message = format!("`{input}` is quantized already: there is nothing left to do with `--quantize-only`");
            let problem = Diagnostic::error("compile/mode", message);
            Some(problem.hint("leave `--quantize-only` out to compile it, or name the ONNX file"))
        }
        (false, CompilerMode::LowerOnly) => {
            let message = format!("`compiler_mode: lower_only` needs a quantized model, found `{input}`");
            let problem = Diagnostic::error("compile/mode", message).at_place(place);
            Some(problem.hint("name the `quantized_model_manifest.json` of an earlier run"))
        }
        _ => None,
    }
}

/// Reads arguments one by one, collecting every problem.
struct ArgumentReader<'a> {
    arguments: &'a Arguments,
    standing: &'a Path,
    problems: Vec<Diagnostic>,
}

impl ArgumentReader<'_> {
    fn shown(&self, path: &Path) -> String {
        shown(path, self.standing)
    }

    /// A file that must be there and readable.
    fn file(&mut self, name: &str, what: &str) -> Option<PathBuf> {
        let given = self.arguments.get(name)?;
        let path = given.path();
        let file = self.shown(&path);
        let problem = match fs::inspect(&path) {
            Ok(fs::Kind::File(_)) => match fs::read_range(&path, 0, 0) {
                Ok(_) => return Some(path),
                Err(error) => {
                    let error = error.shown_as(file);
                    given.wrong(format!("`{}`: {error}", flag(name))).maybe_hint(error.hint())
                }
            },
            Ok(fs::Kind::Folder) => {
                let message = format!("`{}` takes {what}, found the folder `{file}`", flag(name));
                given.wrong(message).hint("name a file, such as one in that folder")
            }
            Ok(fs::Kind::Other) => {
                let message = format!("`{}` takes {what}, found `{file}`, which is no regular file", flag(name));
                given.wrong(message).hint("write what comes out of a pipe to a file first")
            }
            Err(error) if error.is_not_found() => {
                given.wrong(format!("`{}`: there is no file `{file}`", flag(name))).maybe_hint(self.neighbour(&path))
            }
            Err(error) => {
                let error = error.shown_as(file);
                given.wrong(format!("`{}`: {error}", flag(name))).maybe_hint(error.hint())
            }
        };
        self.problems.push(problem);
        None
    }

    /// A file of a like name beside one that is not there.
    fn neighbour(&self, path: &Path) -> Option<String> {
        let files = fs::list(path.parent()?).ok()?;
        // The folder, which all have in common, says nothing of how like they are.
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let names: Vec<String> = files.iter().filter_map(|file| name(file)).collect();
        let wanted = name(path)?;
        let near = nearest(&wanted, names.iter().map(String::as_str));
        let near: Vec<String> = near.into_iter().map(|name| self.shown(&path.with_file_name(name))).collect();
        did_you_mean(&near.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// One of some words, upper and lower case alike.
    fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let given = self.arguments.get(name)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(given.text.trim()));
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let ticked: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            let message = format!("`{}` is one of {}, found `{}`", flag(name), ticked.join(", "), given.text);
            let near = did_you_mean(&nearest(&given.text.to_uppercase(), known));
            self.problems.push(given.wrong(message).maybe_hint(near));
        }
        found.map(|(_, value)| *value)
    }

    /// The sides of `--input-shape`; none where it is not given.
    fn shape(&mut self) -> Vec<usize> {
        let Some(given) = self.arguments.get("input_shape") else { return Vec::new() };
        let text = given.text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
        let sides: Result<Vec<usize>, _> = text.split(',').map(|side| side.trim().parse::<usize>()).collect();
        match sides {
            Ok(sides) if sides.len() <= RANK_LIMIT && sides.iter().all(|side| (1..=1 << 24).contains(side)) => sides,
            _ => {
                let message = format!("`--input-shape` takes whole numbers from 1 with commas, found `{}`", given.text);
                self.problems.push(given.wrong(message).hint("write for example `--input-shape 1,3,224,224`"));
                Vec::new()
            }
        }
    }

    fn images(&mut self) -> Option<ImageFolder> {
        let given = self.arguments.get("imageset")?;
        let path = given.path();
        let folder = self.shown(&path);
        let problem = if fs::is_folder(&path) {
            match ImageFolder::read(&path) {
                Ok(found) if !found.images.is_empty() => return Some(found),
                Ok(_) => {
                    let message = format!("`--imageset`: there is no image in `{folder}` or below it");
                    given.wrong(message).hint("JPEG, PNG, BMP and WebP files are read, by their endings")
                }
                Err(error) => {
                    let hint = error.hint();
                    given.wrong(format!("`--imageset`: {}", error.shown_as(folder))).maybe_hint(hint)
                }
            }
        } else if fs::exists(&path) {
            given.wrong(format!("`--imageset` takes a folder of images, found the file `{folder}`"))
        } else {
            let neighbour = self.neighbour(&path);
            given.wrong(format!("`--imageset`: there is no folder `{folder}`")).maybe_hint(neighbour)
        };
        self.problems.push(problem);
        None
    }

    fn transform(&mut self) -> Option<Transform> {
        let path = self.file("transform", "a Python file, or a YAML list of operators")?;
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("py") => Some(Transform::Python(path)),
            Some("yaml" | "yml") => {
                let name = self.shown(&path);
                Some(Transform::Operators(path, name))
            }
            _ => {
                let given = self.arguments.get("transform")?;
                let message = format!("`--transform` takes a `.py` or a `.yaml` file, found `{}`", self.shown(&path));
                self.problems.push(given.wrong(message).hint("its ending tells what it is"));
                None
            }
        }
    }
}
