//! What may be typed. Commands never see these types: they get settings and plain options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::settings::Flags;

const AFTER_HELP: &str = "Paths in flags and variables are relative to the working folder (with -C to it).\n\
                          Paths in axzoo.toml are relative to the zoo's root.\n\n\
                          Exit codes: 0 done; 1 something failed; 2 usage; 70 a bug in axzoo; 130 interrupted.";

/// make for NPU model zoos: quantizes, compiles and packs exactly what changed.
#[derive(Debug, Parser)]
#[command(name = "axzoo", version, after_help = AFTER_HELP, propagate_version = true)]
pub(super) struct Cli {
    /// Root of the zoo [default: the nearest folder upwards with axzoo.toml or `model_cards`/]
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Quantize, compile and pack what changed
    Build(BuildArgs),
    /// Find what is wrong before building: cards, configs, cascades, files
    Check(CheckArgs),
    /// Compile one ONNX model, with no card and no zoo: the command line of `axcompile`
    Compile(Box<super::compile::CompileArgs>),
    /// Say what would run and every reason
    Why(WhyArgs),
    /// List the networks and whether they are up to date
    List(ListArgs),
    /// Show the effective compiler configuration
    Config(ConfigArgs),
    /// Show how networks share the device's cores and memory
    Cascade(CascadeArgs),
    /// Run a compiled model by the integer reference
    Run(RunArgs),
    /// Turn inline configurations and JSON files into TOML files, changing no effective value
    Convert(ConvertArgs),
    /// Remove the results of networks from the build root; the store keeps what it has
    Clean(CleanArgs),
    /// Look after the store: its size, whether it is sound, what nobody needs any more
    Cache(CacheArgs),
}

/// Where the zoo is and what device it is for.
#[derive(Debug, Default, Args)]
pub(super) struct ZooFlags {
    /// Folder searched for cards; may be repeated
    #[arg(long, value_name = "DIR")]
    cards: Vec<String>,
    /// Cards to leave out, as a glob; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Folder searched for configs; may be repeated
    #[arg(long, value_name = "DIR")]
    configs: Vec<String>,
    /// Folder that holds dataset folders
    #[arg(long, value_name = "DIR")]
    data_root: Option<String>,
    /// Card key to accept although it looks misspelt; may be repeated
    #[arg(long, value_name = "KEY")]
    allow_keys: Vec<String>,
    /// An installed SDK, searched for configs
    #[arg(long, value_name = "DIR")]
    sdk: Option<String>,
    /// Board: pcie, m2 or europa
    #[arg(long, value_name = "BOARD")]
    board: Option<String>,
    /// Cores of the device [default: all of the board]
    #[arg(long, value_name = "N")]
    device_cores: Option<String>,
    /// Treat every warning as an error
    #[arg(long)]
    strict: bool,
}

/// Changes to configurations for this run only; cards are never edited for an experiment.
#[derive(Debug, Default, Args)]
pub(super) struct ConfigFlags {
    /// Set a compiler property for this run; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Cores for a network of one model
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(super) aipu_cores: Option<u32>,
}

impl ConfigFlags {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.aipu_cores.is_none()
    }
}

/// Where results and the store are.
#[derive(Debug, Args)]
pub(super) struct FolderFlags {
    /// Folder for results
    #[arg(long, value_name = "DIR")]
    build_root: Option<String>,
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    cache: Option<String>,
}

/// Where results and the store are, and what a build reads besides cards.
#[derive(Debug, Args)]
pub(super) struct StoreFlags {
    #[command(flatten)]
    folders: FolderFlags,
    /// Toolchain that does the work
    #[arg(long, value_name = "NAME")]
    toolchain: Option<String>,
    /// Calibration images a model; too few are an error
    #[arg(long, value_name = "N")]
    num_cal_images: Option<String>,
    /// Shuffle the calibration images by this seed instead of taking the first by name
    #[arg(long, value_name = "SEED")]
    pub(super) cal_seed: Option<u64>,
    /// Calibrate a model without images on random data
    #[arg(long)]
    allow_random: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people
    Human,
    /// JSON for scripts
    Json,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that may be typed")]
pub(super) struct BuildArgs {
    /// Networks, NETWORK/MODEL, paths of cards, globs, or `all` [default: all]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Steps at a time [default: one a CPU]
    #[arg(short, long, value_name = "N")]
    jobs: Option<String>,
    /// Memory for all running steps, such as 8GB or 80%
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Longest time for one step, such as 90s or 1h
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// How often an external tool that failed is run again
    #[arg(long, value_name = "N")]
    retries: Option<String>,
    /// Show what would run, and run nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Run every step although it is up to date
    #[arg(long)]
    pub(super) force: bool,
    /// Stop at the first failure
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Stop after quantize
    #[arg(long)]
    pub(super) quantize_only: bool,
    /// Do not fail for models that no toolchain here can build
    #[arg(long)]
    pub(super) skip_unsupported: bool,
    /// Write which step ran when, for `chrome://tracing` and Perfetto
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(super) trace: Option<PathBuf>,
    /// Text for people, or one JSON event a line
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) store: StoreFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// Text for people
    Human,
    /// JSON for scripts
    Json,
    /// SARIF 2.1.0, for code scanning and editors
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Networks, paths of cards, globs, or `all` [default: all]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// How problems are written
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: CheckFormat,
    /// Explain a diagnostic, such as `card/unknown-key`, and check nothing
    #[arg(long, value_name = "CODE", exclusive = true)]
    pub(super) explain: Option<String>,
    /// Folder of the store, where what was found is remembered
    #[arg(long, value_name = "DIR")]
    pub(super) cache: Option<String>,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// Networks, NETWORK/MODEL, paths of cards, globs, or `all`
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) store: StoreFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) store: StoreFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
#[command(override_usage = "axzoo clean [OPTIONS] <TARGET>...\n       \
                            axzoo clean [OPTIONS] all\n       \
                            axzoo clean [OPTIONS] --stale")]
pub(super) struct CleanArgs {
    /// Networks, also those whose cards are gone, paths of cards, globs, or `all` for every result
    #[arg(value_name = "TARGET", required_unless_present = "stale", conflicts_with = "stale")]
    pub(super) targets: Vec<String>,
    /// Remove the results of networks whose cards are gone
    #[arg(long)]
    pub(super) stale: bool,
    /// Show what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Folder searched for cards; may be repeated
    #[arg(long, value_name = "DIR", conflicts_with = "targets")]
    cards: Vec<String>,
    /// Cards to leave out, as a glob; may be repeated
    #[arg(long, value_name = "GLOB", conflicts_with = "targets")]
    exclude: Vec<String>,
    #[command(flatten)]
    folders: FolderFlags,
}

#[derive(Debug, Args)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    pub(super) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Say how much the store holds
    Stats(CacheStatsArgs),
    /// Read every artifact, and remove damaged ones, so that the next build makes them again
    Verify(CacheVerifyArgs),
    /// Remove results that no card needs as it is now
    Gc(Box<CacheGcArgs>),
    /// Remove everything in the store; results in the build root stay
    Clear(CacheVerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct CacheStatsArgs {
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) folders: FolderFlags,
}

#[derive(Debug, Args)]
pub(super) struct CacheVerifyArgs {
    #[command(flatten)]
    pub(super) folders: FolderFlags,
}

#[derive(Debug, Args)]
pub(super) struct CacheGcArgs {
    /// Leave the newest of the others as long as all fit, such as 20GB or 500MiB
    #[arg(long, value_name = "SIZE")]
    pub(super) max_size: Option<String>,
    /// Leave the others that are younger, such as 30d or 12h
    #[arg(long, value_name = "AGE")]
    pub(super) max_age: Option<String>,
    /// Show what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) store: StoreFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show each value with its layer, place and what it hides
    Show(ConfigShowArgs),
    /// List the configs that cards can name
    List(ConfigListArgs),
    /// Compare two configurations, or one with its last build
    Diff(ConfigDiffArgs),
    /// Print the JSON schema of cards and configs, for editors
    Schema(ConfigSchemaArgs),
}

#[derive(Debug, Args)]
pub(super) struct ConfigShowArgs {
    /// NETWORK or NETWORK/MODEL
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
    /// Show defaults too
    #[arg(long)]
    pub(super) all: bool,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
pub(super) struct ConfigListArgs {
    /// A network, or the path of a card: also list what lies beside the card
    #[arg(value_name = "TARGET")]
    pub(super) target: Option<String>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
pub(super) struct ConfigDiffArgs {
    /// NETWORK, NETWORK/MODEL, or the path of a card
    #[arg(value_name = "A")]
    pub(super) left: String,
    /// What to compare A with [default: A's last build]
    #[arg(value_name = "B")]
    pub(super) right: Option<String>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    /// Folder for results
    #[arg(long, value_name = "DIR")]
    pub(super) build_root: Option<String>,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A folder with the `manifest.json` of a compiled model, that file, or a `.axm`
    #[arg(value_name = "MODEL")]
    pub(super) model: PathBuf,
    /// A `.npy` file of an input (float32, or int8 as the program takes it), or an image; one for each input, in order
    ///
    /// Arrays have the shape and the axes of the model's own inputs and outputs, such as [N,C,H,W], also where they are int8. This
    /// is neither the layout of the C code (channels last) nor that of the manifest (channels last, and padded for the device):
    /// see docs/compile.md, "Layouts".
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(super) input: Vec<PathBuf>,
    /// Write each output to this folder, as `.npy`
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// How to show results
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that may be typed")]
pub(super) struct ConvertArgs {
    /// Networks, NETWORK/MODEL, paths of cards, globs, or `all`; or JSON files
    #[arg(value_name = "TARGET", required_unless_present = "from_yaml")]
    pub(super) targets: Vec<String>,
    /// Convert this card, in a zoo or not
    #[arg(long, value_name = "CARD", conflicts_with = "targets")]
    pub(super) from_yaml: Option<PathBuf>,
    /// Write the one TOML file here
    #[arg(short, long, value_name = "FILE", conflicts_with = "output_dir")]
    pub(super) output: Option<PathBuf>,
    /// Write TOML files to this folder [default: the first `configs` folder, else beside the card]
    #[arg(long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// Edit the cards too: the block goes, `compiler_config_file` comes, every other byte stays
    #[arg(long)]
    pub(super) in_place: bool,
    /// Show the difference, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One TOML file for all models of the same settings
    #[arg(long)]
    pub(super) share: bool,
    /// Replace other TOML files of these names
    #[arg(long)]
    pub(super) force: bool,
    /// Keep settings that are equal to their documented defaults
    #[arg(long)]
    pub(super) no_exclude_defaults: bool,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

#[derive(Debug, Args)]
pub(super) struct ConfigSchemaArgs {
    /// What the schema is for
    #[arg(long = "for", value_enum, default_value = "any")]
    pub(super) kind: SchemaFor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaFor {
    /// Cards, templates and configs, told apart by their keys
    Any,
    /// Model cards (YAML)
    Card,
    /// Pipeline templates (YAML)
    Template,
    /// Compiler configs (TOML or JSON)
    Config,
}

#[derive(Debug, Args)]
pub(super) struct CascadeArgs {
    /// Networks; several are checked to run together on one device [default: each by itself]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Propose the split of the device that makes the slowest model fastest
    #[arg(long)]
    pub(super) suggest: bool,
    /// Write the best split into the network's card, every other byte kept
    #[arg(long)]
    pub(super) apply: bool,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) zoo: ZooFlags,
}

impl ZooFlags {
    /// These flags as settings.
    pub(super) fn add_to(&self, flags: &mut Flags) {
        let lists = [
            ("cards", &self.cards),
            ("exclude", &self.exclude),
            ("configs", &self.configs),
            ("allow-keys", &self.allow_keys),
        ];
        for (flag, texts) in lists {
            flags.extend(texts.iter().map(|text| (flag, text.clone())));
        }
        let singles = [
            ("data-root", &self.data_root),
            ("sdk", &self.sdk),
            ("board", &self.board),
            ("device-cores", &self.device_cores),
        ];
        for (flag, text) in singles {
            flags.extend(text.iter().map(|text| (flag, text.clone())));
        }
        if self.strict {
            flags.push(("strict", "true".to_owned()));
        }
    }
}

impl StoreFlags {
    /// These flags as settings.
    pub(super) fn add_to(&self, flags: &mut Flags) {
        flags.extend(self.folders.settings());
        let singles = [("toolchain", &self.toolchain), ("num-cal-images", &self.num_cal_images)];
        for (flag, text) in singles {
            flags.extend(text.iter().map(|text| (flag, text.clone())));
        }
        if self.allow_random {
            flags.push(("allow-random", "true".to_owned()));
        }
    }
}

impl FolderFlags {
    /// These flags as settings.
    pub(super) fn settings(&self) -> Flags {
        let singles = [("build-root", &self.build_root), ("cache", &self.cache)];
        singles.into_iter().filter_map(|(flag, text)| Some((flag, text.clone()?))).collect()
    }
}

impl CleanArgs {
    /// Folders and cards as settings.
    pub(super) fn settings(&self) -> Flags {
        let mut flags = self.folders.settings();
        for (flag, texts) in [("cards", &self.cards), ("exclude", &self.exclude)] {
            flags.extend(texts.iter().map(|text| (flag, text.clone())));
        }
        flags
    }
}

impl BuildArgs {
    /// The flags that only a build has, as settings.
    pub(super) fn add_to(&self, flags: &mut Flags) {
        let singles =
            [("jobs", &self.jobs), ("memory", &self.memory), ("timeout", &self.timeout), ("retries", &self.retries)];
        for (flag, text) in singles {
            flags.extend(text.iter().map(|text| (flag, text.clone())));
        }
    }
}
