//! Where the settings of a model stand, so that an error points at the value to change and a hint says where to write it.

use std::collections::BTreeMap;

use crate::config::Board;
use crate::config::LayerKind;
use crate::diag::Diagnostic;
use crate::diag::Place;

use super::ModelCores;

/// A setting and the value to write.
pub(super) type Setting = (&'static str, String);

/// What a card says of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// Where its value stands.
    place: Option<Place>,
    /// What to open to change it, where that is not the general block that everybody looks at first.
    within: Option<String>,
}

/// Where one model's settings stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) network: String,
    pub(super) model: String,
    /// `low_latency: true`, which lets no setting compile for more than one core.
    pub(super) low_latency: bool,
    /// The model's name in the card.
    name: Option<Place>,
    said: BTreeMap<&'static str, Said>,
    /// Where a property is written that nothing says yet.
    properties: String,
}

impl Site {
    pub(super) fn of(network: &str, model: &ModelCores<'_>, board: Board) -> Self {
        let block = format!("extra_kwargs.{board}");
        let of_block = model.block.as_ref();
        let mut said = BTreeMap::new();
        let settings = &model.settings;
        let block_cores = of_block.map(|block| block.cores.clone()).unwrap_or_default();
        let cores = [
            ("aipu_cores", &settings.aipu_cores, block_cores.aipu_cores.is_some()),
            ("max_compiler_cores", &settings.max_compiler_cores, block_cores.max_compiler_cores.is_some()),
            ("max_execution_cores", &settings.max_execution_cores, block_cores.max_execution_cores.is_some()),
        ];
        for (key, setting, in_block) in cores {
            if let Some((_, place)) = setting {
                let within = in_block.then(|| block.clone());
                said.insert(key, Said { place: Some(place.clone()), within });
            }
        }
        let card = model.place.as_ref().map(|place| place.source.name());
        for key in ["aipu_cores_used", "resources_used"] {
            let Some(traced) = model.config.get(key) else { continue };
            let place = traced.origin.place.clone();
            let file = place.as_ref().map(|place| place.source.name());
            let within = match traced.origin.layer {
                LayerKind::Default | LayerKind::Cores => continue,
                LayerKind::Board if file == card => Some(format!("{block}.compilation_config")),
                LayerKind::Board | LayerKind::Toml => file.map(ToOwned::to_owned),
                LayerKind::Inline | LayerKind::Set | LayerKind::Build => None,
            };
            said.insert(key, Said { place, within });
        }
        let has_own = of_block.is_some_and(|block| block.inline.is_some());
        Self {
            network: network.to_owned(),
            model: model.name.to_owned(),
            low_latency: settings.is_low_latency(),
            name: model.place.clone(),
            said,
            properties: format!("{}.compilation_config", if has_own { &block } else { "extra_kwargs" }),
        }
    }

    /// The same under another name of the network.
    pub(super) fn of_network(&self, network: &str) -> Self {
        Self { network: network.to_owned(), ..self.clone() }
    }

    /// Where the model's name stands.
    pub(super) const fn name(&self) -> Option<&Place> {
        self.name.as_ref()
    }

    /// Whether something says this setting.
    pub(super) fn says(&self, key: &str) -> bool {
        self.said.contains_key(key)
    }

    /// Where a setting is to be changed or added; `None` where it stands in the general block.
    fn within(&self, key: &str) -> Option<&str> {
        match self.said.get(key) {
            Some(said) => said.within.as_deref(),
            None if key.ends_with("_used") => Some(&self.properties),
            None => Some("extra_kwargs"),
        }
    }

    /// The settings as a hint says them: `` `aipu_cores: 3` in `extra_kwargs.m2` ``. Where they stand in several places, each
    /// names its own.
    pub(super) fn write(&self, settings: &[Setting]) -> String {
        let groups: Vec<&[Setting]> =
            settings.chunk_by(|one, next| self.full_path(one.0) == self.full_path(next.0)).collect();
        let several = groups.len() > 1;
        let groups = groups.into_iter().map(|group| {
            let written: Vec<String> = group.iter().map(|(key, value)| format!("`{key}: {value}`")).collect();
            let stands = |key: &'static str| if several { Some(self.full_path(key)) } else { self.within(key) };
            let within = group.iter().find_map(|(key, _)| stands(key));
            let within = within.map(|within| format!(" in `{within}`")).unwrap_or_default();
            format!("{}{within}", written.join(" and "))
        });
        groups.collect::<Vec<_>>().join(" and ")
    }

    /// As [`Site::within`], the general block included.
    fn full_path(&self, key: &str) -> &str {
        let general = if key.ends_with("_used") { "extra_kwargs.compilation_config" } else { "extra_kwargs" };
        self.within(key).unwrap_or(general)
    }

    /// The value of the first of these settings that is said; else one that decides how much the model takes, else its
    /// name.
    pub(super) fn place_of(&self, settings: &[Setting]) -> Option<&Place> {
        let deciding = ["aipu_cores", "aipu_cores_used", "resources_used", "max_compiler_cores"];
        let mut keys = settings.iter().map(|(key, _)| *key).chain(deciding);
        keys.find_map(|key| self.said.get(key)?.place.as_ref()).or(self.name.as_ref())
    }

    /// The problem at the place of its settings, with network and model.
    pub(super) fn point(&self, problem: Diagnostic, settings: &[Setting]) -> Diagnostic {
        problem.at_place(self.place_of(settings)).network(self.network.as_str()).model(self.model.as_str())
    }
}
