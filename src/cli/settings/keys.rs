//! The settings of the tool: one row a key, with its flag, its variable and what it takes.

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A list of texts; in a variable separated by `:`.
    Texts,
    /// A path: on the command line and in a variable relative to the working folder, in the file to the root.
    Path,
    /// A list of paths; in a variable separated by `:`.
    Paths,
    /// `true` or `false`.
    Switch,
    /// A whole number from 0.
    Number,
    /// A whole number from 1.
    Count,
    /// A time such as `1h`; kept in milliseconds.
    Time,
    /// A size such as `8GB`, or a part of the machine's memory such as `80%`.
    Memory,
    /// A text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Table and key in `axzoo.toml`, such as `zoo.cards`.
    pub(super) path: &'static str,
    /// The flag without its dashes; the variable is `AXZOO_` and this in capitals.
    pub(super) flag: &'static str,
    /// The SDK's variable that counts when `AXZOO_…` is not set.
    pub(super) sdk_variable: Option<&'static str>,
    /// What it takes.
    pub(super) takes: Takes,
}

impl Key {
    /// `AXZOO_BUILD_ROOT` for the flag `build-root`.
    pub(super) fn variable(&self) -> String {
        format!("AXZOO_{}", self.flag.to_uppercase().replace('-', "_"))
    }
}

const fn key(path: &'static str, flag: &'static str, takes: Takes) -> Key {
    Key { path, flag, sdk_variable: None, takes }
}

/// All settings (SPEC 2), in the order of the file.
pub(super) const KEYS: [Key; 27] = [
    key("zoo.cards", "cards", Takes::Paths),
    key("zoo.exclude", "exclude", Takes::Texts),
    key("zoo.configs", "configs", Takes::Paths),
    Key { path: "zoo.build", flag: "build-root", sdk_variable: Some("AXELERA_BUILD_ROOT"), takes: Takes::Path },
    key("zoo.cache", "cache", Takes::Path),
    Key { path: "zoo.data", flag: "data-root", sdk_variable: Some("AXELERA_DATA_ROOT"), takes: Takes::Path },
    key("zoo.strict", "strict", Takes::Switch),
    key("zoo.allow_keys", "allow-keys", Takes::Texts),
    key("toolchain.use", "toolchain", Takes::Word(&["host", "scripted"])),
    key("toolchain.timeout", "timeout", Takes::Time),
    key("toolchain.retries", "retries", Takes::Number),
    key("toolchain.sdk", "sdk", Takes::Path),
    key("device.board", "board", Takes::Word(&["pcie", "m2", "europa"])),
    key("device.cores", "device-cores", Takes::Count),
    key("calibration.images", "num-cal-images", Takes::Count),
    key("calibration.allow_random", "allow-random", Takes::Switch),
    key("jobs.parallel", "jobs", Takes::Number),
    key("jobs.memory", "memory", Takes::Memory),
    key("pools.fetch", "pool-fetch", Takes::Count),
    key("pools.clean", "pool-clean", Takes::Count),
    key("pools.quantize", "pool-quantize", Takes::Count),
    key("pools.lower", "pool-lower", Takes::Count),
    key("pools.pack", "pool-pack", Takes::Count),
    key("pools.bundle", "pool-bundle", Takes::Count),
    key("scripted.clean", "scripted-clean", Takes::Text),
    key("scripted.quantize", "scripted-quantize", Takes::Text),
    key("scripted.lower", "scripted-lower", Takes::Text),
];

/// Toolchains of SPEC 8 that this version does not drive.
pub(super) const TOOLCHAINS_NOT_YET: [&str; 4] = ["axcompile", "deploy", "sima", "auto"];
