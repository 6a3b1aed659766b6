//! The keys of cards: one row a key, with what it takes and what it means. The reader's tables and the JSON schema for
//! editors are made of these rows (voyager-semantics 3.1, 3.3, 3.8 and 3.9).

use super::model::ModelKind;
use super::settings::BOARDS;

/// One key of a mapping in a card.
#[derive(Debug)]
pub(super) struct Key {
    /// The key.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) takes: Takes,
    /// What it means: the help that an editor shows.
    pub(super) doc: &'static str,
}

/// What a key takes. Null is everywhere the same as leaving the key out, but for [`Takes::Name`].
#[derive(Debug)]
pub(super) enum Takes {
    /// Whatever the SDK makes of it; axzoo does not look.
    Anything,
    /// A scalar, its text as written.
    Text,
    /// Text, or a mark such as `{{name}}` that a model's value replaces.
    TextOrMark,
    /// Text that becomes the name of a folder; not null.
    Name,
    /// The version of the card format.
    Format,
    /// 32 hexadecimal digits.
    Md5,
    /// A whole number of at least this.
    Count(u32),
    /// As [`Takes::Count`], or a mark.
    CountOrMark(u32),
    /// A whole number from 0, of up to 63 bits.
    Seed,
    /// True or false.
    Flag,
    /// Any finite number.
    Number,
    /// A number from 0 to 1.
    Portion,
    /// One of these words as written.
    Word(&'static [&'static str]),
    /// The channels of a picture; upper and lower case are the same.
    Color,
    /// As [`Takes::Color`], or a mark.
    ColorOrMark,
    /// The order of a tensor's dimensions; upper and lower case are the same.
    Layout,
    /// `input_tensor_shape`.
    Shape,
    /// The list of tasks.
    Tasks,
    /// A list of operators; axzoo runs those of a preprocess.
    Operators {
        /// Whether they are those of a preprocess.
        preprocess: bool,
    },
    /// The compiler configuration.
    Configuration,
    /// A mapping with the keys of this table.
    Mapping(Table),
    /// A mapping from names of the author's choice to mappings with the keys of this table; whether it must be there.
    Entries(Table, bool),
}

/// The tables: each is a definition of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Task,
    Input,
    Model,
    ExtraKwargs,
    Board,
    Axzoo,
    Dataset,
    OperatorClass,
    Asset,
    Environment,
}

impl Table {
    /// Every table.
    pub(super) const ALL: [Self; 10] = [
        Self::Task,
        Self::Input,
        Self::Model,
        Self::ExtraKwargs,
        Self::Board,
        Self::Axzoo,
        Self::Dataset,
        Self::OperatorClass,
        Self::Asset,
        Self::Environment,
    ];

    /// The name of the schema's definition.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Input => "input",
            Self::Model => "model",
            Self::ExtraKwargs => "extra-kwargs",
            Self::Board => "board",
            Self::Axzoo => "axzoo",
            Self::Dataset => "dataset",
            Self::OperatorClass => "operator-class",
            Self::Asset => "asset",
            Self::Environment => "environment",
        }
    }

    /// The rows.
    pub(super) fn keys(self) -> Vec<&'static Key> {
        let keys: [&[Key]; 2] = match self {
            Self::Task => [&TASK, &[]],
            Self::Input => [&INPUT, &[]],
            Self::Model => [&MODEL, &[]],
            Self::ExtraKwargs => [&BOARD, &EXTRA],
            Self::Board => [&BOARD, &[]],
            Self::Axzoo => [&AXZOO, &[]],
            Self::Dataset => [&DATASET, &[]],
            Self::OperatorClass => [&OPERATOR_CLASS, &[]],
            Self::Asset => [&ASSET, &[]],
            Self::Environment => [&ENVIRONMENT, &[]],
        };
        keys.into_iter().flatten().collect()
    }
}

const fn key(name: &'static str, takes: Takes, doc: &'static str) -> Key {
    Key { name, takes, doc }
}

/// The names of a table's rows.
pub(super) const fn names<const N: usize>(keys: &[Key; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut index = 0;
    while index < N {
        names[index] = keys[index].name;
        index += 1;
    }
    names
}

/// The words of `model_type`.
const MODEL_TYPES: &[&str] = &[ModelKind::DeepLearning.word(), ModelKind::ClassicalCv.word()];

const OPERATORS: Takes = Takes::Operators { preprocess: false };
const PREPROCESS: Takes = Takes::Operators { preprocess: true };

/// A card's top level.
pub(super) static CARD: [Key; 11] = [
    key("axelera-model-format", Takes::Format, "Version of the card format: 1.0.0, the only one."),
    key(
        "name",
        Takes::Name,
        "Name of the network: its target on the command line and its folder below `build/`. Unique in a zoo.",
    ),
    key("description", Takes::Text, "One line about the network."),
    key("pipeline", Takes::Tasks, "The tasks in the order they run; null for a network that is only compiled."),
    key(
        "models",
        Takes::Entries(Table::Model, true),
        "The models of the network by name. With several it is a cascade.",
    ),
    key("datasets", Takes::Entries(Table::Dataset, false), "Images and labels by name; a model's `dataset` names one."),
    key(
        "operators",
        Takes::Entries(Table::OperatorClass, false),
        "Operators of the author's own, by the name that tasks use.",
    ),
    key("pipeline-assets", Takes::Entries(Table::Asset, false), "Files that the pipeline needs, by URL."),
    key("pipeline_assets", Takes::Entries(Table::Asset, false), "Another spelling of `pipeline-assets`."),
    key(
        "internal-model-card",
        Takes::Mapping(Table::Environment),
        "What the SDK installs for the models; stronger than `model-env`.",
    ),
    key("model-env", Takes::Mapping(Table::Environment), "What the SDK installs for the models."),
];

/// A task of the pipeline, and a template.
pub(super) static TASK: [Key; 10] = [
    key(
        "input",
        Takes::Mapping(Table::Input),
        "Where the pictures come from: the stream, or regions that an earlier task found.",
    ),
    key(
        "preprocess",
        PREPROCESS,
        "From a picture to the model's input, in order. With a template: some of its operators, in its order.",
    ),
    key("inference", Takes::Anything, "How the SDK runs the model."),
    key(
        "postprocess",
        OPERATORS,
        "From the model's output to results, in order. With a template: all of its operators and then more, or only \
         more.",
    ),
    key("template_path", Takes::Text, "A YAML file with input, preprocess and postprocess that the task builds on."),
    key("operators", Takes::Entries(Table::OperatorClass, false), "Operators of a template's own, by name."),
    key(
        "aipu_cores",
        Takes::Anything,
        "Cores of the task, set by the SDK; a card says them in `extra_kwargs` of the model.",
    ),
    key("meta_key", Takes::Anything, "The name under which the SDK keeps the task's results."),
    key(
        "model_name",
        Takes::Text,
        "The model under `models:` that the task runs; by default the one of the task's name.",
    ),
    key("task_type", Takes::Anything, "What kind of task the SDK takes it for."),
];

/// `input` of a task.
pub(super) static INPUT: [Key; 8] = [
    key("type", Takes::Anything, "What comes in; `image`."),
    key(
        "source",
        Takes::TextOrMark,
        "`full` for whole pictures, `roi` for regions of an earlier task, `image_processing` for pictures that are \
         corrected first.",
    ),
    key("where", Takes::TextOrMark, "The earlier task whose regions are taken."),
    key("which", Takes::Anything, "Which regions come first: `AREA`, `SCORE`, `CENTER` or `NONE`."),
    key("top_k", Takes::CountOrMark(0), "At most so many regions of a picture."),
    key(
        "color_format",
        Takes::ColorOrMark,
        "The channels that the first operator sees; by default the model's `input_color_format`.",
    ),
    key("expand_margin", Takes::Anything, "By how much a region grows on each side."),
    key("image_processing", Takes::Anything, "Operators that correct the whole picture before everything else."),
];

/// A model under `models:`.
pub(super) static MODEL: [Key; 21] = [
    key("class", Takes::Text, "The Python class that loads the model in the SDK. Data here: no code of a card is run."),
    key("class_path", Takes::Text, "The Python file of `class`."),
    key("weight_path", Takes::Text, "The weights: a path relative to the card, or in the SDK's download cache."),
    key("weight_url", Takes::Text, "Where the weights can be fetched."),
    key("weight_md5", Takes::Md5, "The md5 of the weights: 32 hexadecimal digits."),
    key("prequantized_path", Takes::Text, "An archive of the quantized model, which stands in for quantizing."),
    key("prequantized_url", Takes::Text, "Where that archive can be fetched."),
    key("prequantized_md5", Takes::Md5, "Its md5: 32 hexadecimal digits."),
    key("precompiled_path", Takes::Text, "An archive of the compiled model, which stands in for compiling."),
    key("precompiled_url", Takes::Text, "Where that archive can be fetched."),
    key("precompiled_md5", Takes::Md5, "Its md5: 32 hexadecimal digits."),
    key(
        "model_type",
        Takes::Word(MODEL_TYPES),
        "`DEEP_LEARNING`, the default, is compiled; `CLASSICAL_CV` is code on the host and uses no cores.",
    ),
    key("task_category", Takes::Text, "What the model does, such as `Classification` or `ObjectDetection`."),
    key(
        "input_tensor_shape",
        Takes::Shape,
        "The input's dimensions in the order of `input_tensor_layout`; of three dimensions the batch is 1.",
    ),
    key("input_color_format", Takes::Color, "The channels of the input, in order; RGB by default."),
    key("input_tensor_layout", Takes::Layout, "The order of the input's dimensions; NCHW by default."),
    key("num_classes", Takes::Count(0), "How many classes the model tells apart; 1 by default."),
    key("dataset", Takes::Text, "The entry of `datasets:` with the images that calibrate and judge the model."),
    key("base_dir", Takes::Text, "A folder that the model's class reads from."),
    key("version", Takes::Text, "The model's version, for people."),
    key(
        "extra_kwargs",
        Takes::Mapping(Table::ExtraKwargs),
        "Cores, compiler settings, calibration, and whatever the model's class takes.",
    ),
];

/// What `extra_kwargs` and each of its board blocks may say.
pub(super) static BOARD: [Key; 8] = [
    key("aipu_cores", Takes::Count(1), "Cores that the model is wanted on. In a cascade every model says it."),
    key("max_compiler_cores", Takes::Count(1), "At most so many cores in one compiled program; 1 by default."),
    key("max_execution_cores", Takes::Count(1), "At most so many cores at run time; by default all of the device."),
    key("low_latency", Takes::Flag, "Compiles for one core, whatever `max_compiler_cores` allows."),
    key(
        "compiler_config_file",
        Takes::Text,
        "A TOML file with compiler settings: a bare name is looked for beside the card, in the zoo's `configs` and in \
         the SDK.",
    ),
    key(
        "compilation_config",
        Takes::Configuration,
        "Compiler settings; they win over those of `compiler_config_file`.",
    ),
    key("clock_profile", Takes::Anything, "The clock of the device at run time."),
    key(
        "mvm_limitation",
        Takes::Anything,
        "How much of the matrix unit may be busy at once, in percent, to save power.",
    ),
];

const BOARD_DOC: &str =
    "Settings for this board only: laid over the others key by key, `compilation_config` as a whole.";

/// What only `extra_kwargs` itself says.
pub(super) static EXTRA: [Key; 6] = [
    key(BOARDS[0], Takes::Mapping(Table::Board), BOARD_DOC),
    key(BOARDS[1], Takes::Mapping(Table::Board), BOARD_DOC),
    key(BOARDS[2], Takes::Mapping(Table::Board), BOARD_DOC),
    key(
        "cal_seed",
        Takes::Seed,
        "Shuffles the calibration images by this seed; by default they are taken in order of their names.",
    ),
    key("num_cal_images", Takes::Count(1), "How many images calibrate the model."),
    key("axzoo", Takes::Mapping(Table::Axzoo), "What only axzoo reads."),
];

/// `extra_kwargs.axzoo`.
pub(super) static AXZOO: [Key; 3] = [
    key("preprocess", PREPROCESS, "From a picture to the input, for a model whose pipeline and template do not say."),
    key(
        "min_sqnr_db",
        Takes::Number,
        "A build fails when the int8 model's signal to noise ratio against float, in dB, is below this.",
    ),
    key(
        "min_top1_agreement",
        Takes::Portion,
        "A build fails when int8 and float agree on the top class of fewer images than this share.",
    ),
];

/// An entry under `datasets:`; the SDK's class may read more keys.
pub(super) static DATASET: [Key; 12] = [
    key("class", Takes::Text, "The Python class of the dataset in the SDK."),
    key("class_path", Takes::Text, "The Python file of `class`."),
    key(
        "data_dir_name",
        Takes::Text,
        "The dataset's folder below the data root; its images calibrate when nothing else is named.",
    ),
    key("repr_imgs_dir_path", Takes::Text, "The folder of the images that calibrate."),
    key("repr_imgs_url", Takes::Text, "Where an archive of that folder can be fetched."),
    key("repr_imgs_md5", Takes::Md5, "The md5 of that archive: 32 hexadecimal digits."),
    key("cal_data", Takes::Text, "The images that calibrate, below the dataset's folder."),
    key("val_data", Takes::Text, "The images that judge accuracy, below the dataset's folder."),
    key("labels_path", Takes::Text, "The classes' names, one a line."),
    key("label_type", Takes::Anything, "How the SDK's class reads the labels."),
    key("download_year", Takes::Anything, "Which year of the dataset the SDK's class fetches."),
    key("repr_imgs_dataloader_color_format", Takes::Color, "The channels that a preprocess outside the card expects."),
];

/// An entry under `operators:`, which axzoo hands on.
static OPERATOR_CLASS: [Key; 2] = [
    key("class", Takes::Anything, "The operator's Python class."),
    key("class_path", Takes::Anything, "The Python file of `class`."),
];

/// An entry under `pipeline-assets:`, which axzoo hands on.
static ASSET: [Key; 2] =
    [key("md5", Takes::Anything, "The md5 of the file."), key("path", Takes::Anything, "Where the file is put.")];

/// `model-env`, which axzoo hands on.
static ENVIRONMENT: [Key; 1] = [key("dependencies", Takes::Anything, "Python packages, as `pip` reads them.")];
